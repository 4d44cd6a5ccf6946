"""npm of the pinned Node, in ``web/``, with the page's packages in place: ``python -m scripts.npm run check``."""

import sys

from hatch_build import install_packages, npm

if __name__ == "__main__":
    install_packages()
    npm(*sys.argv[1:])
