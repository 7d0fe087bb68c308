"""A small SentencePiece BPE model as Gemma's are, and the ids that SentencePiece gives: sentencepiece.json.

    python tests/golden/tokenizers/make_sentencepiece.py      # sentencepiece

Trained on corpus.txt with byte fallback; runs of line ends and of blanks are user-defined pieces, no blank stands in front, no
letter is changed. Blanks of user-defined pieces are written as GGUF writes them.
"""

import io
import json
import random
from pathlib import Path

import sentencepiece

HERE = Path(__file__).parent
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
BLANK = "▁"


def main():
    corpus = (HERE / "corpus.txt").read_text(encoding="utf-8").split("\n")
    out = io.BytesIO()
    runs = ["\n" * n for n in range(1, 6)] + [BLANK * n for n in range(2, 8)] + ["\t\t", "<table>", "</table>"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for line in corpus if line]), model_writer=out, model_type="bpe", vocab_size=640,
        byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=runs, normalization_rule_name="identity",
        add_dummy_prefix=False, remove_extra_whitespaces=False, split_digits=True, character_coverage=0.98, num_threads=1,
        minloglevel=2)
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    pieces, scores, types = [], [], []
    for i in range(model.get_piece_size()):
        kind = (CONTROL if model.is_control(i) else UNKNOWN if model.is_unknown(i) else BYTE if model.is_byte(i)
                else USER_DEFINED if model.id_to_piece(i) in runs else NORMAL)
        piece = model.id_to_piece(i)
        pieces.append(piece.replace(BLANK, " ") if kind == USER_DEFINED else piece)
        scores.append(model.get_score(i))
        types.append(CONTROL if kind == UNKNOWN else kind)  # as Gemma's file has it
    rng = random.Random(5)
    texts = [line for line in corpus if line][:120]
    for _ in range(150):
        texts.append("".join(rng.choice(["a", "b", " ", "  ", "\n", "\t", "<table>", "</table>", "é", "ß", "語", "🙂", BLANK, "the", "12", "ing"])
                             for _ in range(rng.randrange(1, 30))))
    texts += [" " * n + "x" + "\n" * n for n in range(1, 20)]
    texts = [text for text in texts if not any(c in text for c in ("<pad>", "<s>", "</s>", "<unk>"))]
    rows = [{"text": text, "ids": model.encode(text)} for text in texts]
    (HERE / "sentencepiece.json").write_text(
        json.dumps({"sentencepiece": sentencepiece.__version__, "pieces": pieces, "scores": scores, "types": types, "rows": rows},
                   ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


main()
