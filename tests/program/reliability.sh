#!/usr/bin/env bash
# Attacks on the whole program, some tries of each kind: killed, calls that fail, limits, signals, closed descriptors, names,
# full disks, hostile files (given to the sanitized program of tests/suite/unit.sh), threads x batches x sharing.
# tests/suite/long.sh runs their long form.
exec python3 "$(dirname "$0")/../reliability/run.py"
