#!/usr/bin/env python3
"""Turns a GGUF file of a llama or Gemma 3 model into a Hugging Face folder: config.json, model.safetensors (float32),
tokenizer.json, tokenizer_config.json.

    gguf_to_hf.py FILE.gguf FOLDER

Quantised weights are expanded: the folder holds the model as it was published in that file, not the checkpoint it was made
of. llama.cpp keeps the rows of a llama's q and k with the two halves of each head interleaved (its rotary embedding turns
neighbours), and Gemma's norm weights with 1 added; both are undone here. What this file does not know (another family, scaled
rotary positions, a tensor it has no place for, another tokenizer) is an error: a part left out would be a model with wrong
numbers. Every file appears by rename when it is whole. Needs numpy (Debian's python3-numpy).
"""
import json
import os
import pathlib
import sys

import numpy as np

import sentencepiece_bpe
from gguf import Gguf, GgufError

# A family: tensors of a block in GGUF {name: (its name in Hugging Face, its shape, what is undone)}, keys under the family's name
# that are known, and what its config.json says beside the sizes. Undone: "H", "G": interleaved rows of so many heads; "1": 1 added.
SIZES = """block_count context_length embedding_length feed_forward_length attention.head_count attention.head_count_kv
           attention.key_length attention.value_length attention.layer_norm_rms_epsilon rope.freq_base""".split()
SAME = {"attn_v": ("self_attn.v_proj", "KC", None), "attn_output": ("self_attn.o_proj", "CQ", None), "ffn_gate": ("mlp.gate_proj", "FC", None),
        "ffn_up": ("mlp.up_proj", "FC", None), "ffn_down": ("mlp.down_proj", "CF", None)}
