#!/usr/bin/env bash
# The two real models that come with pip, against transformers and SentencePiece: tests/golden/real. They are the folders
# $PLUMB_SMOLLM2 and $PLUMB_GEMMA3, or where experiments/data/fetch-smollm2 and fetch-gemma3 put them; one that is not there is a SKIP.
source "$(dirname "$0")/lib.sh"
: "${PLUMB_SMOLLM2:=$root/experiments/models/smollm2}" "${PLUMB_GEMMA3:=$root/experiments/models/gemma3}"
$python "$root/tests/program/real_weights.py" "$PLUMB" "$tmp" smollm2="$PLUMB_SMOLLM2" gemma3="$PLUMB_GEMMA3" || failures=1
exit $((failures > 0))
