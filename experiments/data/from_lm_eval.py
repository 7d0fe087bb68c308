"""Writes tasks of lm-evaluation-harness as rows and plain task files that plumb reads, also where the task's own file holds Python.

Run where lm-evaluation-harness is installed (lm_eval 0.4.13 was used):

    python3 from_lm_eval.py TASK... --out FOLDER [--rows N]

TASK is a name of the harness or a task file. FOLDER gets TASK.yaml, TASK_test.jsonl and, where the task has examples to show, TASK_pool.jsonl:
one row a document, as the harness itself makes its text, its choices and its right answer. Documents come from
$PLUMB_DATASETS/<dataset_path>/<dataset_name>/<split>.jsonl where that is there, else from the hub, as `datasets` loads them. What plumb
cannot score is said and left out: metrics of its own code, and tasks whose choices have a prompt each.
"""
import argparse
import json
import os
import sys

import datasets

KEPT_METRICS = {"acc", "acc_norm", "acc_bytes", "exact_match", "f1", "mcc", "perplexity"}
KEPT_FILTERS = {"take_first", "remove_whitespace", "lowercase", "uppercase", "regex", "map"}
OUTPUT_TYPES = {"multiple_choice", "loglikelihood", "generate_until"}


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
    if task.multiple_input:
        raise Unsupported("each choice has a prompt of its own")
    choices = list(task.doc_to_choice(doc))
    gold = task.doc_to_target(doc)
    if isinstance(gold, list):
        raise Unsupported("several right choices")
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


def row(task, doc):
    return choice_row(task, doc) if task.OUTPUT_TYPE == "multiple_choice" else answer_row(task, doc)


def metrics(config, left_out):
    kept = []
    for metric in config.metric_list or []:
        plain = all(not callable(v) for v in metric.values())
        if metric["metric"] in KEPT_METRICS and plain and not metric.get("hf_evaluate"):
            kept.append(dict(metric))
        else:
            left_out.append(str(getattr(metric["metric"], "__name__", metric["metric"])))
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
    if config.gen_prefix:
        raise Unsupported("gen_prefix")
    keys = {"task": name, "test_split": f"{name}_test.jsonl", "output_type": task.OUTPUT_TYPE, "doc_to_text": "text"}
    if has_pool:
        keys["fewshot_split"] = f"{name}_pool.jsonl"
    if task.OUTPUT_TYPE == "multiple_choice":
        keys.update(doc_to_choice="choices", doc_to_target="gold")
    else:
        keys["doc_to_target"] = "target"
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
    pool = task.fewshot_docs() if task.has_training_docs() or task.config.fewshot_split or task.config.fewshot_config else None
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
