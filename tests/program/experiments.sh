#!/usr/bin/env bash
# The shipped experiments: the items are what make_items.py composes, and every file runs, with models, items and draws overridden
# to a tiny one. Data sets that are not shipped are stood in for by rows made here.
source "$(dirname "$0")/lib.sh"
check "the items are those that make_items.py composes" $python -B experiments/paper/make_items.py --check
tiny_model "$tmp/tiny" gpt2
$python - "$tmp" <<'P' || fail "the inputs are made"
import json, sys
for split, n in (("train", 40), ("test", 12)):
    with open(f"{sys.argv[1]}/imdb_{split}.jsonl", "w") as rows:
        for i in range(n):
            text = f"Film {i} of the {split} rows<br />was {('tedious', 'a joy')[i % 2]} to watch, scene by scene. " * 3
            rows.write(json.dumps({"text": text, "label": i % 2}) + "\n")
    with open(f"{sys.argv[1]}/sst2_{split}.jsonl", "w") as rows:
        for i in range(n):
            rows.write(json.dumps({"sentence": f"{('tedious', 'a joy')[i % 2]} to watch in the {split} room {i} .", "label": i % 2}) + "\n")
    with open(f"{sys.argv[1]}/trec_{split}.jsonl", "w") as rows:
        for i in range(n):
            rows.write(json.dumps({"text": f"How many rooms has {split} house {i} ?", "coarse_label": i % 6}) + "\n")
P
export PLUMB_DATASETS=$tmp

# Units of a run folder: planned, and finished.
finished() { [ "$(ls "$1"/units/*.h5 2>/dev/null | wc -l)" -eq "$2" ]; }

# The overrides that make an experiment small: `learns ARM N` those of an arm that learns from N examples.
learns() { small+=("arms.$1.n_train=[$2]" "arms.$1.seeds=1"); }
tunes() { learns "$@"; small+=("arms.$1.learning_rate=[1.0e-3]" "arms.$1.num_train_epochs=1"); }

ran=0
for file in $(grep -lE '^arms:' experiments/{demo-real,paper/*,paper/compat/*,real/*}.yaml); do
  name=${file#experiments/} small=(items=4)
  case $name in
  paper/shot-scaling.yaml | paper/prompt-or-tune.yaml | real/* | demo-real.yaml) small+=('arms.0.shots=[0,2]' arms.0.draws=1) ;;
  paper/ood-prompts.yaml) small+=(arms.0.draws=1) ;;
  paper/compat/shot-scaling.yaml) small+=('arms.0.shots=[0,5]') ;;
  paper/compat/prompt-or-tune.yaml) tunes 0 16 ;;
  esac
  case $name in real/* | demo-real.yaml | paper/prompt-or-tune.yaml) learns 1 24; tunes 2 24 ;; esac
  if [ $name = paper/layer-probes.yaml ]; then for arm in 1 2 3; do learns $arm 24; done; fi
  if [ $name = paper/prompt-or-tune.yaml ]; then
    tunes 3 24
    small+=('templates={id: [standard], dev: [raw, label], ood: [table, tags_words]}' 'arms.2.train_templates=[raw, standard, [standard, label]]')
  fi
  results=$tmp/${name//\//-}
  check "$name runs" "$PLUMB" run "$file" "models=[$tmp/tiny]" "${small[@]}" --results "$results" --device cpu --threads 1 --quiet
  run=$(run_of "$results" 2>/dev/null)
  [ -n "$run" ] || continue
  check "... all of its units" finished "$run" "$($python -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["units"]))' "$run/plan.json")"
  check "... and a table" grep -qE '^[^,]*tiny,' "$run/stability.csv"
  rm -rf "$results"
  ran=$((ran + 1))
done
check "fifteen experiments ran" test $ran -ge 15
exit $((failures > 0))
