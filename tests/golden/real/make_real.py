"""What transformers and SentencePiece say of the two real models that come with pip: smollm2.json, gemma3.json, beside this file.

    OMP_NUM_THREADS=2 python make_real.py SMOLLM2 GEMMA3 GEMMA.gguf    # torch, transformers, sentencepiece, numpy; 4 GB of memory

SMOLLM2 and GEMMA3 are folders as experiments/data/fetch-smollm2 and fetch-gemma3 make them; GEMMA.gguf is the file that
the second was made from. float32, eager attention, each text by itself. No weights are kept here, only what follows from them:

  prompts[]                   text, and of it:
    ids                       with bos, where there is one; Gemma's by SentencePiece
    best [10], log_p [10]     the likeliest next tokens and their log-probabilities
    logit                     of the likeliest
    states.<layer>            at position `last`, and `mean`, of the tokens without the first: the vector's norm, and PARTS of its values
  greedy[]                    prompt, ids and text that come before eos, margin: the least difference of the two largest logits on the way
  lines[]                     Gemma's: a text and its ids by SentencePiece
"""
import json
import pathlib
import random
import sys

import numpy as np
import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2 as proto

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path[:0] = [str(ROOT / "experiments" / "data"), str(HERE.parent / "tokenizers")]
import gguf  # noqa: E402
import texts  # noqa: E402

PARTS, BEST = 8, 10
CORPUS = (HERE.parent / "tokenizers" / "corpus.txt").read_text(encoding="utf-8")
STORY = "".join(f"On day {i} the keeper of the lighthouse wrote in her book that the wind came from the {w} and the lamp burned {n} hours.\n"
                for i, (w, n) in enumerate(zip(["north", "south-west", "east", "west", "north-east", "south"] * 3, range(5, 23)), 1))
PROMPTS = ["The capital of France is", "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
           "Die Hauptstadt von Österreich ist Wien. 日本の首都は東京です。 La capitale de l'Italie est", STORY + "The lamp burned longest on day"]
GREEDY = ["The capital of France is", "1, 2, 3, 4, 5, 6,"]
CHAT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
LAYERS = {"smollm2": [0, 1, 10, 20, 29, 30, "final_norm"], "gemma3": [0, 1, 5, 6, 12, 17, 18, "final_norm"]}
NEW = 12


def short(x):
    return [float(f"{v:.7g}") for v in np.asarray(x, np.float64).ravel()]


def layer_name(layer):
    return layer if isinstance(layer, str) else f"{layer:02d}"


def states(model, ids):
    """(logits of the last position, {layer: [T, C]}): hidden_states' last one is behind the final norm, the block's own comes from a hook."""
    last = {}
    hook = model.model.layers[-1].register_forward_hook(lambda m, a, out: last.update(x=out[0] if isinstance(out, tuple) else out))
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True, logits_to_keep=1)
    hook.remove()
    hidden = [h[0].double().numpy() for h in out.hidden_states]
    named = {layer_name(i): h for i, h in enumerate(hidden[:-1])}
    named[layer_name(len(hidden) - 1)], named["final_norm"] = last["x"].reshape(hidden[0].shape).double().numpy(), hidden[-1]
    return out.logits[0, -1].double().numpy(), named


def prompt_row(model, name, text, ids):
    logits, hidden = states(model, ids)
    log_p = logits - np.logaddexp.reduce(logits)
    best = np.argsort(-logits, kind="stable")[:BEST]
    where = {"last": lambda h: h[-1], "mean": lambda h: h[1:].mean(axis=0)}
    step = next(iter(hidden.values())).shape[1] // PARTS
    kept = {layer_name(layer): {key: {"norm": short(np.linalg.norm(at(hidden[layer_name(layer)])))[0], "parts": short(at(hidden[layer_name(layer)])[::step][:PARTS])}
                                for key, at in where.items()} for layer in LAYERS[name]}
    return {"text": text, "ids": ids, "best": best.tolist(), "log_p": short(log_p[best]), "logit": short(logits[best[0]])[0], "states": kept}


