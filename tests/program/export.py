"""Reads what `plumb export --lm-eval` wrote, as a user's notebook would (standard library only): export.py DIR RUN.

Every number is computed again from the samples, every hash from the texts, with lm-evaluation-harness' formulas; the groups from their
members; names from names. Prints "MODEL: N tasks, M samples", or what differs.

export.py --harness DIR SETS (with lm_eval installed; SETS: the converted sets): the harness reads the files with its own functions, and its own
tasks make samples, metrics and standard errors of the same answers.
"""
import glob
import hashlib
import json
import math
import os
import re
import sys

SAMPLE = ["doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def close(a, b):
    return abs(a - b) <= 1e-12 * max(1.0, abs(a), abs(b))


def stderr(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


def f1(pairs):
    hit, gold, said = (sum(f(g, p) for g, p in pairs) for f in (lambda g, p: g == p == 1, lambda g, p: g == 1, lambda g, p: p == 1))
    return 2 * hit / (gold + said) if gold + said else 0.0


def mcc(pairs):
    labels = sorted({x for p in pairs for x in p})
    true, said = ([sum(p[i] == k for p in pairs) for k in labels] for i in (0, 1))
    hits, n = sum(g == p for g, p in pairs), len(pairs)
    below = (n * n - sum(x * x for x in said)) * (n * n - sum(x * x for x in true))
    return (hits * n - sum(a * b for a, b in zip(true, said))) / math.sqrt(below) if below else 0.0


def brier(pairs):
    return sum(sum((p - (i == gold)) ** 2 for i, p in enumerate(ps)) for gold, ps in pairs) / len(pairs)


def rate(pairs):
    return -sum(score for score, _ in pairs) / sum(weight for _, weight in pairs)


POOLED = {"f1": f1, "mcc": mcc, "brier_score": brier, "perplexity": lambda v: math.exp(-sum(v) / len(v)), "word_perplexity": lambda v: math.exp(rate(v)),
          "byte_perplexity": lambda v: math.exp(rate(v)), "bits_per_byte": lambda v: rate(v) / math.log(2)}


def read_folder(folder):
    """results and {task: samples} of the newest run in a model's folder."""
    names = sorted(glob.glob(os.path.join(folder, "results_*.json")))
    with open(names[-1], encoding="utf-8") as f:
        results = json.load(f)
    date = os.path.basename(names[-1])[len("results_") : -len(".json")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}", date), date
    samples = {}
    for task in results["configs"]:
        with open(os.path.join(folder, f"samples_{task}_{date}.jsonl"), encoding="utf-8") as f:
            samples[task] = [json.loads(line) for line in f]
    assert len(glob.glob(os.path.join(folder, "*"))) == len(samples) + 1
    return results, samples


def right_of(s):
    """The indices of the right choices; of choices that are contexts `target` is what stands behind all of them."""
    return [s["doc"]["right"]] if not re.fullmatch(r"\[?[\d, ]+\]?", s["target"]) else json.loads(f"[{s['target'].strip('[]')}]")


def check_sample(s, kind):
    assert sorted(s) == sorted(SAMPLE + s["metrics"]) and s["metrics"], list(s)
    assert isinstance(s["target"], str) and s["target_hash"] == sha256(s["target"])
    assert s["doc_hash"] == sha256(json.dumps(s["doc"], indent=2, ensure_ascii=False))
    asked = list(s["arguments"].values())
    assert list(s["arguments"]) == [f"gen_args_{i}" for i in range(len(asked))]
    assert s["prompt_hash"] == sha256(asked[0]["arg_0"])
    assert len(s["resps"]) == len(s["filtered_resps"]) == len(asked)
    if kind == "loglikelihood_rolling":
        assert asked == [{"arg_0": s["target"]}] and s["word_perplexity"] == [float(s["filtered_resps"][0]), len(re.split(r"\s+", s["target"]))]
        return
    if kind == "generate_until":
        assert asked[0]["arg_1"]["max_gen_toks"] > 0 and isinstance(s["resps"][0][0], str)
        return
    assert [r[0] for r in s["resps"]] == s["filtered_resps"]
    scores = [float(r[0]) for r in s["filtered_resps"]]
    if kind == "multiple_choice":
        own = scores[len(scores) // 2 :] if "acc_mutual_info" in s["metrics"] else []  # behind nothing
        scores, right = scores[: len(scores) - len(own)], right_of(s)
        assert s["acc"] == float(scores.index(max(scores)) in right), s
        if own:
            less = [a - b for a, b in zip(scores, own)]
            assert s["acc_mutual_info"] == float(less.index(max(less)) in right), s
    else:
        assert s["acc"] == float(s["filtered_resps"][0][1] == "True")


def check_task(results, name, samples):
    numbers, config = results["results"][name], results["configs"][name]
    assert numbers["name"] == numbers["alias"] == config["task"] == name
    assert results["n-shot"][name] == config["num_fewshot"]
    assert results["n-samples"][name]["effective"] == numbers["sample_len"] == len(samples) <= results["n-samples"][name]["original"]
    assert sorted(results["higher_is_better"][name]) == sorted(samples[0]["metrics"])
    assert results["task_hashes"][name] == sha256("".join(s["doc_hash"] + s["prompt_hash"] + s["target_hash"] for s in samples))
    found = {"name", "alias", "sample_len"}
    for s in samples:
        check_sample(s, config["output_type"])
    for metric in samples[0]["metrics"]:
        key, spread = f"{metric},{samples[0]['filter']}", f"{metric}_stderr,{samples[0]['filter']}"
        values = [s[metric] for s in samples]
        found |= {key, spread}
        if metric in POOLED:
            assert close(numbers[key], POOLED[metric](values)) and numbers[spread] == "N/A", (name, metric)
        else:
            assert close(numbers[key], sum(values) / len(values)) and close(numbers[spread], stderr(values)), (name, metric)
    assert set(numbers) == found, set(numbers) ^ found


def check_groups(results):
    for group, members in results["group_subtasks"].items():
        assert members and results["groups"][group] == results["results"][group]
        for key, value in results["groups"][group].items():
            if "," in key and "_stderr" not in key:
                assert close(value, sum(results["results"][m][key] for m in members) / len(members)), (group, key)
    assert sorted(m for g in results["group_subtasks"].values() for m in g) == sorted(results["configs"])


def read(folder, run):
    with open(os.path.join(run, "plan.json"), encoding="utf-8") as f:
        plan = json.load(f)
    with open(os.path.join(run, "manifest.json"), encoding="utf-8") as f:
        positions = {m["name"]: m["max_positions"] for m in json.load(f)["models"]}
    wanted = {re.sub(r'["<>:/|\\?*\[\]]+', "__", m["name"]): m["name"] for m in plan["models"]}
    assert sorted(os.listdir(folder)) == sorted(wanted)
    for model in sorted(wanted):
        results, samples = read_folder(os.path.join(folder, model))
        assert results["model_name_sanitized"] == model and results["model_name"] == wanted[model]
        assert results["max_length"] == positions[wanted[model]] and results["date"] > 1.7e9
        for name, own in samples.items():
            check_task(results, name, own)
        check_groups(results)
        print(f"{model}: {len(samples)} tasks, {sum(map(len, samples.values()))} samples")


# ---- with lm-evaluation-harness ----


def check_names(folder):
    from lm_eval.utils import get_file_datetime, get_file_task_name, get_results_filenames, get_sample_results_filenames, make_table

    files = glob.glob(os.path.join(folder, "*"))
    (name,) = get_results_filenames(files)
    with open(name, encoding="utf-8") as f:
        results = json.load(f)
    logged = get_sample_results_filenames(files)
    assert sorted(get_file_task_name(os.path.basename(f)) for f in logged) == sorted(results["configs"])
    assert {get_file_datetime(f) for f in logged} == {get_file_datetime(name).replace(".json", "")}
    table, groups = make_table(results), make_table(results, "groups")
    for task in results["configs"]:
        assert re.search(rf"^\| *- {re.escape(task)} *\|", table, re.M), task
    assert all(re.search(rf"^\|{re.escape(g)} *\|", groups, re.M) for g in results["groups"]) and "ci95" not in table
    return results


def check_schema(results, samples):
    from lm_eval.result_schema import EvalResults, SampleResult

    known = set(EvalResults.__annotations__) - {"samples"}
    assert set(results) - known == {"plumb_version"} and known <= set(results), set(results) ^ known
    for s in (s for own in samples.values() for s in own):
        assert set(SampleResult.__annotations__) <= set(s)


def as_results(task, sample):
    if task.OUTPUT_TYPE == "generate_until":
        return [sample["filtered_resps"][0]]
    return [(float(score), greedy == "True") for score, greedy in sample["filtered_resps"]]


def check_against(task, name, own, numbers):
    from lm_eval.api.metrics import mean, mean_stderr
    from lm_eval.utils import handle_non_serializable, hash_string

    docs, gathered = list(task.eval_docs), {}
    for s in own:
        doc, target = docs[s["doc_id"]], task.doc_to_target(docs[s["doc_id"]])
        assert s["doc_hash"] == hash_string(json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)), name
        if task.OUTPUT_TYPE != "multiple_choice" or isinstance(target, int):
            assert s["target"] == str(target) and s["target_hash"] == hash_string(str(target)), (name, s["target"], target)
        for metric, value in task.process_results(doc, as_results(task, s)).items():
            value = json.loads(json.dumps(value, default=handle_non_serializable))
            if metric not in s:
                continue
            assert s[metric] == value, (name, metric, s[metric], value)
            gathered.setdefault(metric, []).append(value)
    assert gathered, name
    for metric, values in gathered.items():
        key = f"{metric},{own[0]['filter']}"
        assert abs(numbers[key] - task.aggregation()[metric](values)) <= 1e-6 * max(1.0, abs(numbers[key])), (name, metric)
        if task.aggregation()[metric] is mean:
            assert close(numbers[key.replace(",", "_stderr,")], mean_stderr(values)), (name, metric)
    return sorted(gathered)


def harness(folder, sets):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../experiments/data"))
    import from_lm_eval

    os.environ["PLUMB_DATASETS"] = sets
    from_lm_eval.use_local_sets()
    for model in sorted(os.listdir(folder)):
        results, samples = check_names(os.path.join(folder, model)), read_folder(os.path.join(folder, model))[1]
        check_schema(results, samples)
        by_task = {}
        for name in samples:
            by_task.setdefault(results["configs"][name]["metadata"]["task"], []).append(name)
        for task_name, task, error in from_lm_eval.open_tasks(list(by_task)):
            if error:
                raise error
            for name in by_task[task_name]:
                found = check_against(task, name, samples[name], results["results"][name])
                print(f"{name}: {len(samples[name])} samples as the harness has them: {', '.join(found)}")


if __name__ == "__main__":
    if sys.argv[1] == "--harness":
        harness(*sys.argv[2:])
    else:
        read(*sys.argv[1:])
