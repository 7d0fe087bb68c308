"""Mutated files of every kind, given to the program built with the address and undefined-behaviour sanitizers: no crash, no
report, no hang, no gigabytes, one clear line for what is refused, and no control character in it.

An input is made again from its kind, seed and number: fuzz.py --only KIND:SEED:NUMBER --keep FOLDER runs it, prints what the
program said and leaves the files in the folder."""
import collections
import json
import os
import re
import shutil
import struct
import sys
import time

import mutations
from attack import CONTROLS, BUILD, ROOT, Attack, End, Experiment, start

HANG_S, MEMORY_MB = 60, 1500
MODELS = ["gpt2", "llama"]
TEXTS = ["A fine film. It's 1234 d\u00e9j\u00e0 vu \U0001f600 \n\n x", "a" * 54 + "b", "   \t ", "Review: dull"]
PATTERNS = [r"(a+)+$", r"(a|aa)+$", r"(.*)*x", r"(?:a?){30}a{30}", r"\p{L}+", r"(?<=a)b", r"((((((a))))))", r"[^\s]+", r"(?i:x)", r"\K", r"(?R)",
            r"(?:(?:a{1,500}){1,500}){1,50}", r"(a(?1)?b)", r".{0,65535}", r"\C", r"(*LIMIT_MATCH=4294967295)a", r"(?=a)*", r"$", r"^", r"|", r"\b",
            r"[[:alpha:]]", r"(?<!x)", r"\X", r"(*NO_JIT)(a+)+$", r"(?:x*)*"]
EXPERIMENT = """name: fuzz
models: [{path: gpt2}]
tasks: [task.yaml]
templates: {id: [bare], dev: [asks]}
arms:
  - kind: prompt
    shots: [0, 1]
    draws: 1
    orders: 1
    balance: true
    readout: [loglikelihood, generate]
capture: {layers: [1], positions: [last], dtype: float32, items: 2}
items: 2
truncation: error
seed: 1234
"""
TASK = """task: sentiment
dataset_path: .
test_split: rows.jsonl
training_split: rows.jsonl
output_type: multiple_choice
description: "Judge."
doc_to_text: "Review: {{text}}\\nSentiment:"
doc_to_choice: [negative, positive]
doc_to_target: "{{label}}"
target_delimiter: " "
fewshot_delimiter: "\\n\\n"
generation_kwargs: {until: ["\\n"], max_gen_toks: 2}
metadata: {version: 1.0}
plumb:
  templates:
    - {name: bare, role: id}
    - {name: asks, role: dev, doc_to_text: "{{text | trim | truncate(20)}}{% if label == 0 %} a{% else %} b{% endif %}\\nVerdict:"}
"""
ROWS = ["a good film", 'a "bad" one', "x, y", "yes \u00e9\n \U0001f600", "no", "so so"]


class Inputs:
    """A folder with valid files of every kind; put() replaces one until restore()."""

    def __init__(self, folder):
        self.folder, self.put_files = folder, {}
        experiment = Experiment(folder, models=[(name, name) for name in MODELS], text=EXPERIMENT, task=TASK, rows=ROWS)
        self.run = folder / "run"
        shutil.copytree(experiment.calm, self.run, ignore=shutil.ignore_patterns("DONE", "results*", "samples*", "*.csv"))
        self.bytes = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.units = sorted(name for name in self.bytes if re.fullmatch(r"run/units/.*\.h5", name))

    def put(self, name, data):
        self.put_files[name] = data
        (self.folder / name).write_bytes(data)

    def restore(self):
        for name in self.put_files:
            (self.folder / name).unlink(missing_ok=True)
        self.put_files.clear()
        for path in [*self.run.rglob("*"), *self.folder.glob("results/*")]:
            if path.is_file() and str(path.relative_to(self.folder)) not in self.bytes:
                path.unlink()
        for name, data in self.bytes.items():
            path = self.folder / name
            if not path.exists() or path.stat().st_size != len(data) or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def use_model(draw, model):
    if draw.random() < 0.6:
        return ["inspect", model]
    return ["generate", model, "--prompt", "A film", "--max-tokens", "2", "--threads", "1", "--json"]


