"""Tiny SentencePiece models, and what PyPI `sentencepiece` makes of the hard texts and of drawn ids.

    python tests/golden/tokenizers/make_pieces.py      # sentencepiece

Writes pieces/<style>/tokenizer.model and pieces/<style>/expected.json:
  ids    ids of each text of pieces/texts.json
  text   those ids decoded
  drawn  [[ids, what they are decoded to], ...]
"""
import io
import json
import pathlib
import random
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from make_models import rules
from texts import TEXTS

HERE = pathlib.Path(__file__).parent / "pieces"
LINES = [line for line in (HERE.parent / "corpus.txt").read_text().split("\n") if line]
BLANK = "\u2581"
UNUSED = 5
RUNS = [BLANK * n for n in range(2, 6)] + ["\n", "\n\n", "<table>", "the", "xyz", "<tab"]


def train(edit=None, **options):
    out = io.BytesIO()
    base = dict(sentence_iterator=iter(LINES), model_writer=out, vocab_size=260, character_coverage=0.99, num_threads=1,
                minloglevel=2, hard_vocab_limit=False)
    sentencepiece.SentencePieceTrainer.train(**{**base, **options})
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    model.trainer_spec.ClearField("input")
    if edit:
        edit(model)
    return model.SerializeToString()


def unused(model):
    """As a restricted vocabulary has it: merges go through these, no text keeps them."""
    for i, piece in enumerate(p for p in model.pieces if p.type == 1 and len(p.piece) > 1):
        if i % 3 == 0:
            piece.type = UNUSED


def unescaped(model):
    model.normalizer_spec.escape_whitespaces = False
    for piece in model.pieces:
        if piece.type == 1 and piece.piece != BLANK:
            piece.piece = piece.piece.replace(BLANK, " ")


def strange(model):
    """Parts that are no pieces themselves, equal scores, and an unknown that is shown in another way."""
    model.trainer_spec.unk_surface = "<?>"
    for piece in model.pieces:
        if piece.type == 1:
            piece.score = -float(len(piece.piece) % 3)
    gone = [i for i, p in enumerate(model.pieces) if p.type == 1 and p.piece in ("h", "o", "n")]
    for i in reversed(gone):
        del model.pieces[i]


def styles():
    with tempfile.TemporaryDirectory() as folder:
        tsv = pathlib.Path(folder, "rules.tsv")
        tsv.write_text(rules())
        small = {"normalization_rule_tsv": str(tsv)}
        plain = {"normalization_rule_name": "identity"}
        yield "gemma", train(model_type="bpe", vocab_size=420, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
                             user_defined_symbols=RUNS, add_dummy_prefix=False, remove_extra_whitespaces=False, split_digits=True, **plain)
        yield "llama", train(model_type="bpe", vocab_size=420, byte_fallback=True, remove_extra_whitespaces=False, **plain)
        yield "bpe", train(model_type="bpe", user_defined_symbols=["the", "<tab", "caf\u00e9"], control_symbols=["<mask>"], **small)
        yield "unused", train(unused, model_type="bpe", **small)
        yield "strange", train(strange, model_type="bpe", add_dummy_prefix=False, **plain)
        yield "nmt-nfkc", train(model_type="unigram", user_defined_symbols=RUNS, control_symbols=["<mask>", "<a>"])
        yield "bytes", train(model_type="unigram", vocab_size=440, byte_fallback=True, treat_whitespace_as_suffix=True, **small)
        yield "kept", train(unused, model_type="unigram", remove_extra_whitespaces=False, **small)
        yield "unescaped", train(unescaped, model_type="unigram", add_dummy_prefix=False, **small)


def texts():
    rng = random.Random(5)
    bits = ["a", "b", " ", "  ", "\n", "\t", "<table>", "<tab", "\u00e9", "e\u0301", "\ufb01", "...", "\u8a9e", "\U0001f642", BLANK, "the", "12",
            "ing", "xyz", "\u3000", "\u00a0", "<s>", "<unk>", "hon", "ono"]
    return TEXTS + LINES[:10] + ["".join(rng.choice(bits) for _ in range(rng.randrange(1, 25))) for _ in range(80)]


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    rng, all_texts = random.Random(7), texts()
    write(HERE / "texts.json", all_texts)
    for name, model in styles():
        p = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = [p.encode(text) for text in all_texts]
        n = p.get_piece_size()
        drawn = [[rng.choice([rng.randrange(n), rng.randrange(n), *rng.choice(ids)[:1]]) for _ in range(rng.randrange(1, 9))]
                 for _ in range(80)]
        path = HERE / name / "tokenizer.model"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model)
        write(path.parent / "expected.json", {"sentencepiece": sentencepiece.__version__, "ids": ids, "text": [p.decode(i) for i in ids],
                                              "drawn": [[d, p.decode(d)] for d in drawn]})


main()