def greedy_row(model, decode, prompt, ids):
    out, margin = [], np.inf
    for _ in range(NEW):
        with torch.no_grad():
            top = torch.topk(model(torch.tensor([ids + out]), logits_to_keep=1).logits[0, -1], 2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        if int(top.indices[0]) == model.config.eos_token_id:
            break
        out.append(int(top.indices[0]))
    return {"prompt": prompt, "ids": out, "text": decode(out), "margin": short(margin)[0]}


def gemma_pieces(path):
    """SentencePiece's own model of the file's pieces and scores. Beyond the first four, control pieces are found in a text as
    user-defined ones are, which is what a tokenizer.json does with them; GGUF has their blanks as blanks."""
    m = gguf.Gguf(path.read_bytes()).metadata
    out = proto.ModelProto()
    for i, (piece, score, kind) in enumerate(zip(*(m[f"tokenizer.ggml.{key}"] for key in ("tokens", "scores", "token_type")))):
        kind = 2 if i == 3 else 4 if kind == 3 and i > 3 else kind
        out.pieces.add(piece=piece.replace(" ", "▁"), score=score, type=kind)
    t, n = out.trainer_spec, out.normalizer_spec
    t.model_type, t.vocab_size, t.byte_fallback = t.BPE, len(out.pieces), True
    t.unk_id, t.bos_id, t.eos_id, t.pad_id = 3, 2, 1, 0
    t.unk_piece, t.bos_piece, t.eos_piece, t.pad_piece = "<unk>", "<bos>", "<eos>", "<pad>"
    n.name, n.add_dummy_prefix, n.remove_extra_whitespaces, n.escape_whitespaces = "identity", False, False, True
    return sentencepiece.SentencePieceProcessor(model_proto=out.SerializeToString())


def gemma_lines():
    """Hard texts, a corpus, and mixtures of what Gemma has pieces of its own for: runs of blanks and line ends, tags, digits."""
    rng, out = random.Random(12), [text for text in texts.TEXTS if text and not any(x in text for x in ("<bos>", "<eos>", "<pad>", "<unk>"))]
    out += [line for line in CORPUS.split("\n") if line] + PROMPTS + GREEDY
    words = ["the", "ing", "Water", " ", "  ", "      ", "\n", "\n\n", "\t", "<table>", "</h1>", "<unused3>", "<start_of_turn>", "12", "é", "ß", "水", "東京",
             "🙂", "👩🏽‍🚀", "नमस्ते", "مرحبا", "שלום", "слово", "ǅ", "\u2581", "\u0301", "\ufffd", "\U00010348", "x²", "''", "...", "://", "_"]
    out += ["".join(rng.choice(words) for _ in range(rng.randrange(1, 40))) for _ in range(150)]
    planes = [(0x20, 0x7f), (0xa0, 0x24f), (0x370, 0x52f), (0x600, 0x6ff), (0x900, 0xdff), (0x2000, 0x2bff), (0x3040, 0x30ff), (0x4e00, 0x9fff),
              (0xac00, 0xd7a3), (0x1f300, 0x1faff), (0xe000, 0xe0ff)]
    out += ["".join(chr(rng.randrange(*rng.choice(planes))) for _ in range(rng.randrange(1, 60))) for _ in range(60)]
    return out


def model_file(name, folder, encode, decode, extra):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    prompts = PROMPTS + ([CHAT] if name == "smollm2" else [])
    chat = GREEDY + ([CHAT] if name == "smollm2" else [])
    rows = {"made_by": {"transformers": transformers.__version__, "torch": torch.__version__, "sentencepiece": sentencepiece.__version__},
            "prompts": [prompt_row(model, name, text, encode(text)) for text in prompts],
            "greedy": [greedy_row(model, decode, text, encode(text)) for text in chat], **extra}
    (HERE / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace('},{"', '},\n{"') + "\n", encoding="utf-8")
    print(name, [len(row["ids"]) for row in rows["prompts"]], [(row["text"], row["margin"]) for row in rows["greedy"]])


def main():
    smollm2, pieces = transformers.AutoTokenizer.from_pretrained(sys.argv[1]), gemma_pieces(pathlib.Path(sys.argv[3]))
    model_file("smollm2", sys.argv[1], lambda s: smollm2.encode(s, add_special_tokens=False), smollm2.decode, {})
    model_file("gemma3", sys.argv[2], lambda s: [2] + pieces.encode(s), pieces.decode,
               {"lines": [{"text": text, "ids": pieces.encode(text)} for text in gemma_lines()]})


main()
