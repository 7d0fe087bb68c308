#!/usr/bin/env bash
# The shipped items and wordings are what their files say of them (items.py), and each check can fail.
source "$(dirname "$0")/lib.sh"
PLUMB_DATA=$PLUMB_DATA $python -B tests/program/items.py || failures=1
exit $((failures > 0))