def safetensors(draw, inputs):
    model = draw.choice(MODELS)
    raw = inputs.bytes[f"{model}/model.safetensors"]
    size = struct.unpack("<Q", raw[:8])[0]
    how = draw.random()
    if how < 0.6:
        head = mutations.dumped(draw, mutations.jsons(draw, json.loads(raw[8:8 + size])))
        length = len(head) if draw.random() < 0.95 else draw.choice([0, 1, 2**63, 2**64 - 1, len(raw), 10**8])
        data = struct.pack("<Q", length) + head + raw[8 + size:]
    elif how < 0.85:
        data = mutations.flipped(draw, raw, 0, 8 + size)
    else:
        data = mutations.flipped(draw, raw)
    inputs.put(f"{model}/model.safetensors", data)
    return use_model(draw, model)


def config(draw, inputs):
    model = draw.choice(MODELS)
    raw = inputs.bytes[f"{model}/config.json"]
    value = json.loads(raw)
    if draw.random() < 0.5:
        value["rope_scaling"] = draw.choice([{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
                                             {"type": "linear", "factor": 2.0}, {"rope_type": "yarn", "factor": 4.0},
                                             {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0] * 8}])
    inputs.put(f"{model}/config.json", mutations.dumped(draw, mutations.jsons(draw, value)) if draw.random() < 0.75 else mutations.flipped(draw, raw))
    return use_model(draw, model)


def tokenizer(draw, inputs):
    model = draw.choice(MODELS)
    name = f"{model}/" + draw.choice(["tokenizer.json"] * 4 + ["tokenizer_config.json"])
    raw = inputs.bytes[name]
    if draw.random() < 0.15:
        data = mutations.flipped(draw, raw)
    elif name.endswith("config.json"):
        data = mutations.dumped(draw, mutations.jsons(draw, json.loads(raw)))
    else:
        data = mutations.dumped(draw, tokenizer_value(draw, json.loads(raw)))
    inputs.put(name, data)
    return ["tokenize", model, "--json", draw.choice(TEXTS)]


def tokenizer_value(draw, value):
    """A tokenizer with one part made hostile, or any value outside of its long lists changed."""
    model, how = value["model"], draw.random()
    pattern = {draw.choice(["Regex", "String"]): draw.choice(PATTERNS)}
    if how < 0.2:
        behaviour = draw.choice(["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
        value["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": behaviour, "invert": draw.random() < 0.5}
    elif how < 0.35:
        doubling = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
        value["normalizer"] = draw.choice([{"type": "Replace", "pattern": pattern, "content": "zz" * draw.choice([0, 1, 50000])},
                                           {"type": "Sequence", "normalizers": [doubling] * draw.choice([2, 24, 60])},
                                           {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "x" * 100000}] * 50},
                                           {"type": draw.choice(["NFKC", "NFD", "Lowercase", "StripAccents", "Strip", "BertNormalizer"])}])
    elif how < 0.5:
        token = draw.choice(list(model["vocab"]))
        model["vocab"][token] = draw.choice(mutations.NUMBERS) if draw.random() < 0.7 else draw.choice(list(model["vocab"].values()))
    elif how < 0.62:
        for _ in range(5):
            model["merges"][draw.randrange(len(model["merges"]))] = draw.choice(["a b", "a", "", "a b c", " ", ["a", "b"], ["a"], 5, None, "x" * 70000 + " y"])
    elif how < 0.72:
        value["added_tokens"] = (value.get("added_tokens") or []) + [
            {"id": draw.choice(mutations.NUMBERS), "content": draw.choice(["", "a", " ", "\n", "<x>", "\x1b[2J", "\u00e9" * 5000]), "single_word": draw.random() < 0.5,
             "lstrip": draw.random() < 0.5, "rstrip": draw.random() < 0.5, "normalized": draw.random() < 0.5, "special": True} for _ in range(draw.choice([1, 3, 300]))]
    else:
        lists = {key: model.pop(key) for key in ("vocab", "merges")}
        value = mutations.jsons(draw, value)
        if isinstance(value.get("model"), dict):
            value["model"].update(lists)
    return value


def sweep(draw):
    """Planning reads and checks all; running renders and encodes as well."""
    return ["run", "experiment.yaml", "--quiet", "--threads", "1", "--results", "results"] if draw.random() < 0.3 else ["plan", "experiment.yaml", "--results", "results"]


