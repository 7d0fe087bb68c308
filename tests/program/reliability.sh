#!/usr/bin/env bash
# Attacks on the whole program, some tries of each kind: killed, calls that fail, limits, signals, closed descriptors, names,
# full disks, hostile files (the sanitized program of tests/suite/unit.sh), threads x batches x sharing.
# tests/suite/long.sh runs their long form.
source "$(dirname "$0")/lib.sh"
export PLUMB PLUMB_MAKE_MODEL PLUMB_BUILD
exec python3 tests/reliability/run.py
