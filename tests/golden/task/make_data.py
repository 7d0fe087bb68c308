"""Makes data.jsonl and data_hashes.json: items and the doc_hash lm-evaluation-harness gives them
(lm_eval/evaluator.py: hash_string(json.dumps(doc, indent=2, ensure_ascii=False))), plus repr() of hard floats.
Run: python make_data.py   (Python 3.11)
"""
import hashlib
import json
import os
import random
import struct

here = os.path.dirname(os.path.abspath(__file__))
docs = [
    {"text": "plain", "label": 1},
    {"ünï": "çödé 自然 😀 \u2028 \x7f", "esc": "\"\\/\b\f\n\r\t\x01\x1f"},
    {"nested": {"list": [1, [2, [3, []]], {}], "none": None, "yes": True, "no": False, "empty": ""}, "z": [{}, {"a": []}]},
    {"real": 0.1, "whole": 2.0, "small": 1e-5, "smaller": 0.0001, "big": 1e16, "less": 123456789012345.6, "neg": -0.0},
    {"huge": 1.7976931348623157e308, "tiny": 5e-324, "third": 1 / 3, "int": -9223372036854775808, "max": 9223372036854775807},
    {},
    {"b": 1, "a": 2, "0": 3},
    {"unsigned": 18446744073709551615, "limit": [int(1e30), {"deep": -(2**70)}], "text": "18446744073709551615"},
]
r = random.Random(7)
floats = [0.0, 1.0, 9007199254740993.0, 9999999999999998.0, 1e15, 1e16, 1e17, 123456.789e3, 1e22, 1e23, 5e-5, 2.5e-4]
while len(floats) < 400:
    x = struct.unpack("<d", r.randbytes(8))[0] if r.random() < 0.5 else round(r.uniform(-1e6, 1e6), r.randrange(12))
    if x == x and abs(x) != float("inf"):
        floats.append(x)
docs.append({"floats": floats})
with open(os.path.join(here, "data.jsonl"), "w", encoding="utf-8", newline="") as f:
    for i, d in enumerate(docs):
        f.write(json.dumps(d, ensure_ascii=i % 2 == 0) + ("\r\n" if i == 1 else "\n"))
with open(os.path.join(here, "data_hashes.json"), "w") as f:
    text = [hashlib.sha256(json.dumps(d, indent=2, ensure_ascii=False).encode("utf-8")).hexdigest() for d in docs]
    json.dump({"doc_hash": text, "repr": [repr(x) for x in floats]}, f, indent=1)
    f.write("\n")