def yaml_file(name):
    def make(draw, inputs):
        text = mutations.yaml(draw, inputs.bytes[name].decode())
        data = text.encode("utf-8", "surrogatepass")
        inputs.put(name, mutations.flipped(draw, data) if draw.random() < 0.3 else data)
        return sweep(draw)
    return make


def data(draw, inputs):
    ending = draw.choice(["jsonl", "csv", "tsv"])
    rows = [{"text": text, "label": i % 2} for i, text in enumerate(ROWS)]
    if ending == "jsonl":
        rows = mutations.jsons(draw, rows) if draw.random() < 0.6 else rows
        content = b"".join(mutations.dumped(draw, row) + b"\n" for row in rows) if isinstance(rows, list) else mutations.dumped(draw, rows)
    else:
        between = {"csv": ",", "tsv": "\t"}[ending]
        cells = [["text", "label"]] + [[draw.choice([row["text"]] * 9 + ["=1+1", "\x1b[31m", "", "a" * 70000]), str(row["label"])] for row in rows]
        content = "".join(between.join('"' + cell.replace('"', '""') + '"' for cell in row) + draw.choice(["\n"] * 30 + ["\r\n", "\r", ",x\n"]) for row in cells).encode()
    how = draw.random()
    if how < 0.4:
        content = mutations.flipped(draw, content)
    elif how < 0.6:
        content = mutations.lines(draw, content.decode("utf-8", "replace")).encode("utf-8", "surrogatepass")
    elif how < 0.66:
        content += draw.choice([b'"' + b"a" * 3000000, b'{"text":' + b"[" * 200000, b",".join(b"c%d" % i for i in range(100000)), b"\xff\xfe", b"\xef\xbb\xbf"])
    inputs.put(f"rows.{ending}", content)
    inputs.put("task.yaml", TASK.replace("rows.jsonl", f"rows.{ending}").encode())
    if ending == "jsonl" and draw.random() < 0.4:
        return ["extract", "gpt2", "rows.jsonl", "--out", "out.h5", "--quiet", "--threads", "1"]
    return sweep(draw)


def h5(draw, inputs):
    name = draw.choice(inputs.units)
    inputs.put(name, mutations.hdf5(draw, inputs.bytes[name]))
    return draw.choice([["analyze", "run"]] * 8 + [["analyze", "run", "--verify"], ["run", "run/experiment.yaml", "--quiet", "--threads", "1"]])


def records(draw, inputs):
    name = draw.choice(["run/plan.json"] * 3 + ["run/status.json", "run/manifest.json", "run/analysis.json", draw.choice(inputs.units)[:-3] + ".json"])
    raw = inputs.bytes[name]
    inputs.put(name, mutations.dumped(draw, mutations.jsons(draw, json.loads(raw))) if draw.random() < 0.75 else mutations.flipped(draw, raw))
    return draw.choice([["analyze", "run"], ["analyze", "run"], ["status", "run"], ["status", "run", "--json"]])


def states(draw, inputs):
    """Any HDF5 file with a matrix, as plumb tsne takes it: few rows, so that their components alone are made."""
    name = draw.choice(inputs.units)
    inputs.put("states.h5", mutations.hdf5(draw, inputs.bytes[name]))
    dataset = draw.choice([[], [], ["--dataset", "/obsm/last.01"]])
    return ["tsne", "states.h5", "--quiet", "--threads", "1", "--seeds", "1", *dataset, *draw.choice([[], ["--json"], ["--out", "map.h5"]])]


KINDS = {"safetensors": safetensors, "states": states, "config": config, "h5": h5, "data": data, "records": records, "task": yaml_file("task.yaml"),
         "experiment": yaml_file("experiment.yaml"), "tokenizer": tokenizer}