FAMILIES = {
    "llama": {"tensors": {**SAME, "attn_norm": ("input_layernorm", "C", None), "attn_q": ("self_attn.q_proj", "QC", "H"),
                          "attn_k": ("self_attn.k_proj", "KC", "G"), "ffn_norm": ("post_attention_layernorm", "C", None)},
              "final": None, "keys": SIZES + ["rope.dimension_count", "vocab_size"],
              "class": "LlamaForCausalLM", "type": "llama", "config": {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}},
    "gemma3": {"tensors": {**SAME, "attn_norm": ("input_layernorm", "C", "1"), "attn_q": ("self_attn.q_proj", "QC", None),
                           "attn_k": ("self_attn.k_proj", "KC", None), "attn_q_norm": ("self_attn.q_norm", "D", "1"),
                           "attn_k_norm": ("self_attn.k_norm", "D", "1"), "post_attention_norm": ("post_attention_layernorm", "C", "1"),
                           "ffn_norm": ("pre_feedforward_layernorm", "C", "1"), "post_ffw_norm": ("post_feedforward_layernorm", "C", "1")},
               "final": "1", "keys": SIZES + ["attention.sliding_window"],
               "class": "Gemma3ForCausalLM", "type": "gemma3_text",
               "config": {"hidden_activation": "gelu_pytorch_tanh", "attention_bias": False, "rope_local_base_freq": 10000.0}},
}
# The regular expression by which llama.cpp knows SmolLM's tokenizer: each digit alone, then GPT-2's split.
PRE_TOKENIZERS = {"smollm": [{"type": "Digits", "individual_digits": True},
                             {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}],
                  "gpt-2": [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
NORMAL, CONTROL = sentencepiece_bpe.NORMAL, sentencepiece_bpe.CONTROL


def need(metadata, key, kind, default=None):
    """The value of a key: a number (positive), a text or a list of the kind asked for."""
    value = metadata.get(key, default)
    numbers = kind in (int, float)
    if not isinstance(value, kind) or isinstance(value, bool) or (numbers and not 0 < value < 2**40):
        raise GgufError(f"key {key!r}: expected {'a positive ' * numbers}{kind.__name__}, found {'nothing' if value is None else repr(value)[:40]}")
    return value


def family_of(model):
    name = model.metadata.get("general.architecture")
    if name not in FAMILIES:
        raise GgufError(f"expected the family {' or '.join(FAMILIES)}, found {name!r}")
    family = FAMILIES[name]
    if unknown := {key for key in model.metadata if key.startswith(f"{name}.")} - {f"{name}.{key}" for key in family["keys"]}:
        raise GgufError(f"key {min(unknown)!r} is not known here: without it the model would be another")
    return name, family


def sizes(model):
    """The letters of the tensors' shapes, and the numbers of the configuration."""
    m, (family, _) = model.metadata, family_of(model)
    names = {"C": "embedding_length", "F": "feed_forward_length", "H": "attention.head_count", "L": "block_count", "T": "context_length"}
    size = {letter: need(m, f"{family}.{name}", int) for letter, name in names.items()}
    size["G"] = need(m, f"{family}.attention.head_count_kv", int, size["H"])
    size["D"] = need(m, f"{family}.attention.key_length", int, max(1, size["C"] // size["H"]))
    rotary, values = (need(m, f"{family}.{name}", int, size["D"]) for name in ("rope.dimension_count", "attention.value_length"))
    if size["H"] % size["G"] or size["D"] % 2 or rotary != size["D"] or values != size["D"] or size["L"] > len(model.names()):
        raise GgufError(f"expected key heads that divide the heads, an even head width that is the rotary and the values' width, found {size}")
    if family == "gemma3" and size["L"] == 62:
        raise GgufError("Gemma 3 27B (62 blocks) scales its queries by another number than its head width, which no key says")
    size["Q"], size["K"] = size["H"] * size["D"], size["G"] * size["D"]
    size["V"] = len(need(m, "tokenizer.ggml.tokens", list))
    return size


def plan(model, size):
    """[(name in Hugging Face, name in GGUF, what is undone)], every tensor of the file once."""
    name, family = family_of(model)
    rows = [("model.embed_tokens.weight", "token_embd.weight", "VC", None), ("model.norm.weight", "output_norm.weight", "C", family["final"])]
    if "output.weight" in model.names():
        rows.append(("lm_head.weight", "output.weight", "VC", None))
    for l in range(size["L"]):
        rows += [(f"model.layers.{l}.{to}.weight", f"blk.{l}.{key}.weight", shape, undo) for key, (to, shape, undo) in family["tensors"].items()]
    have = set(model.names())
    for _, key, shape, _ in rows:
        expected = tuple(size[letter] for letter in shape)
        if key not in have:
            raise GgufError(f"expected a tensor {key!r}, found none")
        if model.shape(key) != expected:
            raise GgufError(f"tensor {key!r}: expected shape {expected}, found {model.shape(key)}")
    if extra := have - {key for _, key, _, _ in rows}:
        raise GgufError(f"tensor {min(extra)!r} has no place in the family {name} as known here")
    return [(to, key, undo) for to, key, _, undo in sorted(rows)]


def undone(x, undo, size):
    if undo is None:
        return x
    return x - np.float32(1) if undo == "1" else straight(x, size[undo])


def straight(x, heads):
    """Rows of a head from pairs (0, D/2), (1, D/2 + 1), ... back to 0, 1, ..., D - 1."""
    return x.reshape(heads, x.shape[0] // heads // 2, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)


def whole(path, write):
    """The file appears under its name when write(file) has written all of it and it is on the disk."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write does not know its file
        raise


def write_json(path, value, **how):
    whole(path, lambda file: file.write(json.dumps(value, ensure_ascii=False, **how).encode()))


def write_weights(path, model, rows, size):
    """safetensors: the header's length, the header, the tensors one behind the other. One tensor is in memory at a time."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, key, _ in rows:
        n = 4 * int(np.prod(model.shape(key), dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(model.shape(key)), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(file):
        file.write(len(text).to_bytes(8, "little") + text)
        for _, key, undo in rows:
            x = model.tensor(key)
            if not np.isfinite(x).all():
                raise GgufError(f"tensor {key!r} holds a NaN or an infinity")
            file.write(np.ascontiguousarray(undone(x, undo, size), "<f4").tobytes())

    whole(path, write)


def config(model, size):
    m, (name, family) = model.metadata, family_of(model)
    out = {"architectures": [family["class"]], "model_type": family["type"], "vocab_size": size["V"], "hidden_size": size["C"],
           "intermediate_size": size["F"], "num_hidden_layers": size["L"], "num_attention_heads": size["H"],
           "num_key_value_heads": size["G"], "head_dim": size["D"], "max_position_embeddings": size["T"],
           "rms_norm_eps": round(need(m, f"{name}.attention.layer_norm_rms_epsilon", float), 9),
           "rope_theta": need(m, f"{name}.rope.freq_base", float), **family["config"],
           "tie_word_embeddings": "output.weight" not in model.names(), "torch_dtype": "float32"}
    if name == "gemma3":  # what no key says: every sixth block sees all, and queries are scaled by their width
        out |= {"sliding_window": need(m, "gemma3.attention.sliding_window", int), "query_pre_attn_scalar": size["D"],
                "layer_types": ["sliding_attention" if (l + 1) % 6 else "full_attention" for l in range(size["L"])]}
    for key, name in (("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id"), ("pad_token_id", "padding_token_id")):
        if (token := token_of(m, name, size)) is not None:
            out[key] = token
    return out


def token_of(m, name, size):
    token = m.get(f"tokenizer.ggml.{name}")
    if token is not None and (not isinstance(token, int) or not 0 <= token < size["V"]):
        raise GgufError(f"tokenizer.ggml.{name}: expected a token of {size['V']}, found {token!r}")
    return token


def tokenizer(model, size):
    m = model.metadata
    tokens, types = (need(m, f"tokenizer.ggml.{name}", list) for name in ("tokens", "token_type"))
    if not all(isinstance(x, str) for x in tokens) or len(set(tokens)) != len(tokens) or len(types) != len(tokens):
        raise GgufError("expected tokens that differ, all of them texts, and a type for each, found others")
    kinds = {"gpt2": byte_level, "llama": sentencepiece}
    if m.get("tokenizer.ggml.model") not in kinds:
        raise GgufError(f"expected a tokenizer of the kind {' or '.join(kinds)}, found {m.get('tokenizer.ggml.model')!r}")
    return kinds[m["tokenizer.ggml.model"]](m, size, tokens, types)


def sentencepiece(m, size, tokens, types):
    """Gemma's: no blank in front, and no text is changed but for blanks."""
    scores, unknown, bos = need(m, "tokenizer.ggml.scores", list), token_of(m, "unknown_token_id", size), token_of(m, "bos_token_id", size)
    extra = {name: m.get(f"tokenizer.ggml.{name}") for name in ("add_space_prefix", "add_eos_token", "remove_extra_whitespaces", "precompiled_charsmap")}
    if any(extra.values()) or extra["add_space_prefix"] is None or unknown is None or bos is None:
        raise GgufError("expected a SentencePiece tokenizer as Gemma's, which puts no blank and no eos on a text and changes no letter, found "
                        f"{ {name: value if isinstance(value, (bool, type(None))) else '...' for name, value in extra.items()} }")
    known = {NORMAL, CONTROL, sentencepiece_bpe.UNKNOWN, sentencepiece_bpe.USER_DEFINED, sentencepiece_bpe.BYTE}
    if len(scores) != len(tokens) or set(types) - known or not all(isinstance(x, float) and x == x for x in scores):
        raise GgufError(f"expected a score and a known type for each of {len(tokens)} pieces, found others")
    return sentencepiece_bpe.tokenizer(tokens, scores, types, unknown, bos if m.get("tokenizer.ggml.add_bos_token", True) else None)


def byte_level(m, size, tokens, types):
    merges = need(m, "tokenizer.ggml.merges", list)
    if m.get("tokenizer.ggml.pre") not in PRE_TOKENIZERS or m.get("tokenizer.ggml.add_bos_token", False):
        raise GgufError("expected a byte-level BPE tokenizer as SmolLM's or GPT-2's, without bos in front, found "
                        f"{m.get('tokenizer.ggml.model')!r}, {m.get('tokenizer.ggml.pre')!r}")
    if not all(isinstance(x, str) for x in merges):
        raise GgufError("expected merges, all of them texts, found others")
    if set(types) - {NORMAL, CONTROL}:
        raise GgufError(f"expected a type for each of {len(tokens)} tokens, normal or control, found others")
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, (token, kind) in enumerate(zip(tokens, types)) if kind == CONTROL]
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[m["tokenizer.ggml.pre"]]},
            "post_processor": None, "decoder": decoder,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}}


def tokenizer_config(model, settings):
    m, tokens = model.metadata, model.metadata["tokenizer.ggml.tokens"]
    kinds = {"gpt2": {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}, "llama": {"tokenizer_class": "GemmaTokenizer"}}
    out = {**kinds[m["tokenizer.ggml.model"]], "model_max_length": settings["max_position_embeddings"]}
    out.update({name: tokens[settings[f"{name}_id"]] for name in ("bos_token", "eos_token", "pad_token") if f"{name}_id" in settings})
    unknown = m.get("tokenizer.ggml.unknown_token_id")
    if isinstance(unknown, int) and 0 <= unknown < len(tokens):
        out["unk_token"] = tokens[unknown]
    if isinstance(m.get("tokenizer.chat_template"), str):
        out["chat_template"] = m["tokenizer.chat_template"]
    return out


def convert(data, folder):
    """data: the bytes of a GGUF file. Writes the folder's four files, the weights last."""
    model = Gguf(data)
    size = sizes(model)
    rows, settings, words = plan(model, size), config(model, size), tokenizer(model, size)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", settings, indent=1)
    write_json(folder / "tokenizer.json", words)
    write_json(folder / "tokenizer_config.json", tokenizer_config(model, settings), indent=1)
    write_weights(folder / "model.safetensors", model, rows, size)


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        convert(pathlib.Path(sys.argv[1]).read_bytes(), sys.argv[2])
    except (GgufError, OSError) as error:
        print(f"gguf_to_hf: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
