#!/usr/bin/env bash
# Many rows, and long ones: two items of a million cost the memory of two; one limit on lines, wherever they come from.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/model" gpt2
$python - "$tmp" <<'P' || fail "the inputs are made"
import sys
tmp = sys.argv[1]
for name, n in ("few", 1000), ("many", 1000000):
    with open(f"{tmp}/{name}.jsonl", "w") as jsonl, open(f"{tmp}/{name}.csv", "w") as csv:
        csv.write("text,label,id\n")
        for i in range(n):
            jsonl.write(f'{{"text": "a film, the {i}th of about {i * 7919 % 100003}", "label": {i % 2}, "id": {i}}}\n')
            csv.write(f'"a film, the {i}th of about {i * 7919 % 100003}",{i % 2},{i}\n')
for name, size in ("long", 17 << 20), ("fits", 1 << 20):
    with open(f"{tmp}/{name}.jsonl", "w") as f:
        f.write('{"text": "a", "label": 0}\n{"text": "' + "a" * size + '", "label": 1}\n')
P
for name in few.jsonl many.jsonl few.csv many.csv long.jsonl; do
  printf 'task: t\noutput_type: multiple_choice\ntest_split: %s\ndoc_to_text: "Q: {{text}}\\nA:"\ndoc_to_choice: ["no", "yes"]\ndoc_to_target: label\n' $name >"$tmp/$name.task.yaml"
  printf 'name: e\nmodels: [model]\ntasks: [%s.task.yaml]\narms: [{kind: prompt, shots: 0}]\nitems: 2\n' $name >"$tmp/$name.yaml"
done

# peak COMMAND...: the largest memory of the command, in MB.
peak() {
  $python -c 'import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(ended)' "$@"
}
# Rows that were parsed and held took 600 MB.
for kind in jsonl csv; do
  few=$(peak "$PLUMB" run "$tmp/few.$kind.yaml" --results "$tmp/few" --threads 1 --quiet) || fail "items: 2 of 1000 ($kind)"
  many=$(peak "$PLUMB" run "$tmp/many.$kind.yaml" --results "$tmp/many" --threads 1 --quiet) || fail "items: 2 of a million ($kind)"
  check "items: 2 of a million rows ($kind): $many MB, of a thousand: $few MB" test "$many" -lt $((few + 200))
done
samples_are() { grep -q '"doc_id":' "$1"/*/samples_*.jsonl && [ "$(cat "$1"/*/samples_*.jsonl | wc -l)" -eq "$2" ]; }
check "... and two samples each" samples_are "$tmp/many" 4

limit='a line of [0-9]+ bytes or more, expected at most 16777216 \(16 MiB\)'
expect "run: a line that is too long" 2 "long.jsonl:2: $limit" "$PLUMB" run "$tmp/long.jsonl.yaml" --results "$tmp/long" --quiet
expect "extract: the same" 2 "long.jsonl:2: $limit" "$PLUMB" extract "$tmp/model" "$tmp/long.jsonl" --out "$tmp/long.h5"
check "... and no file" test ! -e "$tmp/long.h5"
printf '{"text": "a"}\n{"text": "b", "ids": [1]}\n' >"$tmp/both.jsonl"
expect "extract: rows are seen before the model" 2 'both.jsonl:2: expected \{"text"' "$PLUMB" extract "$tmp/nowhere" "$tmp/both.jsonl" --out "$tmp/both.h5"
expect "tokenize: the same" 2 "standard input:2: $limit" "$PLUMB" tokenize "$tmp/model" <"$tmp/long.jsonl"
expect "tokenize: a line without end" 2 "standard input:1: $limit" timeout 60 "$PLUMB" tokenize "$tmp/model" </dev/zero
check "tokenize: a line of a MiB" "$PLUMB" tokenize "$tmp/model" <"$tmp/fits.jsonl"
exit $((failures > 0))
