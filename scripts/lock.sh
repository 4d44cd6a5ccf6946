#!/bin/sh
# Renews requirements.lock: the versions that .venv holds, as constraints. No hosts, no local folders, and torch without a build
# tag, so that a machine with a GPU gets the CUDA build of the same version. What was pinned and is not installed here, as extras
# may not be, keeps its pin; what nobody needs any more is taken out by hand.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
lock=requirements.lock
held=$(mktemp)
trap 'rm -f "$held"' EXIT
"$python" -m pip --disable-pip-version-check freeze --exclude-editable 2>/dev/null |
  grep -v -E '^(pip|setuptools|wheel|stablehand|nvidia-|triton)' |
  sed -E 's/^([A-Za-z0-9_.-]+) @ .*/# \1 came from a file and is not pinned/; s/\+(cpu|cu[0-9]+)$//' |
  grep -v '^#' > "$held"
# Names count as pip counts them: without regard to case, with - for _ and for a dot.
kept=$(awk -F== '
  function plain(name) { name = tolower(name); gsub(/[-_.]+/, "-", name); return name }
  NR == FNR { installed[plain($1)] = 1; next }
  !/^#/ && NF && !(plain($1) in installed)
' "$held" "$lock")
if [ -n "$kept" ]; then
  echo "not installed here, pins kept:" $kept >&2
fi
{
  echo "# Versions that were proven together. A constraints file: pip install -c requirements.lock …"
  echo "# Renew it with scripts/lock.sh after changing pyproject.toml."
  { cat "$held"; echo "$kept"; } | grep . | LC_ALL=C sort -f -t= -k1,1
} > "$lock"
