# Sourced: real_input FOLDER writes real-sst2.yaml (shots 0, 2, 4) and real-imdb.yaml (texts cut to 300 characters, shots
# 0, 1) over SST-2 and IMDb from $PLUMB_DATA, on stories260K: seven templates, three draws, 200 items a task.
# Arithmetic: sst2 7 x (1 + 2 x 3) + imdb 7 x (1 + 3) = 77 units, 15,400 prompts.
real_input() {
  local dir=$1 set=$PLUMB_DATA/datasets
  for split in train test; do
    python3 - "$set/sst2/stsa.binary.$split" "$dir/sst2_$split.jsonl" <<'P'
import json, sys
with open(sys.argv[1], encoding="utf-8") as rows, open(sys.argv[2], "w", encoding="utf-8") as out:
    for row in rows:
        label, text = row.rstrip("\n").split(" ", 1)
        out.write(json.dumps({"sentence": text, "label": int(label)}, ensure_ascii=False) + "\n")
P
    cp "$set/imdb_${split}_500.jsonl" "$dir/imdb_$split.jsonl"
  done
  export PLUMB_DATASETS=$dir
  for task in sst2 imdb; do
    local shots=0,2,4
    [ $task = imdb ] && shots=0,1
    cat >"$dir/real-$task.yaml" <<Y
name: real-$task
models: [$PLUMB_DATA/models/stories260K]
tasks: [$root/experiments/tasks/$task.yaml]
templates: {id: [standard], dev: [short, qa_words], ood: [statement, dialogue, tags_words, shout]}
arms: [{kind: prompt, shots: [$shots], draws: 3}]
capture: {layers: all, positions: [last, mean]}
items: 200
truncation: drop_shots # the model's context has 512 tokens
Y
  done
}
