#!/usr/bin/env python3
"""Scoring in bfloat16 and, with AMX, bf16x3 beside float32 on the CPU: seconds in turn, and how far the log-likelihoods differ.

    cmake --build build --target plumb bench-engine
    python3 tests/bench/bf16_scoring.py MODEL [--build build] [--items 200] [--repeats 5] [--threads 2]

MODEL: a checkpoint folder with a tokenizer. Requests: the shipped sentiment items, one wording, two labels; no shots, so
that little is shared and what is timed is the forward pass. The error is that of the label's log-likelihood and of the
difference of the two labels, which decides; "other answer" counts items whose better label changes. Standard library only.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def tokenize(plumb, model, texts):
    rows = "".join(json.dumps({"text": t}) + "\n" for t in texts)
    out = subprocess.run([plumb, "tokenize", model, "--json"], input=rows, capture_output=True, text=True, check=True)
    return [json.loads(line)["ids"] for line in out.stdout.splitlines()]


def start(build, model, requests, compute, threads):
    return subprocess.Popen([f"{build}/tests/bench/bench-engine", model, requests, "--device", "cpu", "--compute", compute,
                             "--threads", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(engine, line):
    engine.stdin.write(line + "\n")
    engine.stdin.flush()
    return json.loads(engine.stdout.readline())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    plumb = f"{o.build}/plumb"
    with open(ROOT / "experiments/paper/data/sentiment.test.jsonl", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file][: o.items]
    prompts = tokenize(plumb, o.model, [f"Review: {t}\nIs this review positive or negative?\nAnswer:" for t in texts])
    labels = tokenize(plumb, o.model, [" negative", " positive"])
    with tempfile.TemporaryDirectory() as folder:
        requests = os.path.join(folder, "requests.json")
        with open(requests, "w", encoding="utf-8") as file:
            json.dump([{"ids": ids, "own_first": 0, "labels": labels} for ids in prompts], file)
        others = ["bf16"] + (["bf16x3"] if "amx_bf16" in open("/proc/cpuinfo", encoding="utf-8").read() else [])
        engines = {c: start(o.build, o.model, requests, c, o.threads) for c in ["float32", *others]}
        seconds, answers = {c: [] for c in engines}, {}
        for repeat in range(o.repeats + 1):  # the first is not counted
            for c, engine in engines.items():
                answers[c] = ask(engine, "score")
                if repeat:
                    seconds[c].append(answers[c]["seconds"])
        for engine in engines.values():
            engine.stdin.write("quit\n")
            engine.stdin.close()
            engine.wait()
    print("| type | items | tokens | float32 s | its s | faster | goal | log-likelihood off: mean, largest | labels' difference off: "
          "mean, largest | other answer |\n|---|---|---|---|---|---|---|---|---|---|")
    missed = False
    for c in others:
        one, other = answers["float32"]["loglik"], answers[c]["loglik"]
        off = [abs(a - b) for x, y in zip(one, other) for a, b in zip(x, y)]
        margin = [abs((x[1] - x[0]) - (y[1] - y[0])) for x, y in zip(one, other)]
        changed = sum((x[1] > x[0]) != (y[1] > y[0]) for x, y in zip(one, other))
        ratio = statistics.median(a / b for a, b in zip(seconds["float32"], seconds[c]))
        goal = "" if c != "bf16" else "≥1.6: met" if ratio >= 1.6 else "≥1.6: MISSED"
        missed |= "MISSED" in goal
        print(f"| {c} | {len(texts)} | {answers[c]['tokens']} | {statistics.median(seconds['float32']):.2f} | "
              f"{statistics.median(seconds[c]):.2f} | {ratio:.2f}x | {goal} | {statistics.mean(off):.2g}, {max(off):.2g} | "
              f"{statistics.mean(margin):.2g}, {max(margin):.2g} | {changed} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
