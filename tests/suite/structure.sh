#!/usr/bin/env bash
# The rules of structure that a script can check.
source "$(dirname "$0")/common.sh"
step "structure"
if tests/layering.sh; then pass layering; else fail "tests/layering.sh"; fi
