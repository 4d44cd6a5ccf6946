"""What make calls. Each is a program of its own: ``python -m scripts.suites``."""
