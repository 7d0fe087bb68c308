"""Holds runs of plumb against what lm-evaluation-harness asked, got and made of the same tasks (tests/golden/kinds/expected.json):
texts and hashes exactly, greedy flags exactly, log-likelihoods and metrics as float32 allows.

python kinds.py EXPECTED RUN...: prints "MODEL TASK k=K: N items" for each cell that agrees, else what differs. Of texts that are scored
by themselves the intervals of stability.csv are made once more: a jackknife of the rate, and exp of its ends.
"""
import csv
import glob
import hashlib
import json
import math
import os
import re
import sys

# Sums of up to 80 log-probabilities in float32, made in another order.
RELATIVE = 1e-5


def close(a, b):
    return abs(a - b) <= RELATIVE * max(1.0, abs(b))


def read(run):
    """{(model, task, k): (metrics, samples)} of a run folder."""
    out = {}
    for path in glob.glob(os.path.join(run, "results*.json")):
        with open(path, encoding="utf-8") as f:
            results = json.load(f)
        model = results["model_name"]
        for sample_file in glob.glob(os.path.join(run, f"samples_{model}_*.jsonl")):
            with open(sample_file, encoding="utf-8") as f:
                for line in f:
                    s = json.loads(line)
                    task = s["task"].split("@")[0]
                    out.setdefault((model, task, s["k"]), (results["results"][s["task"]], []))[1].append(s)
    return out


def number(text):
    """A log-likelihood, or a pair of it and whether it is greedy, out of Python's str()."""
    return float(text) if isinstance(text, str) else [float(text[0]), text[1] == "True"]


def same_response(found, wanted):
    if isinstance(wanted, str):
        return found == wanted
    found = number(found)
    if isinstance(wanted, list):
        return close(found[0], wanted[0]) and found[1] == wanted[1]
    return close(found, wanted)


def compare_sample(found, wanted):
    arguments = [[a["arg_0"]] + ([a["arg_1"]] if isinstance(a.get("arg_1"), str) else []) for a in found["arguments"].values()]
    if arguments != wanted["arguments"]:
        return f"asked {arguments}, expected {wanted['arguments']}"
    for key in ("prompt_hash", "target_hash"):
        if found[key] != wanted[key]:
            return f"{key} {found[key]}, expected {wanted[key]}"
    if hashlib.sha256(str(wanted["target"]).encode()).hexdigest() != found["target_hash"]:
        return f"target {found['target']!r}, expected {wanted['target']!r}"
    responses = [r[0] for r in found["resps"]]
    if len(responses) != len(wanted["resps"]):
        return f"{len(responses)} responses, expected {len(wanted['resps'])}"
    for i, (a, b) in enumerate(zip(responses, wanted["resps"])):
        if not same_response(a, b):
            return f"response {i} {a}, expected {b}"
    return None


def compare(found, case):
    metrics, samples = found
    samples = sorted(samples, key=lambda s: s["doc_id"])
    if [s["doc_id"] for s in samples] != [s["doc_id"] for s in case["samples"]]:
        return f"{len(samples)} items, expected {len(case['samples'])}"
    for a, b in zip(samples, case["samples"]):
        wrong = compare_sample(a, b)
        if wrong:
            return f"item {a['doc_id']}: {wrong}"
    for key, wanted in case["metrics"].items():
        if key not in metrics:
            return f"no {key}"
        if not close(metrics[key], wanted):
            return f"{key} {metrics[key]}, expected {wanted}"
    return None


# Student's t, 97.5 %, 7 degrees of freedom: eight texts.
T7 = 2.364624251592785


def interval_of(nats, weights):
    """(rate, its ends): the rate, and the standard error of the mean of its pseudo-values."""
    n, rate = len(nats), sum(nats) / sum(weights)
    left = [(sum(nats) - x) / (sum(weights) - w) for x, w in zip(nats, weights)]
    pseudo = [n * rate - (n - 1) * v for v in left]
    centre = sum(pseudo) / n
    se = math.sqrt(sum((p - centre) ** 2 for p in pseudo) / (n - 1) / n)
    return rate, rate - T7 * se, rate + T7 * se


def check_intervals(run, cells):
    wrong = []
    with open(os.path.join(run, "stability.csv"), encoding="utf-8") as f:
        rows = {(r["model"], r["metric"]): r for r in csv.DictReader(f) if r["task"] == "rolling"}
    for (model, task, _), (_, samples) in cells.items():
        texts = [s["target"] for s in samples]
        if task != "rolling" or len(texts) != 8:
            continue
        nats = [-float(s["resps"][0][0]) for s in samples]
        size = [len(t.encode()) for t in texts]
        of = {"word_perplexity": ([len(re.split(r"\s+", t)) for t in texts], math.exp), "byte_perplexity": (size, math.exp),
              "bits_per_byte": (size, lambda rate: rate / math.log(2))}
        for metric, (weights, made_of) in of.items():
            row = rows[model, metric]
            found = [float(row[k]) for k in ("value", "lo", "hi")]
            wanted = [max(made_of(rate), 0.0 if metric == "bits_per_byte" else 1.0) for rate in interval_of(nats, weights)]
            if not all(close(a, b) for a, b in zip(found, wanted)):
                wrong.append(f"{model} {metric}: {found}, expected {wanted}")
        if rows[model, "word_perplexity"]["null_mean"] or "no chance level" not in rows[model, "word_perplexity"]["why_empty"]:
            wrong.append(f"{model}: a null of word_perplexity, or no reason why there is none")
        print(f"{model}: intervals of {len(of)} metrics")
    return wrong


def main(expected, runs):
    cells, wrong = {}, []
    for run in runs:
        of_run = read(run)
        cells.update(of_run)
        wrong += check_intervals(run, of_run)
    with open(expected, encoding="utf-8") as f:
        cases = json.load(f)
    for model, of_model in cases.items():
        for case in of_model:
            key = (model, case["task"], case["k"])
            problem = compare(cells[key], case) if key in cells else "not in the runs"
            if problem:
                wrong.append(f"{model} {case['task']} k={case['k']}: {problem}")
            else:
                print(f"{model} {case['task']} k={case['k']}: {len(case['samples'])} items")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
