"""Logits of transformers' sequence classifiers: what test_classifiers.c compares with.

    python make_classifiers.py     (writes classifiers.json beside this file)

Of each family that make_keys.py varies: its base configuration, tied and not, and those of EXTRAS, with three labels and
weights from their stored names (weight()). Each runs IDS by itself and once more with padding behind it: the head reads the
last token that is none, so both rows must be equal (checked here). Float32, eager attention (Falcon's ALiBi: sdpa).
A case is [architecture, keys of config.json, logits of the labels]; a family without a classifier has no case.
"""

import json

import torch
import transformers as tf
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

from make_keys import FAMILIES, HERE, V, configs, dump, weight

LABELS, PADDING = 3, 23
IDS = [2, 0, 1, 1, 2, 0, 2, 1, 0, 0, 1, 2]  # labels too, so that each has a probability in the place of a next token
GPT2 = dict(vocab_size=V, n_embd=32, n_layer=3, n_head=4, n_positions=32)  # whose keys make_keys.py does not vary
EXTRAS = {
    "opt": [dict(do_layer_norm_before=False, word_embed_proj_dim=8), dict(word_embed_proj_dim=20, _remove_final_layer_norm=True)],
    "falcon": [dict(alibi=True, multi_query=False, parallel_attn=False, bias=True),
               dict(new_decoder_architecture=True, num_kv_heads=2)],
    "gpt_neox": [dict(use_parallel_residual=False)], "phi": [dict(qk_layernorm=True)],
    "stablelm": [dict(use_parallel_residual=True), dict(qk_layernorm=True)],
    "gemma2": [dict(attn_logit_softcapping=1.0, final_logit_softcapping=0.5)],
    "gemma3_text": [dict(final_logit_softcapping=0.5)],
}


def run(model_type, keys):
    config = tf.CONFIG_MAPPING[model_type].from_dict(
        {**json.loads(json.dumps(keys)), "id2label": {i: f"LABEL_{i}" for i in range(LABELS)}, "pad_token_id": PADDING})
    config._attn_implementation = "sdpa" if keys.get("alibi") else "eager"
    model = tf.AutoModelForSequenceClassification.from_config(config).eval()
    for name, p in model.named_parameters():
        p.data = weight(name, tuple(p.shape))
    padded = IDS + [PADDING] * 4
    with torch.no_grad():
        alone = model(torch.tensor([IDS])).logits[0]
        behind = model(torch.tensor([padded]), attention_mask=torch.tensor([[int(i != PADDING) for i in padded]])).logits[0]
    assert (alone - behind).norm() <= 1e-5 * alone.norm(), (model_type, alone, behind)
    assert type(model).__name__ == CLASSES[model_type]
    return [float(f"{v:.8g}") for v in alone.tolist()]


out = {}
for model_type, (sizes, alone, paired) in {"gpt2": (GPT2, {}, {}), **FAMILIES}.items():
    base = next(configs(sizes, alone, paired))[0]
    changes = [dict(tie_word_embeddings=tied) for tied in (True, False)] + EXTRAS.get(model_type, [])
    out[model_type] = [[CLASSES[model_type], {**base, **c}, run(model_type, {**base, **c})] for c in changes
                       if model_type in CLASSES]
    print(model_type, len(out[model_type]))
lines = ",\n".join(f"{dump(m)}:[\n" + ",\n".join(map(dump, cases)) + "]" for m, cases in out.items())
(HERE / "classifiers.json").write_text(
    f'{{"transformers":"{tf.__version__}","labels":{LABELS},"padding":{PADDING},"ids":{dump(IDS)},"families":{{\n{lines}\n}}}}\n')
