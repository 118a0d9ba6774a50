#!/bin/sh
# `make bench`: the side-by-side comparison. Arguments go to run.py; `run.sh --help` lists them.
set -eu
exec python3 "$(dirname "$0")/run.py" "$@"
