#!/bin/sh
# Renews requirements.lock: the versions that .venv holds, as constraints. No hosts, no local folders, and torch without a build
# tag, so that a machine with a GPU gets the CUDA build of the same version.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
{
  echo "# Versions that were proven together. A constraints file: pip install -c requirements.lock …"
  echo "# Renew it with scripts/lock.sh after changing pyproject.toml."
  "$python" -m pip --disable-pip-version-check freeze --exclude-editable 2>/dev/null |
    grep -v -E '^(pip|setuptools|wheel|stablehand|nvidia-|triton)' |
    sed -E 's/^([A-Za-z0-9_.-]+) @ .*/# \1 came from a file and is not pinned/; s/\+(cpu|cu[0-9]+)$//' |
    grep -v '^#'
} > requirements.lock
