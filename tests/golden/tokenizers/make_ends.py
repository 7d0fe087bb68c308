"""bos, eos and what a class adds, by transformers: what test_ends.c compares with.

    python make_ends.py            (writes ends/ beside this file; ends/cases.json records the versions)

Three tokenizers (a byte-level BPE as tokenizer.json and as vocab.json + merges.txt, a BPE with Metaspace) under every
way to say, or not to say, a class and its special tokens. A case that transformers refuses is left out.
"""

import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).parent / "ends"
TEXT = "ab<|endoftext|></s><x>"

CONFIGS = {
    "no file": None,
    "empty": {},
    "length alone": {"model_max_length": 1024},
    "both null": {"eos_token": None, "bos_token": None},
    "eos": {"eos_token": "<x>"},
    "add_bos": {"add_bos_token": True},
    "add_bos, bos": {"add_bos_token": True, "bos_token": "<x>"},
    "GPT2": {"tokenizer_class": "GPT2Tokenizer"},
    "GPT2Fast": {"tokenizer_class": "GPT2TokenizerFast"},
    "GPT2, add_bos": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True},
    "GPT2, eos null": {"tokenizer_class": "GPT2Tokenizer", "eos_token": None},
    "GPT2, eos": {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<x>"},
    "GPT2, eos new": {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<new>"},
    "GPTNeoX": {"tokenizer_class": "GPTNeoXTokenizer"},
    "Qwen2": {"tokenizer_class": "Qwen2Tokenizer"},
    "Llama": {"tokenizer_class": "LlamaTokenizer"},
    "LlamaFast": {"tokenizer_class": "LlamaTokenizerFast"},
    "Llama, eos": {"tokenizer_class": "LlamaTokenizer", "eos_token": "<x>"},
    "Llama, eos null": {"tokenizer_class": "LlamaTokenizer", "eos_token": None},
    "generic": {"tokenizer_class": "PreTrainedTokenizerFast"},
    "generic, eos": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<x>"},
}
SPECIAL = {"eos_token": "<x>"}


def save_tokenizers():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    for token in ("ab", "<|endoftext|>", "<s>", "</s>", "<x>", "<unk>"):
        vocab[token] = len(vocab)
    (HERE / "vocab.json").write_text(json.dumps(vocab))
    (HERE / "merges.txt").write_text("#version: 0.2\na b\n")
    byte = Tokenizer(models.BPE(vocab=vocab, merges=[("a", "b")]))
    byte.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte.decoder = decoders.ByteLevel()
    byte.save(str(HERE / "byte.json"), pretty=False)
    names = ("<unk>", "<s>", "</s>", "<x>", "▁", "a", "b", "ab", "<|endoftext|>", *"<>|/dnefotxs")
    meta = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(names)}, merges=[("a", "b")], fuse_unk=True,
                                byte_fallback=True, unk_token="<unk>"))
    meta.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    meta.save(str(HERE / "meta.json"), pretty=False)


def case(kind, model_type, config, special):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if kind == "files":
            shutil.copy(HERE / "vocab.json", folder)
            shutil.copy(HERE / "merges.txt", folder)
        else:
            shutil.copy(HERE / f"{kind}.json", folder / "tokenizer.json")
        out = {"kind": kind}
        for key, name, value in (("model", "config.json", model_type and {"model_type": model_type}),
                                 ("config", "tokenizer_config.json", config),
                                 ("special", "special_tokens_map.json", special)):
            if value is not None:
                out[key] = json.dumps(value)
                (folder / name).write_text(out[key])
        t = AutoTokenizer.from_pretrained(folder)
        out["class"] = type(t).__name__
        out["bos"], out["eos"] = t.bos_token_id, t.eos_token_id
        out["ids"] = t(TEXT)["input_ids"]
        return out


save_tokenizers()
cases = []
for kind in ("byte", "files", "meta"):
    for model_type in (None, "gpt2", "llama"):
        if kind == "meta" and model_type == "gpt2":
            continue
        for name, config in CONFIGS.items():
            for special in (None, SPECIAL):
                if kind == "meta" and "GPT" in name + str(config) or kind == "meta" and "Qwen2" in name:
                    continue  # transformers rebuilds these as byte-level, whatever the file
                if kind == "files" and "Llama" in name:
                    continue  # not a byte-level BPE there: plumb refuses it
                try:
                    cases.append(case(kind, model_type, config, special))
                except Exception as error:
                    print(kind, model_type, name, "refused:", str(error)[:60].replace("\n", " "))
versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
(HERE / "cases.json").write_text(f'{{"versions": {json.dumps(versions)}, "text": {json.dumps(TEXT)}, "cases": [\n{lines}\n]}}\n')
print(len(cases), "cases")
