#!/usr/bin/env python3
"""What large inputs cost, beside a baseline: rows of which two are used, and the plan of 100,000 units.

bounds.py FOLDER PLUMB BASELINE MAKE_MODEL: both programs in turn, three times each; the best of each. Units of the two
must be the same bytes. BASELINE may be the program itself. Prints a table."""
import glob
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import time

folder, plumb, baseline, make_model = pathlib.Path(sys.argv[1]), *(os.path.abspath(a) for a in sys.argv[2:5])
root = pathlib.Path(__file__).resolve().parents[2]
folder.mkdir(parents=True, exist_ok=True)
ROWS, ROUNDS = 1_000_000, 3


def write(name, lines):
    with open(folder / name, "w") as file:
        file.writelines(lines)


def rows(n, form):
    """Made as they are written: what this process holds would count as the children's peak."""
    return (form % (f"film {i} of many, told in some words", i % 2) for i in range(n))


def measure(program, *words):
    """Seconds and peak MB of one process, and what it printed."""
    began = time.monotonic()
    process = subprocess.Popen([program, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    printed = process.stdout.read()
    _, code, used = os.wait4(process.pid, 0)
    if code:
        sys.exit(f"{program} {' '.join(words)}: exit status {code}")
    return time.monotonic() - began, used.ru_maxrss / 1024, printed


def units(results):
    return {pathlib.Path(path).name: pathlib.Path(path).read_bytes() for path in glob.glob(f"{results}/*/units/*.h5")}


def line(what, words, compared):
    """Both programs on the same words; {r} is a results folder of each one's own."""
    best, kept = {}, {}
    for _ in range(ROUNDS):
        for program in (plumb, baseline):
            results = folder / ("r-new" if program == plumb else "r-old")
            shutil.rmtree(results, ignore_errors=True)
            seconds, memory, printed = measure(program, *(str(results) if w == "{r}" else w for w in words))
            best[program] = min(best.get(program, (1e9, 0)), (seconds, memory))
            kept[program] = compared(results, printed)
    same = "same" if kept[plumb] and kept[plumb] == kept[baseline] else "DIFFERENT"
    (new, new_mb), (old, old_mb) = best[plumb], best[baseline]
    print(f"| {what} | {old:.2f} s, {old_mb:.0f} MB | {new:.2f} s, {new_mb:.0f} MB | {old / new:.1f} | {old_mb / new_mb:.1f} | {same} |", flush=True)
    return same == "same"


subprocess.run([make_model, folder / "m", "--family", "gpt2", *glob.glob(f"{root}/experiments/paper/data/*.jsonl")], check=True, stdout=subprocess.DEVNULL)
JSON, CSV = '{"text": "%s", "label": %d}\n', '"%s",%d\n'
write("rows.jsonl", rows(ROWS, JSON))
write("rows.csv", itertools.chain(["text,label\n"], rows(ROWS, CSV)))
write("pool.jsonl", rows(200, JSON))
for name in ("rows.jsonl", "rows.csv", "pool.jsonl"):
    write(f"{name}.yaml", f"task: t\ntest_split: {name}\ntraining_split: pool.jsonl\noutput_type: multiple_choice\ndoc_to_text: '{{{{text}}}}:'\n"
          "doc_to_choice: [negative, positive]\ndoc_to_target: label\nplumb: {templates: [{name: a, role: id}]}\n")
    write(f"{name}.e.yaml", f"name: bounds\nmodels: [m]\ntasks: [{name}.yaml]\narms: [{{kind: prompt, shots: 0}}]\ncapture: {{positions: []}}\nitems: 2\n")
write("many.yaml", "name: many\nmodels: [m]\ntasks: [pool.jsonl.yaml]\narms: [{kind: prompt, shots: 4, draws: 10000, orders: 10}]\nitems: 1\n")

print("| what | baseline | plumb | time, ratio | memory, ratio | results |\n|---|---|---|---|---|---|")
run = ["--quiet", "--device", "cpu", "--threads", "1", "--results", "{r}"]
good = [line(f"`run`, 2 items of 1,000,000 rows, {kind}", ["run", f"rows.{kind}.e.yaml", *run], lambda results, _: units(results)) for kind in ("jsonl", "csv")]
count = lambda _, printed: [row.split()[1] for row in printed.split("\n") if row.startswith("all ")]
good.append(line("`plan`, 100,000 units", ["plan", "many.yaml", "--threads", "1"], count))
sys.exit(0 if all(good) else 1)
