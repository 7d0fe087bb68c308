"""What `plumb validate` says of planted faults, and what `plumb render` shows, against the same prompts as a run stored them.

python lint.py PLUMB MODEL FOLDER: prints PASS or FAIL lines.
"""
import json
import os

from checks import FOLDER, MODEL, finish, plumb, report, write

ROWS = [{"text": t, "label": i % 2, "word": w} for i, (t, w) in enumerate([(" big dog", " dax"), (" pink file", " wug"), (" little ash", " dax"), (" orange train", " wug")])]
POOL = [{"text": t, "label": i % 2, "word": w} for i, (t, w) in enumerate([(" living cat", " dax"), (" grey stone", " wug"), (" red task", " dax")])]
LONG = " ".join(f"word{i}" for i in range(40))


def experiment(name, task, rows=ROWS, pool=POOL, readout="loglikelihood", shots="[0]", more=""):
    write(name + "_test.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    write(name + "_pool.jsonl", "".join(json.dumps(r) + "\n" for r in pool))
    base = {"task": name, "test_split": name + "_test.jsonl", "training_split": name + "_pool.jsonl", "output_type": "multiple_choice",
            "doc_to_text": "{{ text }} :", "doc_to_target": "label", "doc_to_choice": [" dax", " wug"], "target_delimiter": ""}
    base.update(task)
    path = write(name + "_task.yaml", "".join(f"{k}: {json.dumps(v)}\n" for k, v in base.items() if v is not None))
    return write(name + ".yaml", f"name: {name}\nmodels: [{json.dumps(MODEL)}]\ntasks: [{json.dumps(path)}]\n"
                                 f"arms: [{{kind: prompt, shots: {shots}, readout: [{readout}]}}]\n{more}")


FREE = {"output_type": "generate_until", "doc_to_choice": None, "doc_to_target": "word", "generation_kwargs": {"max_gen_toks": 8}}
# A fault, the rules that it breaks, all of them, and the first item.
CASES = [
    ("clean", {}, {}, set(), None),
    ("clean_shots", {}, {"shots": "[2]"}, set(), None),
    ("clean_open", FREE, {"readout": "generate"}, set(), None),
    ("merged", {"doc_to_text": "{{ text }} ta", "doc_to_choice": ["sk dog", "sk file"]}, {}, {"merged"}, 0),
    ("trailing_blank", {"doc_to_text": "{{ text }} : "}, {}, None, 0),
    ("double_bos", {"doc_to_text": "<|endoftext|><|endoftext|>{{ text }} :"}, {}, {"double_bos"}, 0),
    ("same_first_token", {"doc_to_choice": [" big dog", " big file"]}, {}, {"same_first_token", "label_tokens"}, 0),
    ("label_lengths", {"doc_to_choice": [" dog", " big file"]}, {}, {"label_lengths", "label_tokens"}, 0),
    ("label_tokens", {"doc_to_choice": [" pink dog", " big file"]}, {}, {"label_tokens"}, 0),
    ("no_stop", {**FREE, "fewshot_delimiter": ""}, {"readout": "generate"}, {"no_stop"}, None),
    ("stop_in_answer", {**FREE, "generation_kwargs": {"until": ["w"], "max_gen_toks": 8}}, {"readout": "generate"}, {"stop_in_answer"}, 1),
    ("leak", {}, {"shots": "[2]", "pool": POOL + ROWS[:1]}, None, 0),
    ("near_duplicate", {}, {"shots": "[2]", "rows": ROWS + [{"text": " " + LONG, "label": 0, "word": " dax"}],
                            "pool": POOL + [{"text": " " + LONG + " x", "label": 0, "word": " dax"}]}, {"near_duplicate"}, 4),
    ("fails", {}, {"rows": ROWS + [{"text": " big" * 300, "label": 0, "word": " dax"}]}, {"fails"}, None),
    ("truncated", {}, {"rows": ROWS + [{"text": " big" * 300, "label": 0, "word": " dax"}], "more": "truncation: truncate_left\n"}, {"truncated"}, 4),
]
for name, task, keywords, rules, first in CASES:
    path = experiment(name, task, **keywords)
    code, out, err = plumb("validate", path, "--json")
    findings = json.loads(out)["findings"] if code == 0 else []
    found = {f["rule"] for f in findings}
    expected = found | {name} if rules is None else rules  # None: others may follow from it
    own = [f.get("doc_id") for f in findings if f["rule"] == name]
    report(f"validate: {name}", code == 0 and found == expected and (not rules and rules is not None or own == [first] or name.startswith("clean")), f"{code} {found} {own} {err}")
    code, out, err = plumb("validate", path)
    report(f"validate prints {name}", code == 0 and all(f": {r}: " in out for r in expected) and f"{len(findings)} findings" in out, out + err)

# Keys that change no number are listed, and a filter that does not read the answers is said.
path = experiment("idle", {**FREE, "tag": ["x"], "should_decontaminate": True, "filter_list": [{"name": "a", "filter": []}, {"name": "b", "filter": []}]}, readout="generate")
code, out, err = plumb("plan", path, "--verbose")
report("plan --verbose lists idle keys", code == 0 and out.count("changes no number: ") == 2 and "changes no number: tag (" in out, out + err)
code, out, err = plumb("plan", path)
report("plan says which filter reads the answers", code == 0 and "changes no number" not in out and "of its filters 'a' reads the answers" in out, out + err)

# render: what a run of the same cell stores.
path = experiment("shown", {"doc_to_text": "{{ text }} ta", "doc_to_choice": ["sk dog", "sk file"], "description": "living : "}, shots="[0, 2]")
code, out, err = plumb("render", path)
report("render lists the cells", code == 0 and out.count("\n") == 2 and "\n1: " in out and "k = 2" in out, out + err)
code, out, err = plumb("run", path, "--results", os.path.join(FOLDER, "results"), "--quiet")
report("render: the run", code == 0, err)
run = os.path.join(FOLDER, "results", os.listdir(os.path.join(FOLDER, "results"))[0])
samples = [json.loads(line) for line in open(os.path.join(run, "samples_shown.jsonl"), encoding="utf-8")]
with open(os.path.join(run, "plan.json")) as f:
    units = [u["id"] for u in json.load(f)["units"]]
for cell in range(2):
    code, out, err = plumb("render", path, "--cell", str(cell), "--json")
    shown = json.loads(out)
    stored = [s for s in samples if s["k"] == shown["k"]]
    same = len(shown["prompts"]) == len(stored) == len(ROWS)
    for p, s in zip(shown["prompts"], stored):
        arguments = [(a["arg_0"], a["arg_1"]) for a in s["arguments"].values()]
        same = same and p["doc_id"] == s["doc_id"] and arguments == [(p["context"], c) for c in p["continuations"]] and p["gold"] == int(s["target"])
        same = same and p["context"].encode()[p["own_from"]:].decode() == s["doc"]["text"] + " ta" and p["merged"]
        for c, continuation in enumerate(p["continuations"]):
            _, tokens, _ = plumb("tokenize", MODEL, "--json", "--no-special", p["context"])
            same = same and json.loads(tokens)["ids"] == p["ids"]
            _, whole, _ = plumb("tokenize", MODEL, "--json", "--no-special", p["context"] + continuation)
            same = same and json.loads(whole)["ids"][len(p["ids"]):] == p["continuation_ids"][c]
    report(f"render: cell {cell} is what the run stored", code == 0 and same and units[cell] == shown["unit"], err or out[:500])
code, out, err = plumb("render", path, "--cell", "0")
report("render prints token boundaries", code == 0 and "Ġbig|Ġdog|" in out and "a token spans" in out, out + err)
for arguments, message in ((["--cell", "9"], "expected a number from 0 to 1"), (["--cell", "x"], "expected a number"), (["--json"], "--json needs --cell")):
    code, out, err = plumb("render", path, *arguments)
    report(f"render {' '.join(arguments)} is refused", code == 2 and message in err, err)
finish()
