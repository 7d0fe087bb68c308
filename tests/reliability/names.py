"""Names of experiments, models, tasks, templates, folders and units with every character that a path, a shell, a terminal or a
spreadsheet takes for something else: refused in a clear line, or all files stay below the results and every verb reads them."""
import csv
import json
import shutil
import subprocess
import sys

from attack import CONTROLS, EXPERIMENT, TASK, Attack, Experiment, files_of, plumb

NAMES = ["a b", "a'b", 'a"b', "a`id`b", "$(id)", "a;b", "a|b", "a&b", "a*b", "a?b", "[ab]", "{a,b}", "~", "#a", "-rf", "--help", "%s%n", "a\\b", "a\nb", "a\tb",
         "\x1b[31m", "\u202eba", "\u00e9\U0001f600", "..", ".", "../up", "/tmp/absolute", "a/../../b", "CON", "=1+1", "@SUM(A1)", "a:b", "a" * 250, "a" * 5000, "", " "]
KINDS = ["experiment", "task", "template", "model folder", "data file", "results folder", "unit"]


def quoted(name):
    return json.dumps(name)


def write(folder, **change):
    """An experiment in `folder` with one of its names changed; None where the file system cannot have the name."""
    task, text = TASK, EXPERIMENT
    if "experiment" in change:
        text = text.replace("name: small", f"name: {quoted(change['experiment'])}")
    if "task" in change:
        task = task.replace("task: parity", f"task: {quoted(change['task'])}")
    if "template" in change:
        task = task.replace("name: asks", f"name: {quoted(change['template'])}")
    if "model folder" in change:
        (folder / "model").rename(inside(folder, change["model folder"]))
        text = text.replace("models: [model]", f"models: [{{path: {quoted(change['model folder'])}}}]")
    if "data file" in change:
        (folder / "rows.jsonl").rename(inside(folder, change["data file"] + ".jsonl"))
        task = task.replace("test_split: rows.jsonl", f"test_split: {quoted(change['data file'] + '.jsonl')}")
    (folder / "task.yaml").write_text(task)
    (folder / "experiment.yaml").write_text(text)


def inside(folder, name):
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise OSError("a place outside")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def attempt(attack, source, kind, name):
    folder = attack.folder / "try"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source.folder, folder, ignore=shutil.ignore_patterns("calm", "cache"))
    what = f"{kind} {name[:40]!r}"
    try:
        write(folder, **{kind: name})
        results = inside(folder, name) if kind == "results folder" else folder / "results"
    except (OSError, ValueError):
        return None # no such name can be made here
    before = set(files_of(attack.folder))
    end = plumb("run", "experiment.yaml", "--quiet", "--threads", "1", f"--results={results}", cwd=folder, env=source.env)
    stray = [f"a file outside: {file}" for file in set(files_of(attack.folder)) - before if not (attack.folder / file).is_relative_to(results)]
    if end.code == 0:
        stray += readers(source, results)
    return attack.judge(end, what, stray, codes=(1, 2))


def readers(source, results):
    """Every verb that reads a run folder, and what they print and the table holds."""
    runs = [path.parent for path in results.glob("*/plan.json")]
    if len(runs) != 1:
        return [f"{len(runs)} run folders"]
    found = []
    for verb in (["analyze"], ["status"], ["status", "--json"]):
        end = plumb(verb[0], runs[0], *verb[1:], env=source.env, stdout=subprocess.PIPE)
        if end.code != 0:
            found.append(f"{verb} ended with {end.code}: {end.last_line()[-200:]}")
        if CONTROLS.search(end.out.decode("utf-8", "replace")) or CONTROLS.search(end.err.decode("utf-8", "replace")):
            found.append(f"control characters in what {verb} prints")
    with open(runs[0] / "stability.csv", newline="", encoding="utf-8") as file:
        found += [f"a cell that a spreadsheet runs: {cell[:40]}" for row in csv.reader(file) for cell in row if runs_in_a_spreadsheet(cell)][:1]
    if len(list(runs[0].glob("results*.json"))) != 1:
        found.append("not one results file a model")
    return found


def runs_in_a_spreadsheet(cell):
    try:
        float(cell)
    except ValueError:
        return len(cell) > 1 and cell[0] in "=+-@\t\r"
    return False


def unit_ids(attack, source, name):
    """A plan whose unit has this id: it is no path that is read or written."""
    results = attack.folder / "planned"
    shutil.rmtree(results, ignore_errors=True)
    run = source.run_folder(results)
    shutil.copytree(source.calm, run)
    (run / "DONE").unlink()
    plan = json.loads((run / "plan.json").read_text())
    old = next(run.glob("units/*.h5")).stem
    (run / "plan.json").write_text(json.dumps(plan).replace(old, name.encode("unicode_escape").decode().replace('"', '\\"')))
    before = set(files_of(attack.folder))
    for verb in ("analyze", "status"):
        end = plumb(verb, run, env=source.env)
        stray = [f"a file outside: {file}" for file in set(files_of(attack.folder)) - before if not (attack.folder / file).is_relative_to(run)]
        attack.judge(end, f"unit {name[:40]!r}, {verb}", stray)


def two_names(attack, source, models, tasks):
    """Names that differ have files that differ, or are refused."""
    folder = attack.folder / "two"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source.folder, folder, ignore=shutil.ignore_patterns("calm", "cache", "model"))
    for model in models:
        shutil.copytree(source.folder / "model", folder / model)
    for i, task in enumerate(tasks):
        (folder / f"task{i}.yaml").write_text(TASK.replace("task: parity", f"task: {task}"))
    text = EXPERIMENT.replace("models: [model]", f"models: {json.dumps(models)}").replace("[task.yaml]", json.dumps([f"task{i}.yaml" for i in range(len(tasks))]))
    (folder / "experiment.yaml").write_text(text)
    end = plumb("run", "experiment.yaml", "--quiet", "--threads", "1", "--results", "results", cwd=folder, env=source.env)
    files = [len(list(folder.glob(f"results/*/{pattern}"))) for pattern in ("results*.json", "samples_*.jsonl")]
    found = [f"{files} files for {len(models)} models and {len(tasks)} tasks"] if end.code == 0 and files != [len(models), len(models) * len(tasks)] else []
    attack.judge(end, f"{models} x {tasks}", found, codes=(2,))


def main():
    with Attack("names", short=40, long=220) as attack:
        source = Experiment(attack.folder / "source")
        two_names(attack, source, ["a/b", "a_b"], ["t"])
        two_names(attack, source, ["m", "m_x"], ["x_t", "t"])
        two_names(attack, source, ["A", "a"], ["T", "t"])
        tries = [(kind, name) for kind in KINDS for name in NAMES if "\0" not in name]
        attack.random.shuffle(tries)
        for kind, name in tries:
            if not attack.more():
                break
            unit_ids(attack, source, name) if kind == "unit" else attempt(attack, source, kind, name)
    return attack.finish()


sys.exit(main())
