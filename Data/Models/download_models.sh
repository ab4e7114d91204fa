#!/bin/sh
# Fetches feature models into this folder: all that are named, by default those that the examples use.
# Names are those of `elastix-impact models list`, single models (TS/M730) or families (MIND). Never all 6 GB unasked.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$#" -eq 0 ]; then
    set -- MIND TS/M730
fi
exec elastix-impact models download --to "$here" "$@"