def execute(command, inputs, program):
    """Runs it; the end, and the memory that it took."""
    began = time.monotonic()
    with open(inputs.folder / "stdout", "w+b") as out, open(inputs.folder / "stderr", "w+b") as err:
        process = start(*command, env={"XDG_CACHE_HOME": str(inputs.folder / "cache"), "OMP_NUM_THREADS": "1"}, cwd=inputs.folder, program=program, stdout=out, stderr=err)
        code, pause = None, 0.001
        while time.monotonic() - began < HANG_S:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                break
            time.sleep(pause)
            pause = min(0.02, pause * 1.3)
        else:
            process.kill()
            _, _, usage = os.wait4(process.pid, 0)
        process.returncode = code if code is not None else -9
        out.seek(0), err.seek(0)
        end = End(command, code, out.read(300000), err.read(30000), time.monotonic() - began)
    return end, usage.ru_maxrss / 1024


def fault_of(end, memory_mb):
    """(crashed or wrong, what) or None."""
    if end.crash():
        return "crashed", end.crash()
    if memory_mb > MEMORY_MB:
        return "wrong", f"memory: {memory_mb:.0f} MB"
    if end.unclear():
        return "wrong", end.unclear()
    if "--json" not in end.command and end.command[0] != "tokenize":
        found = CONTROLS.search(end.out.decode("utf-8", "ignore"))
        if found:
            return "wrong", f"control character {ord(found.group()):#x} in what is printed"
    return None


def signature(kind, end, what):
    """Finds with the same one are the same defect, most likely."""
    report = re.search(rb"(ERROR: (?:Address|Leak)Sanitizer: \S+|runtime error: [^\n]{0,60})", end.err)
    frame = re.search(rb"#\d+ 0x\w+ in (\S+) /\S*host/", end.err)
    return kind, re.sub(r"[\d.]+", "N", what), report and report.group(1), frame and frame.group(1)


def attempt(attack, inputs, kind, seed, number, program):
    draw = mutations.random.Random(f"{kind}:{seed}:{number}")
    command = KINDS[kind](draw, inputs)
    end, memory_mb = execute(command, inputs, program)
    return end, fault_of(end, memory_mb)


def keep(folder, inputs, end, name):
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in inputs.put_files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    (folder / "cmd").write_text(f"plumb {' '.join(end.command)}\n# exit code {end.code}, {end.seconds:.1f} s\n# again: tests/reliability/fuzz.py --only {name}\n")
    (folder / "stderr").write_bytes(end.err)


def fuzz(attack, inputs, kinds, program):
    seen = collections.Counter()
    number = 0
    while attack.more():
        kind = kinds[number % len(kinds)]
        end, fault = attempt(attack, inputs, kind, attack.seed, number, program)
        attack.counts[f"of {kind}"] += 1
        if fault:
            verdict, what = fault
            key = signature(kind, end, what)
            seen[key] += 1
            name = f"{kind}:{attack.seed}:{number}"
            if seen[key] <= 2:
                attack.note(verdict, f"{name}: {what}: {key[2] or ''} {key[3] or ''}: {end.last_line()[-160:]!r}")
                keep(attack.keep or BUILD / "finds", inputs, end, name)
            else:
                attack.counts["tried"] += 1
                attack.counts[verdict] += 1
        else:
            attack.note("refused" if end.code else "survived")
        inputs.restore()
        number += 1


def main():
    attack = Attack("fuzzed files", short=400, long=10400)
    attack.parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only files of this kind")
    attack.parser.add_argument("--only", metavar="KIND:SEED:NUMBER", help="make one input again and run it")
    attack.parser.add_argument("--program", default=str(ROOT / "build-asan/plumb"), help="the sanitized program")
    with attack:
        # intercept_memmem looks at all the rest of a text at each of its matches: quadratic, minutes for megabytes.
        os.environ["ASAN_OPTIONS"] += f":intercept_memmem=0:hard_rss_limit_mb={2 * MEMORY_MB}:max_allocation_size_mb=4000"
        inputs = Inputs(attack.folder / "input")
        program = attack.args.program
        if attack.args.only:
            kind, seed, number = attack.args.only.split(":")
            end, fault = attempt(attack, inputs, kind, seed, number, program)
            print(f"plumb {' '.join(end.command)}\nexit code {end.code}, {end.seconds:.1f} s: {fault or 'as it should be'}\n{end.err.decode('utf-8', 'replace')}")
            if attack.keep:
                keep(attack.keep, inputs, end, attack.args.only)
            return 1 if fault else 0
        fuzz(attack, inputs, attack.args.kind or list(KINDS), program)
    return attack.finish()


sys.exit(main())
