"""A run whose prompts are chats, against the texts that the template must give: conditions, their prompts, rows, tables and
ids, and what `plumb validate` and `plumb render` say.

python chat.py PLUMB MODEL FOLDER: prints PASS or FAIL lines. MODEL has no chat template; a copy of it gets one.
"""
import csv
import glob
import hashlib
import json
import os
import shutil

import h5py

from checks import FOLDER, MODEL, finish, plumb, report, write


def with_template(name, template):
    """A copy of the model with a chat template."""
    path = os.path.join(FOLDER, name)
    shutil.copytree(MODEL, path)
    with open(os.path.join(path, "chat_template.jinja"), "w", encoding="utf-8") as f:
        f.write(template)
    return path


TURNS = "{% for m in messages %}\n  {% if m.role == 'system' %}\n red{{ m.content }}\n  {% else %}\n {{ m.role ~ m.content }} ;\n  {% endif %}\n{% endfor %}\n"
CHATTY = with_template("chatty", TURNS + "{% if add_generation_prompt %} assistant{% endif %}\n")
STRICT = with_template("strict", "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + TURNS + " assistant")
BOS = with_template("bos", "{{ bos_token }}{{ bos_token }}" + TURNS)
write("test.jsonl", "".join(json.dumps({"text": t, "label": i % 2}) + "\n" for i, t in enumerate([" big dog", " pink file", " little ash", " orange train"])))
write("pool.jsonl", "".join(json.dumps({"text": t, "label": i % 2}) + "\n" for i, t in enumerate([" living cat", " grey stone", " red task"])))
TASK = write("task.yaml", 'task: words\ntest_split: test.jsonl\ntraining_split: pool.jsonl\noutput_type: multiple_choice\ndescription: " the words"\n'
             'doc_to_text: "{{ text }} :"\ndoc_to_target: label\ndoc_to_choice: [" dax", " wug"]\nfewshot_delimiter: " . "\n')


def experiment(name, chat="", model=CHATTY, arms="{kind: prompt, shots: [0, 2]}"):
    return write(name + ".yaml", f"name: {name}\nmodels: [{{path: {json.dumps(model)}, name: m}}]\ntasks: [{json.dumps(TASK)}]\narms: [{arms}]\n{chat}")


def run(path, *options, results="results"):
    code, out, err = plumb("run", path, "--results", os.path.join(FOLDER, results), "--quiet", *options)
    folders = glob.glob(os.path.join(FOLDER, results, os.path.basename(path)[:-5] + "-*"))
    return code, err, folders[0] if folders else None


def units_of(folder):
    """By the arm's kind and what tells cells apart: the rows of /obs, the samples and the identity."""
    out = {}
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as f:
        planned = {u["id"]: u for u in json.load(f)["units"]}
    for path in glob.glob(os.path.join(folder, "units", "*.h5")):
        with h5py.File(path) as f:
            columns = {}
            for key, value in f["obs"].items():
                if isinstance(value, h5py.Group) and "categories" in value:
                    names = [x.decode() for x in value["categories"][:]]
                    columns[key] = [names[c] if c >= 0 else None for c in value["codes"][:]]
                elif key == "prompt_hash":
                    columns[key] = [x.decode() for x in value[:]]
            config = json.loads(f["uns/plumb/config_json"][()])
        unit = planned[os.path.basename(path)[:-3]]
        out[unit["arm"], unit.get("chat", "plain"), unit["k"], unit.get("learned_by") is None] = (unit["id"], columns, config)
    return out


# ---- conditions, their prompts and rows ----

SYSTEM = " be kind"
path = experiment("chats", f'chat: {{apply: [false, true], system: [null, "{SYSTEM}"], fewshot_as_multiturn: [false, true]}}\n')
code, err, folder = run(path)
report("a sweep over chats runs", code == 0, err)
units = units_of(folder)
expected = {("prompt", c, k, True) for c in ("plain", "sys", "chat", "chat-sys") for k in (0, 2)} | {("prompt", c, 2, True) for c in ("chat-multi", "chat-multi-sys")}
report("its conditions", set(units) == expected, set(units) ^ expected)


def chat_text(messages):
    return "".join(f" red{c}\n" if r == "system" else f" {r}{c} ;\n" for r, c in messages) + " assistant"


def prompts_of(label, k, shots):
    """The prompts that the template gives, from the plain ones' shots: [(question, answer)]."""
    system = "sys" in label
    head = (SYSTEM + " the words") if system else " the words"  # a blank between them is there: no delimiter
    questions = [" big dog :", " pink file :", " little ash :", " orange train :"]
    joined = "".join(f"{q} {a} . " for q, a in shots)
    if "chat" not in label:
        return [head + joined + q for q in questions]
    turns = [m for q, a in shots for m in (("user", q), ("assistant", a))] if "multi" in label else []
    return [chat_text([("system", head), *turns, ("user", ("" if turns else joined) + q)]) for q in questions]


pool = [(" living cat :", " dax"), (" grey stone :", " wug"), (" red task :", " dax")]
plain_hashes = units["prompt", "plain", 2, True][1]["prompt_hash"]
shots = next(([a, b] for a in pool for b in pool if hashlib.sha256(prompts_of("plain", 2, [a, b])[0].encode()).hexdigest() == plain_hashes[0]), None)
report("the plain prompts are what they were", shots is not None, plain_hashes)
wrong = []
for (_, label, k, _), (_, columns, config) in units.items():
    texts = prompts_of(label, k, shots if k else [])
    if columns["prompt_hash"] != [hashlib.sha256(t.encode()).hexdigest() for t in texts]:
        wrong.append((label, k, texts[0]))
report("every condition has the prompts that its template gives", not wrong, wrong)
report("rows say how they were asked", all(
    (c.get("chat"), c.get("system")) == ((None, None) if label == "plain" else
                                         (["plain" if "chat" not in label else "chat-multi" if "multi" in label else "chat"] * 4, [SYSTEM if "sys" in label else None] * 4))
    for (_, label, _, _), (_, c, _) in units.items()), {k: (v[1].get("chat"), v[1].get("system")) for k, v in units.items()})
report("ids tell the conditions apart", len({u[0] for u in units.values()}) == len(units) and "chat" not in units["prompt", "plain", 2, True][2] and
       units["prompt", "chat-multi-sys", 2, True][2]["chat"]["system"] == SYSTEM)
with open(os.path.join(folder, "stability.csv"), encoding="utf-8") as f:
    arms = {r["arm"] for r in csv.DictReader(f)}
report("tables name them", {"prompt", "prompt+sys", "prompt+chat", "prompt+chat-sys", "prompt+chat-multi", "prompt+chat-multi-sys"} <= arms, arms)
with open(os.path.join(folder, "report.html"), encoding="utf-8") as f:
    report("the report names them", "prompt+chat-multi-sys" in f.read())

# ---- exported, they say how they were asked ----


def exported(folder, name):
    code, out, err = plumb("export", "--lm-eval", folder, os.path.join(FOLDER, name))
    (path,) = glob.glob(os.path.join(FOLDER, name, "m", "results_*.json")) if code == 0 else (None,)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


ASKED = ["system_instruction", "system_instruction_sha", "fewshot_as_multiturn", "chat_template", "chat_template_sha"]
results = exported(folder, "exported")
told = {(m.get("chat", "plain"), m.get("system_instruction")) for m in (c["metadata"] for c in results["configs"].values())}
report("exported tasks say how they were asked", told == {(c, SYSTEM if "sys" in c else None) for _, c, _, _ in expected}, told)
report("a run of several ways has none", [results[k] for k in ASKED] == [None] * 5, [results[k] for k in ASKED])
code, err, one = run(experiment("one", f'chat: {{apply: true, system: "{SYSTEM}", fewshot_as_multiturn: true}}\n'), results="one")
results = exported(one, "exported-one") if code == 0 else {}
report("a run of one way has it", [results.get(k) for k in ASKED] == [SYSTEM, hashlib.sha256(SYSTEM.encode()).hexdigest(), True, None, None], (err, results.get("system_instruction")))

# ---- turns of shots are a prefix that items share ----

code, err, apart = run(path, "--no-sharing", results="apart")
same = code == 0 and all(open(os.path.join(folder, "units", name), "rb").read() == open(os.path.join(apart, "units", name), "rb").read()
                         for name in os.listdir(os.path.join(folder, "units")) if name.endswith(".h5"))
report("unit files have the same bytes whether prefixes are shared or not", same, err)
counts = []
for where in (folder, apart):
    with open(os.path.join(where, "units", units["prompt", "chat-multi", 2, True][0] + ".json"), encoding="utf-8") as f:
        side = json.load(f)
    counts.append(side["tokens_computed"] / side["tokens_in_requests"])
report("turns of shots are computed once", counts[0] < 0.35 and counts[1] == 1, counts)

# ---- a run without chat has its ids, and its units are the plain condition's ----

code, err, plain = run(experiment("plain"))
same = {k: u for k, u in units_of(plain).items()}
report("a run without chat has the ids of the plain condition", code == 0 and {k: u[0] for k, u in same.items()} == {k: u[0] for k, u in units.items() if k[1] == "plain"}, err)

# ---- arms that learn are asked in the same way ----

write("pool.jsonl", "".join(json.dumps({"text": f" {a} {b}", "label": i % 2}) + "\n" for i, (a, b) in enumerate([(a, b) for a in ("big", "red", "pink", "grey") for b in ("cat", "dog", "file")])))
learns = experiment("learns", "chat: {apply: [false, true], fewshot_as_multiturn: [false, true]}\n", arms="{kind: linear, n_train: 8}")
code, err, folder = run(learns)
learned = units_of(folder) if code == 0 else {}
report("arms that learn have chats, and no turns without shots", code == 0 and {k[1] for k in learned} == {"plain", "chat"}, (err, set(learned)))
code, err, apart = run(learns, "chat={apply: true}", results="learns-apart")
alone = units_of(apart) if code == 0 else {}
report("states under chats are those of chats, whatever else the run has", len(alone) == 2 and all(
    open(os.path.join(apart, "units", u[0] + ".h5"), "rb").read() == open(os.path.join(folder, "units", u[0] + ".h5"), "rb").read() for u in alone.values()), (code, err, set(alone)))
report("what was learned under chats is another model", len({u[0] for k, u in learned.items() if k[3]}) == 2 if learned else False)

# ---- what is said before a run ----

BARE = "{kind: prompt, shots: [0]}"
code, out, err = plumb("plan", experiment("none", "chat: {apply: true}\n", model=MODEL))
report("a model without a template is refused in a line", code == 2 and err.count("\n") == 1 and "has no chat template: expected chat_template.jinja" in err, err)
code, out, err = plumb("validate", experiment("strict", "chat: {apply: true}\n", model=STRICT, arms=BARE), "--json")
rules = [f["rule"] for f in json.loads(out)["findings"]] if code == 0 else err
report("validate: a system text that the template refuses", rules == ["system_refused"], rules)
code, out, err = plumb("validate", experiment("strict", "chat: {apply: true}\n", model=STRICT, arms=BARE))
report("a refused system text is noted", "note: model m: its chat template refuses a system text" in out, out)
code, out, err = plumb("validate", experiment("bos", "chat: {apply: true}\n", model=BOS, arms=BARE), "--json")
rules = [f["rule"] for f in json.loads(out)["findings"]] if code == 0 else err
report("validate: a template that doubles bos", "double_bos" in rules, rules)
code, out, err = plumb("render", experiment("strict", "chat: {apply: true}\n", model=STRICT, arms=BARE), "--cell", "0", "--json")
prompt = json.loads(out)["prompts"][0] if code == 0 else {"pieces": []}
report("bos that the template writes is not doubled", prompt["pieces"][:1] == ["<|endoftext|>"] and prompt["pieces"][1:2] != ["<|endoftext|>"], prompt or err)
report("render: where the item begins", code == 0 and prompt["context"].encode()[prompt["own_from"]:].startswith(b" big dog :"), prompt)
code, out, err = plumb("render", path)
cell = next((line.split(":")[0] for line in out.split("\n") if line.endswith("k = 2, draw 0, chat-multi, loglikelihood")), "none")
code, out, err = plumb("render", path, "--cell", cell)
report("render shows a chat with token boundaries", code == 0 and "|Ġbig|Ġdog|Ġ:|" in out and "=> ' dax': Ġdax|" in out, out + err)
for name, chat, message in [("bad_day", "{apply: true, date: soon}", "date: expected a day"), ("no_turns", "{fewshot_as_multiturn: true}", "expected apply: true beside it"),
                            ("twice", "{system: [a, a]}", "the same one is listed twice"), ("no_map", "true", "chat: expected a map")]:
    code, out, err = plumb("plan", experiment(name, f"chat: {chat}\n"))
    report(f"chat: {chat} is refused", code == 2 and message in err, err)
finish()
