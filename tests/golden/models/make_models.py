"""Small random checkpoints with reference values from transformers.

    python make_models.py [NAME...]  (writes the folders beside this file, all or those named; versions.json records the
                                      versions)

Each folder is a checkpoint as save_pretrained writes it, plus golden.safetensors (float32):
  ids.<s> [T]                     token ids of sequence s (lengths 5 and 66: more than two pages of keys; or as BORDERS and LONG say)
  hidden.<s> [L + 2, T, C]        embedding output, after each block (raw), what the head reads; flat where the last of them
                                  has another width
  logits.<s> [T, V]
  log_probability.<s> [T - 1]     of each next token
  greedy [20]                     greedy continuation of sequence 0

Weights are scaled so that attention is far from uniform and logits spread (checked below): a wrong rope pair, head map
or scale then changes every value. References run in float32 with eager attention (Falcon's ALiBi: sdpa); a 16-bit file is loaded as float32.
"""

import json
import pathlib
import shutil
import sys

import safetensors.torch as st
import torch
import transformers as tf

HERE = pathlib.Path(__file__).parent
LENGTHS = (5, 66)
BORDERS = {"phi3-longrope": (15, 16, 17, 40)}  # on both sides of original_max_position_embeddings
LONG = {"falcon-alibi": (5, 300)}  # positions past 256 are rounded

LLAMA = dict(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, head_dim=8,
             max_position_embeddings=96, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
NEOX = dict(vocab_size=40, hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=3,
            max_position_embeddings=96, bos_token_id=0, eos_token_id=0)
GEMMA = {**LLAMA, "num_key_value_heads": 2, "sliding_window": 20, "query_pre_attn_scalar": 6, "pad_token_id": 0}
OPT = dict(vocab_size=40, hidden_size=24, ffn_dim=32, num_hidden_layers=2, num_attention_heads=3,
           max_position_embeddings=96, word_embed_proj_dim=24, pad_token_id=1)
GPT2 = dict(vocab_size=40, n_embd=24, n_layer=2, n_head=3, n_positions=96, bos_token_id=0, eos_token_id=0)
GRANITE = {**LLAMA, "embedding_multiplier": 3.0, "attention_multiplier": 0.25, "residual_multiplier": 0.6,
           "logits_scaling": 0.4}
HYBRID = {**GRANITE, "num_key_value_heads": 1, "shared_intermediate_size": 24, "num_local_experts": 0,
          "layer_types": ["full_attention"] * 2, "mamba_n_heads": 8, "head_dim": 4}
GPT_NEO = dict(vocab_size=40, hidden_size=24, num_layers=2, num_heads=3, intermediate_size=40, window_size=20,
               max_position_embeddings=96, attention_types=[[["global", "local"], 1]])
FALCON = dict(vocab_size=40, hidden_size=24, ffn_hidden_size=40, num_hidden_layers=2, num_attention_heads=6,
              max_position_embeddings=96, bos_token_id=0, eos_token_id=0)
MPT = dict(vocab_size=40, d_model=24, n_layers=2, n_heads=3, max_seq_len=96, bos_token_id=0, eos_token_id=0)
VISION = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=4, patch_size=2,
              projection_dim=8)

