"""Writes tasks of lm-evaluation-harness as rows and plain task files that plumb reads, also where the task's own file holds Python.

Run where lm-evaluation-harness is installed (lm_eval 0.4.13 was used):

    python3 from_lm_eval.py TASK... --out FOLDER [--rows N]

TASK is a name of the harness or a task file. FOLDER gets TASK.yaml, TASK_test.jsonl and, where the task has examples to show, TASK_pool.jsonl:
one row a document, as the harness itself makes its text, its choices, its right answer and, of texts that are scored by themselves, the
words and bytes that perplexities are over. Documents come from
$PLUMB_DATASETS/<dataset_path>/<dataset_name>/<split>.jsonl where that is there, else from the hub, as `datasets` loads them. What plumb
cannot score is said and left out: metrics of a task's own code.
"""
import argparse
import json
import os
import sys

import datasets

ROLLING = ("word_perplexity", "byte_perplexity", "bits_per_byte")
KEPT_METRICS = {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "brier_score", "exact_match", "f1", "mcc", "perplexity", *ROLLING}
KEPT_FILTERS = {"take_first", "remove_whitespace", "lowercase", "uppercase", "regex", "map"}
OUTPUT_TYPES = {"multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until"}


class Unsupported(Exception):
    pass


def local_set(path, name):
    """The converted set as {split: rows}, or None."""
    folder = os.path.join(os.environ.get("PLUMB_DATASETS", ""), path, name or "")
    if not os.environ.get("PLUMB_DATASETS") or not os.path.isdir(folder):
        return None
    splits = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".jsonl"):
            with open(os.path.join(folder, file), encoding="utf-8") as f:
                splits[file[:-6]] = datasets.Dataset.from_list([json.loads(line) for line in f])
    return datasets.DatasetDict(splits) if splits else None


def use_local_sets():
    """Lets the harness find converted sets before it asks the hub."""
    load = datasets.load_dataset

    def load_dataset(path, name=None, *arguments, **keywords):
        files = keywords.get("data_files")
        hub = "hf://datasets/"
        if isinstance(files, dict) and all(isinstance(f, str) and f.startswith(hub) for f in files.values()) and os.environ.get("PLUMB_DATASETS"):
            keywords["data_files"] = {s: os.path.join(os.environ["PLUMB_DATASETS"], f[len(hub):]) for s, f in files.items()}
        return local_set(path, name) or load(path, name, *arguments, **keywords)

    datasets.load_dataset = load_dataset


def tasks_in(loaded):
    """(name, task) of what the harness has loaded: groups are dictionaries."""
    for name, value in loaded.items():
        if isinstance(value, dict):
            yield from tasks_in(value)
        else:
            yield name if isinstance(name, str) else value.config.task, value


def open_tasks(names):
    """(name, task, None) of the harness' task objects; (name, None, error) of what it cannot load."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    for name in names:
        try:
            for found in tasks_in(manager.load_task_or_group(name)):
                yield *found, None
        except Exception as e:  # whatever the task's own code raises
            yield name, None, e


def choice_row(task, doc):
    choices = list(task.doc_to_choice(doc))
    gold = task.doc_to_target(doc)
    if task.multiple_input:  # choices are contexts, and the target stands behind each
        return {"text": int(task.doc_to_text(doc)), "choices": choices, "target": gold}
    if isinstance(gold, list):
        return {"text": task.doc_to_text(doc), "choices": choices, "gold": [int(g) for g in gold]}
    if isinstance(gold, str):
        if gold not in choices:
            raise Unsupported(f"the answer {gold!r} is not among the choices")
        gold = choices.index(gold)
    return {"text": task.doc_to_text(doc), "choices": choices, "gold": int(gold)}


def answer_row(task, doc):
    gold = task.doc_to_target(doc)
    if task.config.doc_to_choice is not None and isinstance(gold, int):
        gold = task.doc_to_choice(doc)[gold]
    return {"text": task.doc_to_text(doc), "target": [str(g) for g in gold] if isinstance(gold, list) else str(gold)}


def text_row(task, doc):
    """A text that is scored by itself; what its log-likelihood is divided by, as the task's own code has it."""
    weights = {name: value[1] for name, value in task.process_results(doc, (0.0,)).items() if name in ROLLING}
    row = {"target": task.doc_to_target(doc)}
    if "word_perplexity" in weights:
        row["words"] = weights["word_perplexity"]
    if "byte_perplexity" in weights or "bits_per_byte" in weights:
        row["bytes"] = weights.get("byte_perplexity", weights.get("bits_per_byte"))
    return row


def row(task, doc):
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        made = text_row(task, doc)
    else:
        made = choice_row(task, doc) if task.OUTPUT_TYPE == "multiple_choice" else answer_row(task, doc)
    if task.config.gen_prefix:
        made["prefix"] = task.doc_to_prefix(doc)
    return made


