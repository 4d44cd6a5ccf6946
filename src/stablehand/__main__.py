"""``python -m stablehand`` is ``stablehand``."""

from stablehand.cli import main

if __name__ == "__main__":
    main()