CASES = {
    # name: (config, type of the file, how it is stored)
    "gpt2": (tf.GPT2Config(**GPT2), "float32", "single"),
    "gpt2-bare": (tf.GPT2Config(**{**GPT2, "n_layer": 1, "n_inner": 40, "activation_function": "gelu"}), "bfloat16", "base"),
    "gpt2-untied-bf16": (tf.GPT2Config(**{**GPT2, "n_layer": 1, "tie_word_embeddings": False}), "bfloat16", "single"),
    "llama-tied": (tf.LlamaConfig(**{**LLAMA, "tie_word_embeddings": True}), "bfloat16", "single"),
    "llama-grouped": (tf.LlamaConfig(**LLAMA, num_key_value_heads=2, rope_theta=500.0), "float32", "sharded"),
    "llama-bias-linear": (tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=1, attention_bias=True,
                                         mlp_bias=True, rope_parameters={"rope_type": "linear", "factor": 2.5,
                                                                         "rope_theta": 10000.0}),
                          "float16", "single"),
    "llama-llama3": (tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=2,
                                    rope_parameters={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                     "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
                                                     "rope_theta": 10000.0}),
                     "bfloat16", "single"),
    "llama-yarn": (tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=2,
                                  rope_parameters={"rope_type": "yarn", "factor": 3.0, "beta_fast": 4.0,
                                                   "original_max_position_embeddings": 32, "rope_theta": 100.0}),
                   "bfloat16", "single"),
    "llama-longrope": (tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=2,
                                      rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0,
                                                       "short_factor": [1.0, 1.1, 1.2, 1.3],
                                                       "long_factor": [1.5, 2.0, 3.0, 4.0],
                                                       "original_max_position_embeddings": 80}),
                       "bfloat16", "single"),
    "neox": (tf.GPTNeoXConfig(**NEOX, rope_parameters={"partial_rotary_factor": 0.5, "rope_theta": 500.0,
                                                       "rope_type": "default"}), "float32", "single"),
    "neox-sequential": (tf.GPTNeoXConfig(**{**NEOX, "num_hidden_layers": 1, "use_parallel_residual": False,
                                            "attention_bias": False, "tie_word_embeddings": True}), "bfloat16", "base"),
    "qwen2": (tf.Qwen2Config(**LLAMA, num_key_value_heads=2, use_sliding_window=True, sliding_window=20,
                             max_window_layers=1, tie_word_embeddings=True), "bfloat16", "single"),
    "qwen3": (tf.Qwen3Config(**LLAMA, num_key_value_heads=2, use_sliding_window=True, sliding_window=33,
                             layer_types=["sliding_attention", "full_attention"]), "bfloat16", "single"),
    "mistral": (tf.MistralConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=1, sliding_window=20),
                "bfloat16", "single"),
    "smollm3": (tf.SmolLM3Config(**LLAMA, num_key_value_heads=2, no_rope_layer_interval=2, use_sliding_window=True,
                                 sliding_window=20, pad_token_id=0), "bfloat16", "single"),
    "gemma2": (tf.Gemma2Config(**GEMMA, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), "bfloat16", "single"),
    "gemma3": (tf.Gemma3TextConfig(**{**GEMMA, "num_hidden_layers": 3}, layer_types=["sliding_attention", "full_attention"] +
                                   ["sliding_attention"],
                                   rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
                                                    "full_attention": {"rope_type": "linear", "factor": 2.0,
                                                                       "rope_theta": 900.0}}), "float32", "single"),
    "gemma3-untied": (tf.Gemma3TextConfig(**{**GEMMA, "num_hidden_layers": 2, "tie_word_embeddings": False},
                                          sliding_window_pattern=2, attention_bias=True), "bfloat16", "single"),
    "olmo2": (tf.Olmo2Config(**LLAMA, num_key_value_heads=2, pad_token_id=0), "bfloat16", "single"),
    "opt": (tf.OPTConfig(**OPT), "float32", "single"),
    "opt-plain": (tf.OPTConfig(**{**OPT, "num_hidden_layers": 1, "enable_bias": False, "tie_word_embeddings": False,
                                  "activation_function": "gelu"}), "bfloat16", "single"),
    "phi": (tf.PhiConfig(**{**NEOX, "num_hidden_layers": 1}), "bfloat16", "single"),
    "phi-tied": (tf.PhiConfig(**NEOX, tie_word_embeddings=True,
                              rope_parameters={"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.25,
                                               "rope_theta": 300.0}), "bfloat16", "single"),
    "phi3": (tf.Phi3Config(**NEOX, num_key_value_heads=1, sliding_window=20, pad_token_id=0,
                           original_max_position_embeddings=92,
                           rope_parameters={"rope_type": "longrope", "rope_theta": 900.0, "partial_rotary_factor": 0.75,
                                            "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.0, 3.0]}),
             "bfloat16", "single"),
    "granite": (tf.GraniteConfig(**GRANITE, num_key_value_heads=2, attention_bias=True, mlp_bias=True, pad_token_id=0),
                "bfloat16", "single"),
    "granite-hybrid": (tf.GraniteMoeHybridConfig(**HYBRID, position_embedding_type="rope", tie_word_embeddings=True),
                       "bfloat16", "single"),
    "granite-turnless": (tf.GraniteMoeHybridConfig(**{**HYBRID, "num_hidden_layers": 1, "layer_types": ["full_attention"]}),
                         "bfloat16", "single"),
    "gpt-neo": (tf.GPTNeoConfig(**GPT_NEO), "bfloat16", "single"),
    "gptj": (tf.GPTJConfig(**{**GPT2, "rotary_dim": 6}), "bfloat16", "single"),
    "gptj-tied": (tf.GPTJConfig(**{**GPT2, "n_layer": 1, "rotary_dim": 8, "tie_word_embeddings": True}), "bfloat16", "single"),
    "stablelm": (tf.StableLmConfig(**NEOX, num_key_value_heads=1, partial_rotary_factor=0.5, use_qkv_bias=True),
                 "bfloat16", "single"),
    "stablelm-parallel": (tf.StableLmConfig(**{**NEOX, "num_hidden_layers": 1}, num_key_value_heads=3,
                                            partial_rotary_factor=0.25, use_parallel_residual=True), "bfloat16", "single"),
    "starcoder2": (tf.Starcoder2Config(**NEOX, num_key_value_heads=1, sliding_window=20), "bfloat16", "single"),
    "starcoder2-plain": (tf.Starcoder2Config(**{**NEOX, "num_hidden_layers": 1}, num_key_value_heads=3, use_bias=False,
                                             tie_word_embeddings=False), "bfloat16", "single"),
    "falcon": (tf.FalconConfig(**{**FALCON, "num_attention_heads": 3}), "bfloat16", "single"),
    "falcon-new": (tf.FalconConfig(**FALCON, new_decoder_architecture=True, num_kv_heads=2, bias=True,
                                   tie_word_embeddings=False), "bfloat16", "single"),
    "falcon-sequential": (tf.FalconConfig(**{**FALCON, "num_hidden_layers": 1}, multi_query=False, parallel_attn=False, bias=True),
                          "bfloat16", "base"),
    "bloom": (tf.BloomConfig(vocab_size=40, hidden_size=24, n_layer=2, n_head=3, seq_length=96, bos_token_id=0, eos_token_id=0),
              "bfloat16", "single"),
    "bloom-even": (tf.BloomConfig(vocab_size=40, hidden_size=32, n_layer=1, n_head=4, seq_length=96, bos_token_id=0,
                                  eos_token_id=0, tie_word_embeddings=False), "bfloat16", "single"),
    "mpt": (tf.MptConfig(**MPT), "bfloat16", "single"),
    "mpt-even": (tf.MptConfig(**{**MPT, "d_model": 32, "n_layers": 1, "n_heads": 4, "tie_word_embeddings": False,
                                 "attn_config": {"softmax_scale": 0.5}}), "bfloat16", "single"),
    "phi-norms": (tf.PhiConfig(**NEOX, num_key_value_heads=1, qk_layernorm=True), "bfloat16", "single"),
    "wrapped-gemma3": (tf.Gemma3Config(text_config=tf.Gemma3TextConfig(**{**GEMMA, "vocab_size": 48}, sliding_window_pattern=2),
                                       vision_config=tf.SiglipVisionConfig(**VISION), mm_tokens_per_image=1, image_token_id=45,
                                       boi_token_id=46, eoi_token_id=47), "bfloat16", "single"),
    "wrapped-llava": (tf.LlavaConfig(text_config=tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=2),
                                     vision_config=tf.CLIPVisionConfig(**VISION), image_token_index=39), "bfloat16", "inner"),
    "wrapped-smolvlm": (tf.SmolVLMConfig(text_config=tf.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1}, num_key_value_heads=1),
                                         vision_config=VISION, image_token_id=39, scale_factor=2, tie_word_embeddings=True),
                        "bfloat16", "single"),
    "stablelm-norms": (tf.StableLmConfig(**{**NEOX, "hidden_size": 32, "num_attention_heads": 4}, num_key_value_heads=2,
                                         partial_rotary_factor=0.5, qk_layernorm=True), "bfloat16", "single"),
    "gemma": (tf.GemmaConfig(**{k: v for k, v in GEMMA.items() if k not in ("sliding_window", "query_pre_attn_scalar")},
                             attention_bias=True), "bfloat16", "single"),
    "opt-behind": (tf.OPTConfig(**{**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 16}), "float32", "single"),
    "opt-wider": (tf.OPTConfig(**{**OPT, "num_hidden_layers": 2, "word_embed_proj_dim": 32, "_remove_final_layer_norm": True,
                                  "tie_word_embeddings": False, "enable_bias": False}), "bfloat16", "single"),
    "phi3-longrope": (tf.Phi3Config(**NEOX, num_key_value_heads=1, pad_token_id=0, original_max_position_embeddings=16,
                                    rope_parameters={"rope_type": "longrope", "rope_theta": 900.0,
                                                     "partial_rotary_factor": 0.75, "short_factor": [1.0, 1.1, 1.3],
                                                     "long_factor": [1.5, 2.0, 3.0]}), "bfloat16", "single"),
    "falcon-alibi": (tf.FalconConfig(**{**FALCON, "hidden_size": 40, "num_attention_heads": 10, "max_position_embeddings": 320},
                                     alibi=True, multi_query=False, parallel_attn=False, bias=True), "bfloat16", "single"),
    "falcon-alibi-new": (tf.FalconConfig(**{**FALCON, "num_hidden_layers": 1}, alibi=True, new_decoder_architecture=True,
                                         num_kv_heads=3), "bfloat16", "single"),
}


