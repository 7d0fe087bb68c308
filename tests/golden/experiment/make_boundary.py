"""Makes boundary.json: context and continuation ids as lm-evaluation-harness itself splits them.

The split is lm_eval's own (HFLM.loglikelihood, TemplateLM._encode_pair, HFLM.tok_encode), caught before a model would run;
the tokenizers are those of ../tokenizers. Written with lm_eval 0.4.13, transformers 5.24, tokenizers 0.23.
Run: python make_boundary.py > boundary.json
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
        self.enable_thinking = False

    def _loglikelihood_tokens(self, requests, **_):
        return [(context, continuation) for _, context, continuation in requests]


def cases(bos):
    for context, continuation in PAIRS:
        yield context, continuation
    for space in SPACES:
        yield "text" + space, "more"
    yield bos + "text", " more"


out = []
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
print("[" + ",\n".join(json.dumps(o) for o in out) + "]")
