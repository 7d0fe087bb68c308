#!/usr/bin/env bash
# Trains a tiny model of the repository again, from nothing: the tokenizer and the corpus that world.py makes, the shape in
# shapes/SIZE.json, plumb train.
#   train.sh small|large OUT [TEXTS [key=value ...]]
# OUT becomes a checkpoint; TEXTS (default 128000) is how many texts there are, each seen once; keys are those of plumb train.
# It can be stopped and started again. PLUMB names the program (default: build/plumb). README.md says what came out of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] && [ -f "$here/shapes/$1.json" ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
size=$1 out=$2 texts=${3:-128000}
work=$out.corpus
mkdir -p "$work"
cp "$here/shapes/$size.json" "$work/config.json"
python3 -B "$here/world.py" tokenizer "$work"
[ -e "$work/corpus.jsonl" ] || { python3 -B "$here/world.py" corpus "$texts" 1 >"$work/part" && mv "$work/part" "$work/corpus.jsonl"; }
"${PLUMB:-$here/../../build/plumb}" train "$work" "$work/corpus.jsonl" --out "$out" init=random seed=1 learning_rate=2e-3 \
  lr_scheduler_type=cosine warmup_steps=100 weight_decay=0.1 adam_beta2=0.98 train_batch_size=32 num_train_epochs=1 dtype=bfloat16 "${@:4}"
rm -r "$work"
