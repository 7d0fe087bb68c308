"""Makes boundary.json and windows.json: context and continuation ids, and rolling windows, as lm-evaluation-harness itself
splits texts.

The split is lm_eval's own (HFLM.loglikelihood and loglikelihood_rolling, TemplateLM._encode_pair, HFLM.tok_encode), caught
before a model would run; the tokenizers are those of ../tokenizers. Written with lm_eval 0.4.13, transformers 5.24,
tokenizers 0.23. Run: python make_boundary.py FOLDER
"""
import json
import os
import sys

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedTokenizerFast

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tokenizers")
# folder, bos, eos: what the tokenizer of that folder calls them
TOKENIZERS = [("gpt2", "<|endoftext|>", "<|endoftext|>"), ("llama2", "<s>", "</s>"), ("metaspace", "<s>", "</s>"),
              ("llama3", "<s>", "<|endoftext|>"), ("smollm", "<|endoftext|>", "<|endoftext|>")]
SPACES = ["", " ", "\n", "\t ", "\r", "\f", "\v", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u2009", "\u2028", "\u202f",
          "\u205f", "\u3000", "\u200b", " \u3000\n"]
PAIRS = [("Q: who\nA:", " yes"), ("Q: who\nA:", "yes"), ("Q: who\nA: ", "yes"), ("The ans", "wer is"), ("The th", "e the"),
         ("the th", "en and more"), ("", "yes"), ("", " yes it is"), ("12", "34 and"), ("3.", "14159 is"), ("日本", "語です"),
         ("e\u0301", "\u0301 accents"), ("word", "s and words"), ("new\n", "\nline"), ("a", "b c d"), ("in the mid", "dle of it")]


class Caught(HFLM):
    """HFLM without a model: what would be scored is returned."""

    def __init__(self, tokenizer):
        self.tokenizer, self.add_bos_token, self.custom_prefix_token_id, self.backend = tokenizer, None, None, "causal"
        self.enable_thinking, self.batch_size_per_gpu, self._rank, self._world_size, self._max_length = False, 1, 0, 1, 1
        self.windows = []

    def _loglikelihood_tokens(self, requests, **_):
        self.windows += [[context, continuation] for _, context, continuation in requests]
        return [(context, continuation) for _, context, continuation in requests]

    def rolling(self, text, length):
        """[[context ids, scored ids], ..] of windows of `length` tokens."""
        self._max_length, self.windows = length, []
        request = Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
        try:
            self.loglikelihood_rolling([request], disable_tqdm=True)
        except TypeError:
            pass  # there is nothing to add up
        return self.windows


def cases(bos):
    for context, continuation in PAIRS:
        yield context, continuation
    for space in SPACES:
        yield "text" + space, "more"
    yield bos + "text", " more"


TEXTS = ["a", "the cat", "in the mid dle of it and more words then 日本語です", " begins with a blank\nand a line ", "x" * 30]
LENGTHS = [1, 2, 3, 7, 8, 1000]

out, windows = [], []
for folder, bos, eos in TOKENIZERS:
    path = os.path.join(here, folder, "tokenizer.json")
    lm = Caught(PreTrainedTokenizerFast(tokenizer_file=path, bos_token=bos, eos_token=eos))
    if lm.tokenizer.bos_token_id is None or lm.tokenizer.bos_token_id >= lm.tokenizer.backend_tokenizer.get_vocab_size():
        sys.exit(f"{folder}: no {bos}")
    for context, continuation in cases(bos):
        request = Instance(request_type="loglikelihood", doc={}, arguments=(context, continuation), idx=0)
        context_ids, continuation_ids = lm.loglikelihood([request], disable_tqdm=True)[0]
        out.append({"tokenizer": folder, "context": context, "continuation": continuation,
                    "context_ids": context_ids, "continuation_ids": continuation_ids})
    for text in TEXTS + [bos + "spelled out"]:
        n = len(lm.tok_encode(text))
        for length in LENGTHS + [n - 1, n, n + 1]:  # what is left over: one token, none, ..
            if length > 0:
                windows.append({"tokenizer": folder, "text": text, "length": length, "windows": lm.rolling(text, length)})
for name, cases_of in ("boundary.json", out), ("windows.json", windows):
    with open(os.path.join(sys.argv[1], name), "w", encoding="utf-8") as f:
        f.write("[" + ",\n".join(json.dumps(o) for o in cases_of) + "]\n")
