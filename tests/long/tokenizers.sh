#!/bin/sh
# Megabytes of random Unicode and of natural-looking text through every golden tokenizer, and the real ones where there
# are any, against PyPI `tokenizers`.
#
#   tests/long/tokenizers.sh [BUILD [SEED [MEGABYTES]]]     PYTHON: an interpreter with tokenizers and transformers
#
# About 1 minute a megabyte for each ten tokenizers. Without PYTHON's packages it says SKIP and returns 77.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-${PLUMB_BUILD:-build}} seed=${2:-1} megabytes=${3:-0.3}
python=${PYTHON:-python3}
data=${PLUMB_DATA:-../shared/data}
if ! "$python" -c 'import tokenizers, transformers' 2>/dev/null; then
    echo "SKIP tests/long/tokenizers.sh: $python has no tokenizers and transformers (set PYTHON)"
    exit 77
fi
"$python" tests/long/tokenizers.py "$build/tests/tokenizer/tokenize_lines" "$seed" "$megabytes" \
    tests/golden/tokenizers/* "$data"/tokenizers/* "$data"/models/stories260K
