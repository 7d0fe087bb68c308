"""What transformers computes for every key of config.json that a family reads: what test_keys.c compares with.

    python make_keys.py            (writes keys.json beside this file)

For each family: its class defaults; each key absent, null and at its values by itself; and every pair of the keys that
make the layer plan. Each configuration becomes a model whose weights are made from their stored names (weight()), so that
no checkpoint need be kept; it runs IDS in float32 with eager attention (Falcon's ALiBi: sdpa; the eager one adds it twice). A case is [keys of config.json, logits] with the
first logits of the last token, or null where transformers does not load or run it. Of null keys only those are kept that
transformers runs: where it does not, plumb takes the default.
"""

import itertools
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
import transformers as tf

tf.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).parent
ABSENT = object()
V, KEPT = 24, 6
IDS = [(7 * i + 3) % V for i in range(12)]

LLAMA = dict(vocab_size=V, hidden_size=16, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4,
             max_position_embeddings=32, pad_token_id=0)
NEOX = dict(LLAMA, hidden_size=32)

# The first value is the base's.
TURN = {"rope_theta": [ABSENT, 100.0], "partial_rotary_factor": [ABSENT, 0.5],
        "rope_parameters": [ABSENT, {}, {"rope_type": "linear", "factor": 2.5, "rope_theta": 70.0}, {"rope_theta": 50.0},
                            {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.5},
                            {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}],
        "rope_scaling": [ABSENT, {"type": "linear", "factor": 2.5},
                         {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                          "original_max_position_embeddings": 8}]}
COMMON = {"rms_norm_eps": [1e-6, 0.05], "hidden_act": [ABSENT, "silu", "gelu", "gelu_new", "relu", "tanh"],
          "num_key_value_heads": [2, 1, 4, 3], "head_dim": [ABSENT, 8, 2], "attention_bias": [ABSENT, True, False],
          "mlp_bias": [ABSENT, True, False], "tie_word_embeddings": [ABSENT, True, False],
          "attention_dropout": [ABSENT, 0.5], **TURN}
FULL, SLIDING = "full_attention", "sliding_attention"
TYPES = [ABSENT, [FULL] * 3, [SLIDING] * 3, [SLIDING, FULL, SLIDING], [FULL, SLIDING, FULL], [FULL, SLIDING],
         ["attention", FULL, FULL], ["chunked_attention", FULL, FULL], [FULL, 7, FULL], []]
QWEN = {"use_sliding_window": [ABSENT, True, False], "sliding_window": [ABSENT, 3, 5, 0, None],
        "max_window_layers": [ABSENT, 0, 1, 2], "layer_types": TYPES}

FAMILIES = {
    # model_type: (sizes, keys varied alone, keys varied in pairs too)
    "gpt_neox": (NEOX, {
        "layer_norm_eps": [1e-5, 0.05], "hidden_act": [ABSENT, "gelu", "gelu_new", "relu"], "attention_bias": [ABSENT, True, False],
        "use_parallel_residual": [ABSENT, True, False], "tie_word_embeddings": [ABSENT, True, False],
        "rotary_pct": [ABSENT, 0.5, 1.0, 0.25], "rotary_emb_base": [ABSENT, 100.0], "hidden_dropout": [ABSENT, 0.5],
        "num_key_value_heads": [ABSENT, 2], "head_dim": [ABSENT, 8], **TURN}, {}),
    "llama": (LLAMA, COMMON, {"sliding_window": [ABSENT, 3], "layer_types": TYPES}),
    "mistral": (LLAMA, COMMON, {"sliding_window": [ABSENT, 3, 5, 0, None], "layer_types": TYPES,
                                "use_sliding_window": [ABSENT, True, False]}),
    "qwen2": (LLAMA, COMMON, QWEN),
    "qwen3": (LLAMA, {**COMMON, "head_dim": [4, 8, 2]}, QWEN),
    "smollm3": (LLAMA, COMMON, {
        "no_rope_layers": [ABSENT, [1, 0, 1], [0, 0, 0], [1, 1, 1, 0], [1, 1], []], "no_rope_layer_interval": [ABSENT, 1, 2, 3, 0],
        "use_sliding_window": [ABSENT, True, False], "sliding_window": [ABSENT, 3, 5, None], "layer_types": TYPES}),
}
GEMMA = {**{k: v for k, v in COMMON.items() if k not in ("hidden_act", "mlp_bias", *TURN)}, "head_dim": [4, 8, 2],
         "hidden_activation": [ABSENT, "gelu_pytorch_tanh", "silu", "gelu"], "hidden_act": [ABSENT, "silu"],
         "query_pre_attn_scalar": [ABSENT, 4, 9], "attn_logit_softcapping": [ABSENT, 2.0, None],
         "final_logit_softcapping": [ABSENT, 2.0, None], "use_bidirectional_attention": [ABSENT, False, True]}
