"""Tiny Unigram, WordPiece and affixed BPE tokenizers, and what PyPI `tokenizers` makes of the hard texts.

    python tests/golden/tokenizers/make_models.py [STYLE ...]      # tokenizers, transformers, sentencepiece

Writes <style>/tokenizer.json and <style>/expected.json as generate.py does. The map of `Precompiled` is a small one that
SentencePiece compiles of rules of ours: the published ones are 300 KiB each (make_pieces.py has one). The trainers are not the
same twice: name the styles that are to be made again.
"""
import base64
import io
import json
import pathlib
import sys
import tempfile
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from generate import BLD, CORPUS, HERE, META, bl, build, chain, metaspace, of_tokenizer, split, template, token, write
from texts import TEXTS

CHARACTERS = sorted({c for text in TEXTS for c in text if unicodedata.normalize("NFKC", c) != c})
MORE = {"e\u0301": "\u00e9", "a\u0323\u0307": "\u1ea1\u0307", "...": "\u2026", "don": "Don", "\u200d": " ", "\u00ad": "", "a\u0307\u0323": "\u1ea1\u0307",
        "\t": " ", "\n": " ", "\r": " ", "\u2028": " ", "\u200b": " ", "\ufeff": "", "\u00a0\u00a0": "  ", "\u0301": "'"}


def rules():
    pairs = {c: unicodedata.normalize("NFKC", c) for c in CHARACTERS} | MORE
    spell = lambda s: " ".join(f"{ord(c):X}" for c in s)
    return "".join(f"{spell(a)}\t{spell(b)}\n" for a, b in sorted(pairs.items()))


def precompiled():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rules.tsv")
        path.write_text(rules())
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for line in CORPUS if line.strip()), model_writer=out, vocab_size=200, character_coverage=0.98,
            normalization_rule_tsv=str(path), num_threads=1, minloglevel=2, hard_vocab_limit=False)
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()}


def wordpiece(size=220, lower=True, **options):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    lines = [line.lower() if lower else line for line in CORPUS]
    t.train_from_iterator(lines, trainers.WordPieceTrainer(
        vocab_size=size, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        continuing_subword_prefix=options.get("continuing_subword_prefix", "##"), limit_alphabet=60))
    return {**json.loads(t.to_str())["model"], **options}


def unigram(first=("<unk>", "<s>", "</s>"), size=200, **options):
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=size, show_progress=False, special_tokens=list(first), unk_token="<unk>"))
    return {**json.loads(t.to_str())["model"], "unk_id": list(first).index("<unk>"), **options}


def affixed(affix, special, **options):
    t = Tokenizer(models.BPE(unk_token=options.get("unk_token")))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator([line.lower() for line in CORPUS], trainers.BpeTrainer(
        vocab_size=260, show_progress=False, special_tokens=special, limit_alphabet=50, **affix))
    return {**json.loads(t.to_str())["model"], **options}


BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
BERT_ADDED = [token(0, "[PAD]"), token(1, "[UNK]"), token(2, "[CLS]"), token(3, "[SEP]"), token(4, "[MASK]", lstrip=True)]
BERT_ENDS = ([("[CLS]", 2)], [("[SEP]", 3)])
WORDPIECE = {"type": "WordPiece", "prefix": "##", "cleanup": True}
SP = [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")]
METASPACE = metaspace("always", True)


def wordpiece_styles():
    yield "bert", build(wordpiece(), BERT_ADDED, BERT, {"type": "BertPreTokenizer"}, template(*BERT_ENDS), WORDPIECE)
    yield "bert-cased", build(
        wordpiece(lower=False, max_input_chars_per_word=12), BERT_ADDED, {**BERT, "lowercase": False, "strip_accents": False},
        {"type": "BertPreTokenizer"}, {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        {**WORDPIECE, "cleanup": False})
    yield "wordpiece-affix", build(
        wordpiece(continuing_subword_prefix="@@"), BERT_ADDED, {**BERT, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False},
        chain("Pre", {"type": "WhitespaceSplit"}), None, {**WORDPIECE, "prefix": "@@"})


def unigram_styles():
    charsmap = precompiled()
    t5 = unigram(("<pad>", "</s>", "<unk>"))
    yield "t5", build(t5, [token(0, "<pad>"), token(1, "</s>"), token(2, "<unk>")], chain(
        "Normalizer", charsmap, {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": META}), METASPACE, template([], [("</s>", 1)]), METASPACE)
    yield "xlm-roberta", build(unigram(), SP, charsmap, chain("Pre", {"type": "WhitespaceSplit"}, METASPACE),
                               template([("<s>", 1)], [("</s>", 2)]), METASPACE)
    yield "unigram-old", build({k: v for k, v in unigram().items() if k not in ("type", "byte_fallback")}, SP, {"type": "NFKC"},
                               metaspace("first", False), None, METASPACE)
    fallback = unigram(("<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))), 420, byte_fallback=True)
    yield "unigram-bytes", build(fallback, SP, {"type": "Replace", "pattern": {"String": " "}, "content": META}, None, None, chain(
        "Decoder", {"type": "Replace", "pattern": {"String": META}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}))
    twice = unigram()
    for i, (piece, score) in enumerate(twice["vocab"][5::4]):  # the last one counts: better and worse scores, letters and longer ones
        twice["vocab"].append([piece, score + (-3, 0, 1.5)[i % 3]])
    twice["vocab"] += [["<unk>", -9.5], ["the", -1.25], ["the", -40.0], ["</s>", 0.0]]
    ends = [SP[1], token(len(twice["vocab"]) - 1, "</s>")]  # an added token has the id by which its text is found
    yield "unigram-twice", build(twice, ends, charsmap, METASPACE, template([("<s>", 1)]), METASPACE)
    some = unigram(("<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(0x80, 0xC8))), 250, byte_fallback=True)
    yield "unigram-some-bytes", build(some, SP, charsmap, METASPACE, None, METASPACE)


def affix_styles():
    gpt = affixed({"end_of_word_suffix": "</w>"}, ["<unk>"], unk_token="<unk>")
    yield "openai-gpt", build(gpt, [token(0, "<unk>")], BERT, {"type": "BertPreTokenizer"}, None,
                              {"type": "BPEDecoder", "suffix": "</w>"})
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ends = {"end_of_word_suffix": "</w>"}
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=620, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **ends))
    clip = json.loads(t.to_str())["model"]
    for c in sorted(pre_tokenizers.ByteLevel.alphabet()):
        clip["vocab"].setdefault(c + "</w>", len(clip["vocab"]))
    n = len(clip["vocab"])
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    yield "clip", build(clip, [token(n, "<s>"), token(n + 1, "<|endoftext|>")], chain(
        "Normalizer", {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Lowercase"}),
        chain("Pre", split(words, "Removed", True), bl(regex=False)),
        {"type": "RobertaProcessing", "sep": ["<|endoftext|>", n + 1], "cls": ["<s>", n], "trim_offsets": False, "add_prefix_space": False}, BLD)
    both = affixed({"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}, ["<unk>"], unk_token="<unk>", fuse_unk=True)
    yield "bpe-affixes", build(both, [token(0, "<unk>")], BERT, {"type": "BertPreTokenizer"}, None, {"type": "BPEDecoder", "suffix": "</w>"})
    prefix = affixed({"continuing_subword_prefix": "##"}, [], byte_fallback=True, ignore_merges=True)
    for b in [*range(0x20, 0x40), 0x7C, *range(0x80, 0xF5)]:
        prefix["vocab"][f"<0x{b:02X}>"] = len(prefix["vocab"])
    yield "bpe-prefix", build(prefix, [], BERT, {"type": "WhitespaceSplit"}, None, None)


def main():
    for name, spec in [*wordpiece_styles(), *unigram_styles(), *affix_styles()]:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        write(HERE / name / "tokenizer.json", spec)
        write(HERE / name / "expected.json", of_tokenizer(Tokenizer.from_str(json.dumps(spec))))


if __name__ == "__main__":
    main()