def randomise(model, seed):
    """Matrices with gain, biases and norms away from their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if any(k in name for k in ("wte", "wpe", "embed_tokens", "embed_in", "embed_positions", "word_embeddings.")):
            p.data = 0.5 * noise
        elif "lm_head" in name and p.ndim == 2:
            p.data = noise * 1.5 / p.shape[1] ** 0.5
        elif name.endswith("bias"):
            p.data = 0.2 * noise
        elif p.ndim == 1:  # Gemma's norms multiply by 1 + w
            p.data = ("gemma" not in model.config.model_type) + 0.2 * noise
        elif "query_key_value" in name:  # by head: queries, keys, values
            gain = torch.tensor([1.6, 1.6, 1.0])[None, :, None, None]
            if model.config.model_type == "falcon":  # by group: queries and a key, then a value
                groups = model.base_model.h[0].self_attention.num_kv_heads
                width = model.config.hidden_size // model.config.num_attention_heads
                gain = torch.full((p.shape[0] // width // groups,), 1.6)
                gain[-1] = 1.0
                heads, gain = noise.view(groups, len(gain), width, p.shape[1]), gain[None, :, None, None]
            else:
                heads = noise.view(model.config.num_attention_heads, 3, -1, p.shape[1])
            p.data = (heads * gain).reshape(p.shape) / p.shape[1] ** 0.5
        elif "Wqkv" in name:
            p.data = noise * 1.6 / p.shape[1] ** 0.5
        else:
            queries_or_keys = any(k in name for k in ("q_proj", "k_proj", "c_attn"))
            conv = model.config.model_type == "gpt2" and ("attn.c_" in name or "mlp.c_" in name)
            fan_in = p.shape[0] if conv else p.shape[1]
            p.data = noise * (1.6 if queries_or_keys else 1.0) / fan_in ** 0.5


def reference(model, ids):
    """All states with the raw last one, which hidden_states replaces by its norm."""
    base = model.base_model
    for inner in ("language_model", "text_model", "decoder"):
        base = getattr(base, inner, base)
    raw = []
    blocks = next(getattr(base, k) for k in ("h", "blocks", "layers") if hasattr(base, k))
    hook = blocks[-1].register_forward_hook(
        lambda module, args, out: raw.append(out[0] if isinstance(out, tuple) else out))
    with torch.no_grad():
        out = model(ids[None], output_hidden_states=True, use_cache=False)
    hook.remove()
    states = list(out.hidden_states)
    final = states.pop()
    hidden = torch.stack([s[0] for s in (*states, raw[0].reshape(states[0].shape))])
    if final.shape == states[0].shape:
        hidden = torch.cat([hidden, final])
    else:
        hidden = torch.cat([hidden.flatten(), final.flatten()])
    return hidden, out.logits[0]


def greedy(model, ids, n):
    """Greedy ids, and the smallest margin between the two best: it must not depend on rounding."""
    out, margin = [], float("inf")
    for _ in range(n):
        logits = reference(model, ids)[1][-1]
        best = logits.topk(2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        out.append(int(best.indices[0]))
        ids = torch.cat([ids, best.indices[:1]])
    return torch.tensor(out, dtype=torch.int32), margin


def make(name, config, dtype, storage, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    attention = "sdpa" if getattr(config, "alibi", False) else "eager"  # Falcon's eager one adds ALiBi twice
    config._attn_implementation = attention
    kind = tf.AutoModelForImageTextToText if "wrapped" in name else tf.AutoModelForCausalLM
    model = kind.from_config(config).eval()
    randomise(model, seed)
    model.tie_weights()
    stored = model.to(getattr(torch, dtype))
    stored.config.dtype = dtype
    size = "12KB" if storage == "sharded" else "1GB"
    (stored.base_model if storage == "base" else stored).save_pretrained(folder, max_shard_size=size)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if storage == "inner":  # the names of the modules themselves, which save_pretrained turns back to older ones
        st.save_file({k: v.contiguous() for k, v in stored.state_dict().items()}, folder / "model.safetensors", {"format": "pt"})
    for path in folder.iterdir():
        path.chmod(0o644)
    # Loaded anew: a conversion of the model in memory would have rounded the rotary frequencies too.
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()

    generator = torch.Generator().manual_seed(seed + 1)
    golden = {}
    for s, length in enumerate({**BORDERS, **LONG}.get(name, LENGTHS)):
        if s and name in BORDERS:  # all begin alike, which near and far ones must not share
            generator.manual_seed(seed + 1)
        ids = torch.randint(0, 39 if "wrapped" in name else config.vocab_size, (length,), generator=generator)
        hidden, logits = reference(model, ids)
        spread = float(logits.std())
        assert spread >= 1, f"{name}: logits spread only {spread}"
        golden[f"ids.{s}"] = ids.float()  # exact: small integers
        golden[f"hidden.{s}"] = hidden
        golden[f"logits.{s}"] = logits
        golden[f"log_probability.{s}"] = logits.log_softmax(-1)[:-1].gather(1, ids[1:, None])[:, 0]
    chosen, margin = greedy(model, golden["ids.0"].long(), 20)
    assert margin > 1e-3, f"{name}: greedy margin {margin}: take another seed"
    golden["greedy"] = chosen.float()
    if name in BORDERS:  # generate computes keys and values anew at the border
        ids = golden["ids.0"].long()[None]
        generated = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False, eos_token_id=99)
        assert generated[0, ids.shape[1]:].tolist() == chosen.tolist(), f"{name}: generate gives other tokens"
    st.save_file({k: v.float().contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
    (folder / "golden.safetensors").chmod(0o644)
    print(f"{name}: logit spread {spread:.2f}, greedy margin {margin:.4f}")


def old_style(folder):
    """The same settings as transformers 4 wrote them: rope_scaling beside rope_theta, torch_dtype."""
    path = HERE / folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["eos_token_id"] = [2, 7]
    path.write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    names = sys.argv[1:] or list(CASES)
    for i, (name, (config, dtype, storage)) in enumerate(CASES.items()):
        if name in names:
            make(name, config, dtype, storage, seed=1000 + 10 * i)
    if "llama-bias-linear" in names:
        old_style("llama-bias-linear")
    path = HERE / "versions.json"
    versions = json.loads(path.read_text()) if sys.argv[1:] else {"transformers": tf.__version__, "torch": torch.__version__}
    versions |= {name: f"transformers {tf.__version__}" for name in sys.argv[1:]}
    path.write_text(json.dumps(versions, indent=2) + "\n")
