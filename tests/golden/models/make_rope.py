"""Rotary frequencies of transformers for every key that a rope configuration may hold: what test_rope.c compares with.

    python make_rope.py            (writes rope.json beside this file)

For each rope type: each key absent, null and at its values by itself, and every pair of keys at every pair of values.
Each configuration becomes a LlamaForCausalLM that runs inputs on both sides of each border (the original and the
declared number of positions); its rotary module then tells what it used. A configuration that transformers cannot load
or run at any length has no runs. rope.json: `tables` are [attention factor, inverse frequencies ...]; a case is
[keys of config.json, {length: table}].
"""

import itertools
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).parent
DECLARED, ORIGINAL = 48, 24
SHORT, LONG = [1.0, 1.1, 1.2, 1.3], [1.5, 2.0, 3.0, 4.0]
SIZES = dict(model_type="llama", vocab_size=4, hidden_size=16, intermediate_size=4, num_hidden_layers=1,
             num_attention_heads=2, head_dim=8, max_position_embeddings=DECLARED)
ABSENT = object()

# A key "/name" stands beside the rope dictionary, the others in it. The first value is the one of the base.
COMMON = {"rope_theta": [10000.0, 500.0], "/rope_theta": [ABSENT, 10000.0, 300.0],
          "partial_rotary_factor": [ABSENT, 1.0, 0.5], "/partial_rotary_factor": [ABSENT, 1.0, 0.5]}
LENGTH = {"original_max_position_embeddings": [ORIGINAL, DECLARED, 64],
          "/original_max_position_embeddings": [ABSENT, 16, 64]}
FACTOR = {"factor": [4.0, 1.0, 2.5]}
TYPES = {
    "default": {**COMMON, **FACTOR, "attention_factor": [ABSENT, 1.0, 2.0]},
    "linear": {**COMMON, **FACTOR, "attention_factor": [ABSENT, 1.0, 2.0]},
    "dynamic": {**COMMON, **FACTOR, "original_max_position_embeddings": [ABSENT, ORIGINAL, 64]},
    "llama3": {**COMMON, **LENGTH, **FACTOR, "low_freq_factor": [1.0, 2.0], "high_freq_factor": [4.0, 8.0],
               "attention_factor": [ABSENT, 2.0]},
    "yarn": {**COMMON, **LENGTH, **FACTOR, "attention_factor": [ABSENT, 1.0, 0.7], "beta_fast": [ABSENT, 32, 4.0],
             "beta_slow": [ABSENT, 1, 2.0], "mscale": [ABSENT, 1.0, 0.7], "mscale_all_dim": [ABSENT, 1.0, 0.4],
             "truncate": [ABSENT, True, False]},
    "longrope": {**COMMON, **LENGTH, "factor": [ABSENT, 1.0, 2.5], "attention_factor": [ABSENT, 1.0, 0.7],
                 "short_factor": [SHORT, LONG], "long_factor": [LONG, SHORT]},
    "su": {"short_factor": [SHORT], "long_factor": [LONG]},
}


def config_of(kind, values, holder="rope_parameters", type_key="rope_type"):
    top, inside = {}, {type_key: kind}
    for key, value in values.items():
        if value is not ABSENT:
            (top if key[0] == "/" else inside)[key.lstrip("/")] = value
    return {**top, holder: inside}


def configs():
    for kind, keys in TYPES.items():
        base = {key: values[0] for key, values in keys.items()}
        yield config_of(kind, base)
        yield config_of(kind, base, "rope_scaling", "type")
        yield config_of(kind, base, "rope_scaling")
        for key, values in keys.items():
            for value in (ABSENT, None, *values[1:]):
                yield config_of(kind, {**base, key: value})
        for one, two in itertools.combinations(keys, 2):
            for a, b in itertools.product(keys[one][1:], keys[two][1:]):
                yield config_of(kind, {**base, one: a, two: b})
    # Both spellings at once, of the dictionary and of the type; an empty one; one for each kind of layer.
    linear, yarn = ({"rope_type": t, "factor": 4.0, "rope_theta": 10000.0} for t in ("linear", "yarn"))
    yield {"rope_parameters": linear, "rope_scaling": yarn}
    yield {"rope_parameters": yarn, "rope_scaling": linear}
    yield {"rope_parameters": linear, "rope_scaling": {}}
    yield {"rope_parameters": linear, "rope_scaling": None}
    yield {"rope_parameters": None, "rope_scaling": linear}
    yield {"rope_parameters": {}, "rope_theta": 300.0}
    yield {"rope_theta": 300.0}
    yield {}
    yield {"rope_parameters": {"type": "linear", "rope_type": "default", "factor": 4.0}}
    yield {"rope_parameters": {"type": "default", "rope_type": "linear", "factor": 4.0}}
    yield {"rope_parameters": {"rope_type": None, "type": "linear", "factor": 4.0}}
    yield {"rope_parameters": {"full_attention": linear}}
    yield {"rope_parameters": {"rope_type": "proportional"}}


def run(keys):
    """{length: [attention factor, inverse frequencies ...]} of one configuration; {} when it does not run."""
    out = {}
    lengths = sorted({3, 16, 17, ORIGINAL, ORIGINAL + 1, DECLARED})
    try:
        config = LlamaConfig.from_dict(json.loads(json.dumps({**SIZES, **keys})))
        for length in lengths:  # a model each: some keep what a longer input made of them
            model = LlamaForCausalLM(config).eval()
            with torch.no_grad():
                model(torch.zeros(1, length, dtype=torch.long))
            rotary = model.model.rotary_emb
            out[length] = [float(rotary.attention_scaling), *rotary.inv_freq.tolist()]
    except Exception:
        return {}
    return out


tables, cases, seen = [], [], set()
for keys in configs():
    text = json.dumps(keys)
    if text in seen:
        continue
    seen.add(text)
    runs = {}
    for length, table in run(keys).items():
        table = [float(f"{v:.9g}") for v in table]
        if table not in tables:
            tables.append(table)
        runs[length] = tables.index(table)
    cases.append([keys, runs])
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
table_lines = ",\n".join(json.dumps(t, separators=(",", ":")) for t in tables)
(HERE / "rope.json").write_text(
    f'{{"transformers": "{transformers.__version__}", "torch": "{torch.__version__}", "sizes": {json.dumps(SIZES)},\n'
    f'"tables": [\n{table_lines}\n],\n"cases": [\n{lines}\n]}}\n')
print(len(cases), "cases,", len(tables), "tables,", sum(not c[1] for c in cases), "that transformers does not run")
