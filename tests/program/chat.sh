#!/usr/bin/env bash
# Prompts as chats: every condition's prompts, rows, ids and names, and what is said of them before a run.
source "$(dirname "$0")/lib.sh"
"$python" -c 'import h5py' 2>/dev/null || { skip "chats (python3 has no h5py)"; exit 0; }
"$python" -B tests/program/chat.py "$PLUMB" "$root/experiments/tiny/large" "$tmp" || failures=1
exit $((failures > 0))