def metrics(config, left_out):
    kept = []
    for metric in config.metric_list or []:
        plain = all(not callable(v) for v in metric.values())
        if metric["metric"] in KEPT_METRICS and plain and not metric.get("hf_evaluate"):
            kept.append(dict(metric))
        else:
            left_out.append(str(getattr(metric["metric"], "__name__", metric["metric"])))
    if callable(config.process_results) and config.output_type == "loglikelihood_rolling":
        return [m for m in kept if m["metric"] in ROLLING]  # its weights are in the rows
    if callable(config.process_results):
        left_out.append("process_results")
        return []
    return kept


def filters(config, left_out):
    kept = []
    for one in config.filter_list or []:
        if all(step["function"] in KEPT_FILTERS and not any(callable(v) for v in step.values()) for step in one["filter"]):
            kept.append(one)
        else:
            left_out.append("filter " + one["name"])
    return kept


def task_file(task, name, has_pool, left_out):
    config = task.config
    if config.description and "{{" in config.description:
        raise Unsupported("a description that hangs on the document")
    rolling = task.OUTPUT_TYPE == "loglikelihood_rolling"
    keys = {"task": name, "test_split": f"{name}_test.jsonl", "output_type": task.OUTPUT_TYPE, "doc_to_text": "" if rolling else "text"}
    if has_pool:
        keys["fewshot_split"] = f"{name}_pool.jsonl"
    if task.OUTPUT_TYPE == "multiple_choice":
        keys.update(doc_to_choice="choices", doc_to_target="target" if task.multiple_input else "gold")
    else:
        keys["doc_to_target"] = "target"
    if config.gen_prefix:
        keys["gen_prefix"] = "prefix"
    if rolling:
        keys["plumb"] = {key: key for key in row(task, next(iter(task.eval_docs))) if key in ("words", "bytes")} or None
    keys.update(description=config.description or "", target_delimiter=config.target_delimiter, fewshot_delimiter=config.fewshot_delimiter)
    if getattr(config.fewshot_config, "sampler", None) == "first_n":
        keys["fewshot_config"] = {"sampler": "first_n"}
    if config.num_fewshot:
        keys["num_fewshot"] = config.num_fewshot
    if task.OUTPUT_TYPE == "generate_until":
        keys["generation_kwargs"] = {k: v for k, v in config.generation_kwargs.items() if k in ("until", "max_gen_toks", "do_sample", "temperature")}
        keys["filter_list"] = filters(config, left_out) or None
    keys["metric_list"] = metrics(config, left_out) or None
    version = (config.metadata or {}).get("version", 0) if isinstance(config.metadata, dict) else 0
    keys["metadata"] = {"version": version, "source": "lm-evaluation-harness", "left_out": left_out}
    return keys


def write_rows(path, task, docs, limit):
    with open(path, "w", encoding="utf-8") as f:
        for i, doc in enumerate(docs):
            if limit and i == limit:
                break
            f.write(json.dumps(row(task, doc), ensure_ascii=False) + "\n")


def convert(task, name, out, limit=None):
    """Writes one task; the metrics and filters that were left out."""
    if task.OUTPUT_TYPE not in OUTPUT_TYPES:
        raise Unsupported(f"output_type {task.OUTPUT_TYPE}")
    left_out = []
    has_pool = task.has_training_docs() or task.config.fewshot_split or task.config.fewshot_config
    pool = task.fewshot_docs() if has_pool and task.OUTPUT_TYPE != "loglikelihood_rolling" else None
    keys = task_file(task, name, pool is not None, left_out)
    write_rows(os.path.join(out, f"{name}_test.jsonl"), task, task.eval_docs, limit)
    if pool is not None:
        write_rows(os.path.join(out, f"{name}_pool.jsonl"), task, pool, limit)
    with open(os.path.join(out, f"{name}.yaml"), "w", encoding="utf-8") as f:
        f.write(f"# Made from lm-evaluation-harness' task {name} by from_lm_eval.py.\n")
        for key, value in keys.items():
            if value is not None:
                f.write(f"{key}: {json.dumps(value, ensure_ascii=False)}\n")
    return left_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="+", metavar="TASK")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--rows", type=int, metavar="N", help="at most so many rows of each split")
    a = parser.parse_args()
    use_local_sets()
    os.makedirs(a.out, exist_ok=True)
    failed = 0
    for name, task, error in open_tasks(a.tasks):
        try:
            if error:
                raise Unsupported(f"lm-evaluation-harness cannot load it: {type(error).__name__}: {error}")
            left_out = convert(task, name, a.out, a.rows)
            print(f"{name}: {a.out}/{name}.yaml" + (f"; left out: {', '.join(left_out)}" if left_out else ""))
        except Unsupported as e:
            failed += 1
            print(f"{name}: not converted: {e}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
