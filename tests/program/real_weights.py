#!/usr/bin/env python3
"""Real weights: logits, states, greedy text and Gemma's tokenizer, against tests/golden/real.

    real_weights.py PLUMB FOLDER NAME=MODEL ...    NAME: smollm2, gemma3; works in FOLDER; prints PASS, FAIL and SKIP lines

Both sides compute in float32 and add in another order, and 18 to 30 blocks carry that on. A difference counts in units of what it
is a difference of: log-probabilities and logits as they are, a state's values and norm by its norm over the root of its width, the
size of a typical value. TOLERANCE is in those units, four times the largest difference that was seen (5.1e-5); MUTANTS, models that are
off by one fact of their config.json, must break it by far.
"""
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys

import h5py
import numpy as np

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOLERANCE = 2e-4
MUTANTS = {"smollm2": ("rope_theta", lambda x: x * 1.001), "gemma3": ("sliding_window", lambda x: x - 1)}
failures = 0


def check(name, good, found=""):
    global failures
    failures += not good
    print(f"{'PASS' if good else 'FAIL'} {name}{'' if good else f': {str(found)[:400]}'}", flush=True)


def run(*command, text=None):
    done = subprocess.run([str(x) for x in command], input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[:300]}")
    return done.stdout


def distance(found, expected):
    """The largest difference; without bound where a value is not finite."""
    off = float(np.max(np.abs(np.asarray(found, np.float64) - expected)))
    return off if np.isfinite(off) else np.inf


def differs(rows, plumb, folder, out):
    """{what: the largest difference} of prompts' logits and states; ids that differ are a difference without bound."""
    layers = list(rows[0]["states"])
    texts = out.with_suffix(".jsonl")
    texts.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows))
    run(plumb, "extract", folder, texts, "--out", out, "--positions", "last,mean", "--layers", ",".join(layers), "--logits", "--quiet", "--device", "cpu")
    worst = {"ids": 0.0, "log_p": 0.0, "logit": 0.0, "states": 0.0}

    def note(what, found, expected, unit=1.0):
        worst[what] = max(worst[what], distance(found, expected) / unit)

    with h5py.File(out) as file:
        starts, ids = (file[f"uns/plumb/tokens/{key}"][:] for key in ("indptr", "ids"))
        for i, row in enumerate(rows):
            if ids[starts[i]:starts[i + 1]].tolist() != row["ids"]:
                worst["ids"] = np.inf
            logits = file["uns/plumb/logits"][i].astype(np.float64)
            log_p = logits - np.logaddexp.reduce(logits)
            note("log_p", log_p[row["best"]], row["log_p"])
            note("logit", logits[row["best"][0]], row["logit"])
            for layer, kept in row["states"].items():
                for position, state in kept.items():
                    x = file[f"obsm/{position}.{layer}"][i].astype(np.float64)
                    unit = state["norm"] / np.sqrt(len(x))
                    parts = x[::len(x) // len(state["parts"])][:len(state["parts"])]
                    note("states", parts, state["parts"], unit)
                    note("states", np.linalg.norm(x), state["norm"], unit * np.sqrt(len(x)))
    out.unlink()
    return worst


def mutant(name, folder, made):
    """The model with one fact of its config.json changed; its weights are the real one's."""
    key, change = MUTANTS[name]
    config = json.loads((folder / "config.json").read_text())
    config[key] = change(config[key])
    made.mkdir()
    for file in folder.iterdir():
        (made / file.name).symlink_to(file.resolve())
    (made / "config.json").unlink()
    (made / "config.json").write_text(json.dumps(config))
    return key


def greedy(golden, plumb, folder):
    wrong = []
    for row in golden["greedy"]:
        made = json.loads(run(plumb, "generate", folder, "--prompt", row["prompt"], "--max-tokens", len(row["ids"]), "--json", "--device", "cpu"))
        if (made["ids"], made["text"]) != (row["ids"], row["text"]):
            wrong.append((row["prompt"], made["text"], row["text"]))
    return wrong


def lines(golden, plumb, folder):
    given = "".join(json.dumps({"text": row["text"]}) + "\n" for row in golden["lines"])
    told = run(plumb, "tokenize", folder, "--no-special", "--json", text=given).splitlines()
    return len(told) - len(golden["lines"]) or [row for row, line in zip(golden["lines"], told) if json.loads(line)["ids"] != row["ids"]]


def files_of(name):
    """The digests by which fetch-NAME knows its model."""
    loader = importlib.machinery.SourceFileLoader("fetch", str(ROOT / "experiments" / "data" / f"fetch-{name}"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch", loader))
    loader.exec_module(module)
    return module.MODEL.files, module.main.__globals__["is_whole"]


def main():
    plumb, tmp = (pathlib.Path(x).resolve() for x in sys.argv[1:3])
    check("a value that is no number is far from any", distance([1.0, np.nan], [1.0, 1.0]) == np.inf)
    for name, folder in (x.split("=", 1) for x in sys.argv[3:]):
        folder = pathlib.Path(folder)
        if not (folder / "model.safetensors").exists():
            print(f"SKIP {name}: no {folder}/model.safetensors: experiments/data/fetch-{name} makes it")
            continue
        golden = json.loads((ROOT / "tests" / "golden" / "real" / f"{name}.json").read_text())
        files, is_whole = files_of(name)
        other = [file for file, digest in files.items() if not is_whole(folder / file, digest)]
        check(f"{name}: the files are those that were fetched", not other, other)
        worst = differs(golden["prompts"], plumb, folder, tmp / f"{name}.h5")
        found = {key: float(f"{x:.2g}") for key, x in worst.items()}
        check(f"{name}: ids, logits and states of {len(golden['prompts'])} prompts are transformers' {found}", max(worst.values()) <= TOLERANCE, found)
        key = mutant(name, folder, tmp / name)
        worst = differs([max(golden["prompts"], key=lambda row: len(row["ids"]))], plumb, tmp / name, tmp / f"{name}.h5")
        found = {key: float(f"{x:.2g}") for key, x in worst.items()}
        check(f"{name}: another {key} is found {found}", max(worst.values()) > 5 * TOLERANCE, found)
        wrong = greedy(golden, plumb, folder)
        check(f"{name}: greedy text of {len(golden['greedy'])} prompts", not wrong, wrong)
        if "lines" in golden:
            wrong = lines(golden, plumb, folder)
            check(f"{name}: {len(golden['lines'])} lines have SentencePiece's ids", wrong == [], wrong)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