TWO = {"sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
       "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 300.0}}
FAMILIES |= {
    "gemma2": (LLAMA, {**GEMMA, **TURN}, {"sliding_window": [3, ABSENT, 5, None], "layer_types": TYPES,
                                          "sliding_window_pattern": [ABSENT, 2]}),
    "gemma3_text": (LLAMA, {
        **GEMMA, "partial_rotary_factor": [ABSENT, 0.5], "original_max_position_embeddings": [ABSENT, 8]}, {
        "sliding_window": [3, ABSENT, 5, None], "layer_types": TYPES, "sliding_window_pattern": [ABSENT, 1, 2, 3, 0],
        "rope_theta": [ABSENT, 100.0], "rope_local_base_freq": [ABSENT, 50.0],
        "rope_scaling": [ABSENT, {"rope_type": "linear", "factor": 8.0},
                         {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}],
        "rope_parameters": [ABSENT, {}, TWO, {"full_attention": TWO["full_attention"]},
                            {"sliding_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": 30.0}},
                            {**TWO, "sliding_attention": None}, {"rope_type": "linear", "factor": 2.0, "rope_theta": 300.0},
                            {**TWO, "full_attention": {"rope_theta": 300.0, "partial_rotary_factor": 0.5}},
                            {**TWO, "full_attention": {"rope_type": "yarn", "factor": 2.0}}]}),
}
FAMILIES["olmo2"] = (LLAMA, {k: v for k, v in COMMON.items() if k != "mlp_bias"}, {"sliding_window": [ABSENT, 3], "layer_types": [ABSENT, [FULL] * 3]})
OPT = {k: v for k, v in LLAMA.items() if k != "intermediate_size"} | {"ffn_dim": 20}
FAMILIES["opt"] = (OPT, {
    "activation_function": [ABSENT, "relu", "gelu", "silu"], "enable_bias": [ABSENT, True, False],
    "layer_norm_elementwise_affine": [ABSENT, True, False],
    "tie_word_embeddings": [ABSENT, True, False], "dropout": [ABSENT, 0.5], "layerdrop": [ABSENT, 0.0, 0.5],
    "layer_norm_eps": [ABSENT, 0.5], "num_key_value_heads": [ABSENT, 2], "intermediate_size": [ABSENT, 24]}, {
    "do_layer_norm_before": [ABSENT, True, False], "_remove_final_layer_norm": [ABSENT, False, True],
    "word_embed_proj_dim": [ABSENT, 16, 8, 20, 0]})
FAMILIES["phi"] = (NEOX, {
    "layer_norm_eps": [1e-5, 0.05], "hidden_act": [ABSENT, "gelu_new", "gelu", "relu"],
    "num_key_value_heads": [ABSENT, 1, 2, 4, 3], "tie_word_embeddings": [ABSENT, True, False], "embd_pdrop": [ABSENT, 0.5], **TURN,
    "partial_rotary_factor": [ABSENT, 0.25, 1.0, 1.5], "attention_bias": [ABSENT, False]}, {
    "qk_layernorm": [ABSENT, False, True], "head_dim": [ABSENT, 8, 16]})
LONG = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.5, 2.0, 3.0, 4.0]}
FAMILIES["phi3"] = (NEOX, {
    "rms_norm_eps": [1e-5, 0.05], "hidden_act": [ABSENT, "silu", "gelu"], "head_dim": [ABSENT, 8],
    "num_key_value_heads": [ABSENT, 1, 2, 4, 3], "tie_word_embeddings": [ABSENT, True, False], "resid_pdrop": [ABSENT, 0.5],
    "attention_bias": [ABSENT, True], "layer_types": [ABSENT, [FULL] * 3, [SLIDING] * 3], "sliding_window": [ABSENT, 3, 0, None],
    "rope_theta": [ABSENT, 100.0]}, {
    "partial_rotary_factor": [ABSENT, 0.5, 1.0], "original_max_position_embeddings": [ABSENT, 8, 12, 16, 32, 64],
    "rope_scaling": [ABSENT, {"type": "longrope", **LONG}, {"type": "su", **LONG}, {"type": "yarn", **LONG},
                     {"type": "longrope", "short_factor": [1.0, 1.1], "long_factor": [1.5, 2.0]},
                     {"type": "longrope", **LONG, "attention_factor": 0.7}, {"type": "longrope", **LONG, "factor": 3.0},
                     {"type": "linear", "factor": 2.0}],
    "rope_parameters": [ABSENT, {"rope_type": "longrope", "rope_theta": 50.0, **LONG},
                        {"rope_type": "longrope", "partial_rotary_factor": 0.5, "original_max_position_embeddings": 16,
                         "short_factor": [1.0, 1.1], "long_factor": [1.5, 2.0]},
                        {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.25}]})
