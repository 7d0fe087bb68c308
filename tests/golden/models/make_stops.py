"""Which ids end transformers' generate, by what generation_config.json and config.json say: for test_stops.c.

    python make_stops.py            (writes stops.json beside this file)
"""

import json
import os
import pathlib
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig

transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).parent
VALUES = ["{}"] + ['{"eos_token_id": %s}' % v for v in ("null", "7", "[9, 8]", "[]", "-1", "600", "[7, 600]", "[7, 7]")]

cases = []
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    config = LlamaConfig(vocab_size=512, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
                         max_position_embeddings=16)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    base = json.loads((folder / "config.json").read_text())
    base.pop("eos_token_id", None)
    for generation in [None] + VALUES:
        (folder / "generation_config.json").unlink(missing_ok=True)
        if generation:
            (folder / "generation_config.json").write_text(generation)
        for config in VALUES if generation is None else VALUES[:4]:
            (folder / "config.json").write_text(json.dumps({**base, **json.loads(config)}))
            model = AutoModelForCausalLM.from_pretrained(folder)
            eos = model._prepare_generation_config(None)[0].eos_token_id
            eos = [] if eos is None else eos if isinstance(eos, list) else [eos]
            cases.append({"generation": generation, "config": config, "eos": [i for i in eos if i >= 0]})
lines = ",\n".join(json.dumps(c) for c in cases)
(HERE / "stops.json").write_text(f'{{"transformers": "{transformers.__version__}", "cases": [\n{lines}\n]}}\n')
print(len(cases), "cases")
