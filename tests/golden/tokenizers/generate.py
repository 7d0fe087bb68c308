"""Golden values of tokenizers: a small tokenizer of every style, and what PyPI `tokenizers` makes of the hard texts.

    python generate.py [folder of real tokenizers]

Writes <style>/tokenizer.json (or the files that the style has instead) and <style>/expected.json:
  ids      ids of each text without special tokens
  special  what stands in front of every text's ids and behind them with special tokens: [[...], [...]]
  text     {place: ids decoded, special tokens kept}, where that is not the text itself
  skip     {place: special ids decoded, special tokens skipped}, where that is not as above
and, with a folder of real tokenizers, expected/<name>.json for each of them (ids of our texts; their files stay out).
Versions: VERSIONS.txt, written by this script. Styles made of vocab.json and merges.txt, or that have a
tokenizer_config.json, come from transformers.
"""
import copy
import json
import pathlib
import shutil
import sys

import tokenizers
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from texts import TEXTS

HERE = pathlib.Path(__file__).parent
CORPUS = (HERE / "corpus.txt").read_text().splitlines(keepends=True)
R2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
R3 = R2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"


def byte_model(n_merges=44):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=256 + n_merges, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return json.loads(t.to_str())["model"]


def char_model(specials, size=370, fallback=True):
    """SentencePiece's layout: specials, <0x00> to <0xFF>, characters, merges."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    first = list(specials) + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=first, limit_alphabet=48))
    model = json.loads(t.to_str())["model"]
    model.update(unk_token=specials[0], fuse_unk=True, byte_fallback=fallback)
    return model


def token(i, content, **flags):
    base = dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return {**base, **flags}


def plain(i, content, **flags):
    return token(i, content, **{"special": False, "normalized": True, **flags})


def template(before=(), after=()):
    special = [{"SpecialToken": {"id": t, "type_id": 0}} for t, _ in before]
    behind = [{"SpecialToken": {"id": t, "type_id": 0}} for t, _ in after]
    one = special + [{"Sequence": {"id": "A", "type_id": 0}}] + behind
    return {"type": "TemplateProcessing", "single": one, "pair": one + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (*before, *after)}}


def bl(prefix=False, regex=True, trim=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def chain(kind, *parts):
    name = {"Normalizer": "normalizers", "Pre": "pretokenizers", "Decoder": "decoders", "Post": "processors"}[kind]
    return {"type": "Sequence", name: list(parts)}


def build(model, added=(), normalizer=None, pre=None, post=None, decoder=None):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added),
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model}


def strings(model):
    """Merges the way files had them before tokenizers 0.20."""
    return {**model, "merges": [" ".join(m) for m in model["merges"]]}


def more(model, *texts):
    """Tokens that no merge makes."""
    model = copy.deepcopy(model)
    for t in texts:
        model["vocab"][t] = len(model["vocab"])
    return model


BYTES = byte_model()
N = len(BYTES["vocab"])
CHARS = char_model(["<unk>", "<s>", "</s>"])
BLD = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
END = token(N, "<|endoftext|>")
SP = [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")]
META = "\u2581"
SP_DECODER = chain("Decoder", {"type": "Replace", "pattern": {"String": META}, "content": " "},
                   {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
LLAMA_NORMALIZER = chain("Normalizer", {"type": "Prepend", "prepend": META},
                         {"type": "Replace", "pattern": {"String": " "}, "content": META})


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": META, "prepend_scheme": scheme, "split": cut}


def byte_styles():
    yield "gpt2", build(strings(BYTES), [END], None, bl(), bl(trim=False), BLD)
    yield "neox", build(BYTES, [END, token(N + 1, "<|padding|>"), *(plain(N + i, " " * (14 - i)) for i in range(2, 13))],
                        {"type": "NFC"}, bl(), bl(), BLD)
    yield "phi2", build(BYTES, [END, *(plain(N + 1 + i, " " * (15 - i)) for i in range(14)),
                                *(plain(N + 15 + i, "\t" * (9 - i)) for i in range(8))], None, bl(), bl(), BLD)
    yield "opt", build(BYTES, [token(N, "<pad>", normalized=True), token(N + 1, "</s>", normalized=True)], None, bl(),
                       template(before=[("</s>", N + 1)]), BLD)
    yield "qwen2", build(BYTES, [END, token(N + 1, "<|im_start|>")], {"type": "NFC"},
                         chain("Pre", split(R2), bl(regex=False, trim=False)), bl(trim=False), BLD)
    llama3 = more(BYTES, "\u0120TOK", "wordy", "\u0120\u0120\u0120", "1234", "caf\u00c3\u00a9")
    llama3["ignore_merges"] = True
    n = len(llama3["vocab"])
    yield "llama3", build(llama3, [token(n, "<s>"), token(n + 1, "<|endoftext|>")], None,
                          chain("Pre", split(R3), bl(regex=False)), chain("Post", bl(), template([("<s>", n)])), BLD)
    smollm = more(BYTES, "12", "wordy", "aa", "aaa", "aaaa")
    # Equal ranks that overlap (the leftmost goes first), and pairs that are gone before their turn.
    smollm["merges"] += [["a", "a"], ["aa", "a"], ["aa", "aa"]]
    yield "smollm", build(smollm, [token(N + 5, "<|endoftext|>")], None,
                          chain("Pre", {"type": "Digits", "individual_digits": True}, bl()), None, BLD)
    yield "falcon", build(BYTES, [END], None,
                          chain("Pre", {"type": "Punctuation", "behavior": "Contiguous"}, bl(),
                                {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]")), bl(), BLD)
    yield "bloom", build(BYTES, [token(N, "<s>")], None, chain("Pre", split(BLOOM), bl(regex=False)), bl(), BLD)
    yield "cl100k", build(BYTES, [END], None, chain("Pre", split(CL100K, "Removed", True), bl(regex=False)), None, BLD)
    yield "o200k", build(BYTES, [END], None, chain("Pre", split(O200K), bl(regex=False)), None, BLD)
    yield "roberta", build(BYTES, [token(N, "<s>", normalized=True), token(N + 1, "</s>", normalized=True),
                                   token(N + 2, "<mask>", lstrip=True)], None, bl(prefix=True),
                           {"type": "RobertaProcessing", "sep": ["</s>", N + 1], "cls": ["<s>", N],
                            "trim_offsets": True, "add_prefix_space": True}, BLD)
    yield "added", build(BYTES, [
        token(N, "<mask>", lstrip=True, rstrip=True), plain(N + 1, "word", single_word=True),
        plain(N + 2, "Tok"), plain(N + 3, "caf\u00e9"), token(N + 4, "<s>", rstrip=True),
        token(N + 5, "</s>", lstrip=True, special=False), plain(N + 6, "  "), plain(N + 7, "New York", special=True),
        plain(N + 8, "on", normalized=False), plain(N + 9, "one", normalized=False, single_word=True)],
        chain("Normalizer", {"type": "NFD"}, {"type": "Lowercase"}), bl(), template([("<s>", N + 4)], [("</s>", N + 5)]),
        BLD)
    yield "normalized", build(BYTES, [END], chain(
        "Normalizer", {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
        {"type": "Replace", "pattern": {"String": "--"}, "content": "\u2014"}), bl(), None, BLD)
    yield "accents", build(BYTES, [END], chain("Normalizer", {"type": "Nmt"}, {"type": "NFKD"}, {"type": "StripAccents"},
                                               {"type": "Strip", "strip_left": False, "strip_right": True}),
                           chain("Pre", {"type": "WhitespaceSplit"}, bl(prefix=True)), None, BLD)
    yield "behaviours", build(BYTES, [END], None, chain(
        "Pre", split("-", "MergedWithPrevious", kind="String"), split(",", "MergedWithNext", kind="String"),
        split("+", "Contiguous", kind="String"), split("_", "Removed", kind="String"), bl(regex=False)), None, BLD)
    yield "inverted", build(BYTES, [END], None, chain(
        "Pre", split(r"\w+", "MergedWithPrevious", True), split(r"[aeiou]", "MergedWithNext", True),
        split(r"x*", "Isolated"), split(" ", "Contiguous", True, "String"), bl(regex=False)), None, BLD)
    yield "bytes-normalizer", build(BYTES, [END, plain(N + 1, "caf\u00e9 x")], {"type": "ByteLevel"}, split(r"\d"), None, BLD)


def char_styles():
    yield "llama2", build(strings(CHARS), SP, LLAMA_NORMALIZER, None, template([("<s>", 1)]), SP_DECODER)
    yield "llama-first", build(CHARS, [*SP, plain(len(CHARS["vocab"]), "word")], None, metaspace("first", False),
                               template([("<s>", 1)], [("</s>", 2)]), SP_DECODER)
    gemma = char_model(["<pad>", "</s>", "<s>", "<unk>"])
    gemma["unk_token"] = "<unk>"
    yield "gemma", build(gemma, [token(0, "<pad>"), token(1, "</s>"), token(2, "<s>"), token(3, "<unk>")],
                         {"type": "Replace", "pattern": {"String": " "}, "content": META},
                         split(" ", "MergedWithPrevious", kind="String"), template([("<s>", 2)]),
                         chain("Decoder", {"type": "Replace", "pattern": {"String": META}, "content": " "},
                               {"type": "ByteFallback"}, {"type": "Fuse"}))
    yield "metaspace", build(CHARS, SP, None, metaspace("always", True), None,
                             {"type": "Metaspace", "replacement": META, "prepend_scheme": "always", "split": True})
    yield "metaspace-never", build(CHARS, SP, {"type": "Strip", "strip_left": True, "strip_right": False},
                                   metaspace("never", True), None,
                                   {"type": "Metaspace", "replacement": META, "prepend_scheme": "never", "split": True})
    yield "metaspace-old", build(CHARS, SP, {"type": "NFKC"},
                                 chain("Pre", split(r"\d", "Isolated"), metaspace("first", True)), None,
                                 {"type": "Metaspace", "replacement": META, "add_prefix_space": True})
    small = char_model(["<unk>", "<s>", "</s>"], 110, fallback=False)
    yield "unknown-fused", build(small, SP, LLAMA_NORMALIZER, None, None, chain(
        "Decoder", {"type": "Replace", "pattern": {"String": META}, "content": " "},
        {"type": "Strip", "content": " ", "start": 0, "stop": 1}, {"type": "Fuse"}))
    alone = {**small, "fuse_unk": False}
    yield "unknown", build(alone, SP, None, {"type": "Whitespace"}, None, {"type": "Fuse"})
    yield "no-unknown", build({**small, "unk_token": None}, SP, None, {"type": "Punctuation"}, None, None)
    some = more(small, *(f"<0x{b:02X}>" for b in [*range(0x21, 0x60), *range(0x80, 0xBF), 0xC3, 0xE2]))
    yield "some-bytes", build({**some, "byte_fallback": True}, SP, None, metaspace("always", True), None, SP_DECODER)


def ends(encode):
    ids, special = encode("a", False), encode("a", True)
    at = next(i for i in range(len(special)) if special[i:i + len(ids)] == ids)
    return [special[:at], special[at + len(ids):]]


def expected(encode, decode):
    out = {"special": ends(encode), "ids": [], "text": {}, "skip": {}}
    for i, text in enumerate(TEXTS):
        ids, special = encode(text, False), encode(text, True)
        back, skip = decode(ids, False), decode(special, True)
        out["ids"].append(ids)
        assert special == out["special"][0] + ids + out["special"][1]
        if back != text:
            out["text"][i] = back
        if skip != back:
            out["skip"][i] = skip
    return out


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def of_tokenizer(t):
    return expected(lambda s, special: t.encode(s, add_special_tokens=special).ids,
                    lambda ids, skip: t.decode(ids, skip_special_tokens=skip))


def of_transformers(folder, kind=transformers.AutoTokenizer):
    t = kind.from_pretrained(folder)
    return expected(lambda s, special: t(s, add_special_tokens=special)["input_ids"],
                    lambda ids, skip: t.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False))


def save_files(folder, model, **beside):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    for name, value in beside.items():
        write(folder / f"{name}.json", value)


def file_styles():
    """Folders that transformers reads: vocab.json + merges.txt, or a tokenizer_config.json on top of tokenizer.json."""
    gpt2 = more(BYTES, "<|endoftext|>")
    save_files(HERE / "gpt2-files", gpt2)
    yield "gpt2-files", transformers.GPT2Tokenizer
    opt = more(BYTES, "<pad>", "</s>", "<mask>")
    save_files(HERE / "opt-files", opt, tokenizer_config={
        "tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": True,
        "bos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False, "normalized": True, "rstrip": False,
                      "single_word": False},
        "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}, special_tokens_map={
        "bos_token": {"content": "</s>", "lstrip": False, "normalized": True, "rstrip": True, "single_word": False}})
    yield "opt-files", transformers.GPT2Tokenizer
    save_files(HERE / "qwen2-files", BYTES, added_tokens={"<|im_end|>": N + 1, "<|endoftext|>": N, "<tool>": N + 2},
               special_tokens_map={"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
               tokenizer_config={"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|endoftext|>"})
    yield "qwen2-files", transformers.Qwen2Tokenizer
    folder = HERE / "config"
    write(folder / "tokenizer.json", build(BYTES, [END, token(N + 1, "<s>")], None, bl(), template([("<s>", N + 1)]), BLD))
    decoder = {str(i): {k: v for k, v in t.items() if k != "id"} for i, t in
               [(N, token(N, "<|endoftext|>", lstrip=True)), (N + 1, token(N + 1, "<s>", rstrip=True)),
                (N + 2, plain(N + 2, "word", single_word=True)), (N + 3, token(N + 3, "</s>"))]}
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": decoder, "add_bos_token": False,
        "add_eos_token": True, "bos_token": "<s>", "eos_token": "</s>", "extra_special_tokens": ["<mask>", "<|endoftext|>"]})
    yield "config", transformers.AutoTokenizer


def main():
    for name, spec in [*byte_styles(), *char_styles()]:
        shutil.rmtree(HERE / name, ignore_errors=True)
        write(HERE / name / "tokenizer.json", spec)
        write(HERE / name / "expected.json", of_tokenizer(Tokenizer.from_str(json.dumps(spec))))
    for name, kind in file_styles():
        write(HERE / name / "expected.json", of_transformers(str(HERE / name), kind))
    write(HERE / "texts.json", TEXTS)
    for folder in map(pathlib.Path, sys.argv[1:]):
        for path in sorted(p for p in folder.iterdir() if p.is_dir()):
            if (path / "tokenizer.json").exists():
                write(HERE / "expected" / f"{path.name}.json", of_tokenizer(Tokenizer.from_file(str(path / "tokenizer.json"))))
            elif (path / "merges.txt").exists():
                kind = transformers.Qwen2Tokenizer if "qwen" in path.name else transformers.GPT2Tokenizer
                write(HERE / "expected" / f"{path.name}.json", of_transformers(str(path), kind))
    (HERE / "VERSIONS.txt").write_text(f"tokenizers {tokenizers.__version__}\ntransformers {transformers.__version__}\n")


if __name__ == "__main__":
    main()