SCALES = {"embedding_multiplier": [ABSENT, 3.0, 0.0], "attention_multiplier": [ABSENT, 0.25, 0.0],
          "residual_multiplier": [ABSENT, 0.6, 0.0], "logits_scaling": [ABSENT, 4, 0.5]}
FAMILIES["granite"] = (LLAMA, {**COMMON, **SCALES, "hidden_dropout": [ABSENT, 0.5]},
                       {"layer_types": [ABSENT, [FULL] * 3], "sliding_window": [ABSENT, 3]})
FAMILIES["granitemoehybrid"] = (LLAMA | {"mamba_n_heads": 8}, {
    **{k: v for k, v in COMMON.items() if k != "mlp_bias"}, **SCALES, "shared_intermediate_size": [12, 20],
    "layer_types": [[FULL] * 3, ABSENT, ["attention"] * 3, [FULL, "linear_attention", FULL], [FULL] * 2, ["mamba"] * 3, [SLIDING] * 3],
    "layers_block_type": [ABSENT, ["attention"] * 3]}, {
    "num_local_experts": [0, ABSENT, 2], "position_embedding_type": [ABSENT, "rope", "nope"]})
FAMILIES["gpt_neo"] = (dict(vocab_size=V, hidden_size=16, num_layers=3, num_heads=4, max_position_embeddings=32), {
    "layer_norm_epsilon": [1e-5, 0.05], "activation_function": [ABSENT, "gelu_new", "gelu", "relu"], "intermediate_size": [20, ABSENT],
    "tie_word_embeddings": [ABSENT, True, False], "embed_dropout": [ABSENT, 0.5], "resid_dropout": [ABSENT, 0.5],
    "attention_dropout": [ABSENT, 0.5], "num_key_value_heads": [ABSENT, 2], "sliding_window": [ABSENT, 4],
    "layer_types": [ABSENT, [SLIDING] * 3], "attention_layers": [ABSENT, ["local"] * 3]}, {
    "window_size": [4, ABSENT, 7, 1, 0], "attention_types": [
        [[["global", "local"], 1], [["local"], 1]], ABSENT, [[["global", "local", "global"], 1]], [[["local"], 3]],
        [[["global"], 3]], [[["global"], 2]], [[["global", "local"], 2]], [[["global", "other"], 1], [["local"], 1]], [],
        [[["global"], 0], [["local"], 3]]]})
FAMILIES["gptj"] = (dict(vocab_size=V, n_embd=32, n_layer=3, n_head=4, n_positions=32), {
    "layer_norm_epsilon": [1e-5, 0.05], "activation_function": [ABSENT, "gelu_new", "gelu", "relu"], "n_inner": [20, ABSENT],
    "rotary_dim": [4, 2, 8, ABSENT, 10, 3, 0], "tie_word_embeddings": [ABSENT, True, False], "embd_pdrop": [ABSENT, 0.5],
    "resid_pdrop": [ABSENT, 0.5], "attn_pdrop": [ABSENT, 0.5], "num_key_value_heads": [ABSENT, 2], "head_dim": [ABSENT, 16],
    "rope_theta": [ABSENT, 100.0], "rope_scaling": [ABSENT, {"type": "linear", "factor": 2.5}],
    "rope_parameters": [ABSENT, {"rope_type": "linear", "factor": 2.5, "rope_theta": 70.0}], "attention_bias": [ABSENT, True]}, {})
FAMILIES["stablelm"] = (NEOX, {
    "layer_norm_eps": [1e-5, 0.05], "hidden_act": [ABSENT, "silu", "gelu"], "num_key_value_heads": [2, 1, 4, 3],
    "head_dim": [ABSENT, 16], "use_qkv_bias": [ABSENT, True, False], "qk_layernorm": [ABSENT, False, True],
    "use_parallel_residual": [ABSENT, True, False], "tie_word_embeddings": [ABSENT, True, False], "hidden_dropout": [ABSENT, 0.5],
    "attention_bias": [ABSENT, True], **TURN}, {})
