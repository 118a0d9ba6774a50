#!/bin/sh
# `make bench`: the side-by-side comparisons, then the table of goals. Arguments go to all three scripts:
# --rounds N, --tollgate PATH, --install, --keep.
set -eu
here=$(dirname "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
python3 "$here/run.py" --json "$made/run.json" "$@"
python3 "$here/frontdoor.py" --json "$made/front.json" "$@"
python3 "$here/goals.py" --run "$made/run.json" --front "$made/front.json" "$@"
