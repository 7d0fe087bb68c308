"""Holds a run of plumb against lm-evaluation-harness itself: prompts, what may follow them, targets, hashes, and every metric that both have.

python harness.py RUN FOLDER: FOLDER is that of the converted sets ($PLUMB_DATASETS). The harness makes its own requests for the same documents;
plumb's log-likelihoods and answers go through the harness' own process_results and aggregation. Prints "TASK N items" a task, or what
differs; a task file that from_lm_eval.py made is held against the task that it was made from.
python harness.py --convert TASK... --out FOLDER: from_lm_eval.py, also for coqa.
"""
import glob
import hashlib
import json
import os
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../experiments/data"))
import from_lm_eval

# coqa's code asks transformers 4 for functions that transformers 5 has not; its texts do not need them.
stub = types.ModuleType("transformers.data.metrics.squad_metrics")
sys.modules.setdefault("transformers.data.metrics", types.ModuleType("transformers.data.metrics"))
sys.modules.setdefault("transformers.data.metrics.squad_metrics", stub)
sys.modules["transformers.data.metrics"].squad_metrics = stub


def requests_of(task, doc, k):
    task.fewshot_rnd = None
    context = task.fewshot_context(doc, k, gen_prefix=task.doc_to_prefix(doc))
    made = task.construct_requests(doc, context)
    made = made if isinstance(made, list) else [made]
    return [(a.args[0], a.args[1] if a.request_type == "loglikelihood" else "") for a in made]


def results_of(task, sample):
    if task.OUTPUT_TYPE == "generate_until":
        return [sample["filtered_resps"][0]]
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return [float(sample["resps"][0][0])]
    return [(float(r[0][0]), r[0][1] == "True") for r in sample["resps"]]


def check(task, name, samples, results, k):
    docs = list(task.eval_docs)
    wrong, gathered = [], {}
    own = {m["metric"] for m in from_lm_eval.metrics(task.config, [])} - {"acc_bytes"}  # of stability.csv
    for s in samples:
        doc = docs[s["doc_id"]]
        asked = [(a["arg_0"], a["arg_1"] if isinstance(a.get("arg_1"), str) else "") for a in s["arguments"].values()]
        expected = requests_of(task, doc, k)
        if asked != expected:
            wrong.append(f"{name} item {s['doc_id']}: prompt {asked[0]!r}, expected {expected[0]!r}")
            continue
        target = str(task.doc_to_target(doc))
        if task.OUTPUT_TYPE != "multiple_choice" and hashlib.sha256(target.encode()).hexdigest() != s["target_hash"]:
            wrong.append(f"{name} item {s['doc_id']}: target {s['target']!r}, expected {target!r}")
        for metric, value in task.process_results(doc, results_of(task, s)).items() if own else ():
            gathered.setdefault(metric, []).append(value)
    for metric, values in gathered.items():
        found = [v for key, v in results.items() if key.startswith(metric + ",")]
        expected = task.aggregation()[metric](values)
        if not found and metric in own:
            wrong.append(f"{name}: no {metric} in results.json")
        if found and metric in own and abs(found[0] - expected) > 1e-6 * max(1.0, abs(expected)):
            wrong.append(f"{name}: {metric} {found[0]}, expected {expected}")
    return wrong


def main(run, folder):
    os.environ["PLUMB_DATASETS"] = folder
    from_lm_eval.use_local_sets()
    with open(os.path.join(run, "results.json")) as f:
        results = json.load(f)["results"]
    wrong = []
    files = sorted(glob.glob(os.path.join(run, "samples_*.jsonl")))
    by_name = {os.path.basename(f)[8:-6]: f for f in files}
    for name, task, error in from_lm_eval.open_tasks(list(by_name)):
        with open(by_name[name], encoding="utf-8") as f:
            samples = [json.loads(line) for line in f]
        if error:
            wrong.append(f"{name}: {error}")
            continue
        for k in sorted({s["k"] for s in samples}):
            own = [s for s in samples if s["k"] == k]
            if k and getattr(task.config.fewshot_config, "sampler", "") != "first_n":
                continue  # other shots were drawn
            found = check(task, name, own, next(v for key, v in results.items() if key == own[0]["task"]), k)
            wrong += found
            if not found:
                print(f"{name} k={k}: {len(own)} items")
    print("\n".join(wrong[:20]))
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    if sys.argv[1] == "--convert":  # from_lm_eval.py, with the stub
        del sys.argv[1]
        sys.exit(from_lm_eval.main())
    sys.exit(main(*sys.argv[1:]))