FAMILIES["starcoder2"] = (LLAMA, {
    "norm_epsilon": [1e-5, 0.05], "hidden_act": [ABSENT, "gelu_pytorch_tanh", "gelu", "relu"], "num_key_value_heads": [2, 1, 4, 3],
    "head_dim": [ABSENT, 8], "use_bias": [ABSENT, True, False], "tie_word_embeddings": [ABSENT, True, False],
    "embedding_dropout": [ABSENT, 0.5], "residual_dropout": [ABSENT, 0.5], "attention_bias": [ABSENT, True], **TURN}, {
    "sliding_window": [ABSENT, 3, 5, 0, None], "layer_types": [ABSENT, [FULL] * 3, [SLIDING] * 3], "use_sliding_window": [ABSENT, True, False]})
FAMILIES["falcon"] = ({k: v for k, v in NEOX.items() if k != "intermediate_size"}, {
    "layer_norm_epsilon": [1e-5, 0.05], "activation": [ABSENT, "gelu", "gelu_new", "relu"], "ffn_hidden_size": [20, ABSENT],
    "bias": [ABSENT, True, False], "tie_word_embeddings": [ABSENT, True, False], "n_embed": [ABSENT, 16],
    "hidden_dropout": [ABSENT, 0.5], "attention_dropout": [ABSENT, 0.5], "head_dim": [ABSENT, 16],
    "num_key_value_heads": [ABSENT, 2], **TURN}, {
    "alibi": [ABSENT, False, True],
    "new_decoder_architecture": [ABSENT, True, False], "multi_query": [ABSENT, True, False], "parallel_attn": [ABSENT, True, False],
    "num_ln_in_parallel_attn": [ABSENT, 1, 2, 3], "num_kv_heads": [ABSENT, 1, 2, 4]})
FAMILIES["bloom"] = (dict(vocab_size=V, hidden_size=32, n_layer=3, n_head=4), {
    "layer_norm_epsilon": [1e-5, 0.05], "n_head": [4, 2, 8, 1], "n_embed": [ABSENT, 16], "tie_word_embeddings": [ABSENT, True, False],
    "hidden_dropout": [ABSENT, 0.5], "attention_dropout": [ABSENT, 0.5], "seq_length": [ABSENT, 12],
    "apply_residual_connection_post_layernorm": [ABSENT, False, True], "hidden_act": [ABSENT, "relu"], "num_key_value_heads": [ABSENT, 2]}, {
    "pretraining_tp": [ABSENT, 1, 2], "slow_but_exact": [ABSENT, False, True], "alibi": [ABSENT, False]})
FAMILIES["mpt"] = (dict(vocab_size=V, d_model=32, n_layers=3, n_heads=4, max_seq_len=32), {
    "layer_norm_epsilon": [1e-5, 0.05], "n_heads": [4, 2, 8, 1], "resid_pdrop": [ABSENT, 0.5], "emb_pdrop": [ABSENT, 0.5],
    "tie_word_embeddings": [ABSENT, True, False], "learned_pos_emb": [ABSENT, True, False], "expansion_ratio": [ABSENT, 4, 2],
    "no_bias": [ABSENT, True, False], "norm_type": [ABSENT, "low_precision_layernorm", "rmsnorm"], "max_seq_len": [32, 12],
    "logit_scale": [ABSENT, 2.0, "inv_sqrt_d_model"], "attn_config": [
        ABSENT, {}, dict(alibi_bias_max=4), dict(softmax_scale=0.3), dict(softmax_scale=0.0), dict(clip_qkv=0.5), dict(clip_qkv=None),
        dict(qk_ln=True), dict(prefix_lm=True), dict(alibi=False), dict(attn_type="multiquery_attention"), dict(attn_impl="flash"),
        dict(attn_uses_sequence_id=True), dict(attn_pdrop=0), dict(softmax_scale=None, alibi_bias_max=16), dict(rope=True)]}, {})
FAMILIES["gemma"] = (LLAMA, {**COMMON, "head_dim": [4, 8, 2], "hidden_act": [ABSENT, "gelu_pytorch_tanh", "gelu", "silu", "tanh"],
                             "hidden_activation": [ABSENT, "silu", "gelu"], "use_bidirectional_attention": [ABSENT, False, True]},
                     {"sliding_window": [ABSENT, 3], "layer_types": [ABSENT, [FULL] * 3]})
# Without these a configuration of class defaults is none that can be loaded.
NEEDED = {"granitemoehybrid": {"num_local_experts": 0, "layer_types": [FULL] * 32}, "falcon": {"num_kv_heads": 71}}
STORED = {"gpt_neox": {"lm_head.weight": "embed_out.weight"}}


def weight(name, shape):
    """Uniform numbers from a hash of the name and the element's number; norms about 1."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & (1 << 64) - 1
    with np.errstate(over="ignore"):
        x = np.uint64(h) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = (x ^ (x >> np.uint64(31))) >> np.uint64(40)
    u = (x.astype(np.float64) / 2**23 - 1).astype(np.float32)
    scale = np.float32(0.3 if name.endswith("bias") or len(shape) == 1 else 0.6)
    u = u * scale + np.float32(1 if len(shape) == 1 and not name.endswith("bias") else 0)
    return torch.from_numpy(u.reshape(shape))


def run(model_type, keys):
    try:
        config = tf.CONFIG_MAPPING[model_type].from_dict(json.loads(json.dumps(keys)))
        config._attn_implementation = "sdpa" if keys.get("alibi") and model_type == "falcon" else "eager"
        model = tf.AutoModelForCausalLM.from_config(config).eval()
        for name, p in model.named_parameters():
            p.data = weight(STORED.get(model_type, {}).get(name, name), tuple(p.shape))
        model.tie_weights()
        with torch.no_grad():
            logits = model(torch.tensor([IDS]), use_cache=False).logits[0, -1]
    except Exception:
        return None
    return [float(f"{v:.8g}") for v in logits[:KEPT].tolist()]


def configs(sizes, alone, paired):
    keys = {**alone, **paired}
    base = {key: values[0] for key, values in keys.items()}
    made = lambda changes: {**sizes, **{k: v for k, v in {**base, **changes}.items() if v is not ABSENT}}
    yield made({}), False
    for key, values in keys.items():
        for value in (ABSENT, None, *values[1:]):
            yield made({key: value}), value is None
    for one, two in itertools.combinations(paired, 2):
        for a, b in itertools.product(paired[one][1:], paired[two][1:]):
            yield made({one: a, two: b}), False


def defaults(model_type):
    config = tf.AutoConfig.for_model(model_type)
    out = {k: v for k, v in config.to_dict().items() if isinstance(v, (int, float, str)) and k != "model_type"}
    rope = getattr(config, "rope_parameters", None)
    if not rope:
        return out
    if "full_attention" in rope:
        return {**out, "rope_theta": rope["full_attention"]["rope_theta"],
                "rope_local_base_freq": rope["sliding_attention"]["rope_theta"]}
    return {**out, "rope_theta": rope["rope_theta"], "rotary_emb_base": rope["rope_theta"],
            "rotary_pct": rope.get("partial_rotary_factor", 1.0), "partial_rotary_factor": rope.get("partial_rotary_factor", 1.0)}


dump = lambda x: json.dumps(x, separators=(",", ":"))


def make():
    out = {}
    for model_type, (sizes, alone, paired) in FAMILIES.items():
        cases, seen, failed = [], set(), 0
        for keys, has_null in configs(sizes, alone, paired):
            text = json.dumps(keys)
            if text in seen:
                continue
            seen.add(text)
            logits = run(model_type, keys)
            if logits is None and has_null:
                continue
            failed += logits is None
            cases.append([{k: v for k, v in keys.items() if k not in sizes or v != sizes[k]}, logits])
        out[model_type] = {"sizes": sizes, "defaults": defaults(model_type), "needed": NEEDED.get(model_type, {}), "cases": cases}
        print(model_type, len(cases), "cases,", failed, "that transformers does not run,",
              len({tuple(c[1]) for c in cases if c[1]}), "different results")
    text = ",\n".join(
        f'{dump(m)}:{{"sizes":{dump(f["sizes"])},\n"defaults":{dump(f["defaults"])},\n"needed":{dump(f["needed"])},\n"cases":[\n' + ",\n".join(map(dump, f["cases"])) + "]}"
        for m, f in out.items())
    (HERE / "keys.json").write_text(f'{{"transformers":"{tf.__version__}","torch":"{torch.__version__}","ids":{dump(IDS)},\n"families":{{\n{text}\n}}}}\n')


if __name__ == "__main__":
    make()
