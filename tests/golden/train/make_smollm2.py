"""Writes smollm2.json: three training steps of SmolLM2-135M's layers at their own widths, from PyTorch and transformers.

    OMP_NUM_THREADS=1 python make_smollm2.py

The model is SmolLM2-135M cut to 2 blocks and a vocabulary of 2,048; weights and examples are formulas that the test writes
out too (values below; exact in float32). float32, eager attention, torch.optim.AdamW, clip_grad_norm_, transformers' linear
schedule; each example runs alone, the loss of a step is the mean over the tokens that carry loss.

  loss, gradient_norm [3]     of each step, the norm before clipping, its squares summed in double
  tensors.<name>.moved        |w - w0| after the three steps
  tensors.<name>.signs [4]    sum of +-(w - w0), four formulas of signs: they tell of a difference what its norm is
"""

import json
import pathlib

import numpy as np
import torch
import transformers as tf

HERE = pathlib.Path(__file__).parent
CONFIG = json.loads((HERE / "smollm2-config.json").read_text())
STEPS, RATE, DECAY, EPSILON = 3, 2e-4, 0.1, 1e-5
EXAMPLES = [(9, 1), (33, 1), (5, 3), (20, 18)]  # tokens, the first that carries loss


def bits(n, stream):
    v = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) ^ np.uint32((stream * 2246822519 + 374761393) % 2**32)
    v = (v ^ v >> np.uint32(15)) * np.uint32(2246822519)
    v = (v ^ v >> np.uint32(13)) * np.uint32(3266489917)
    return v ^ v >> np.uint32(16)


def values(n, stream, middle, scale):
    return (middle + (bits(n, stream) % 65536 - 32768.0) / 32768 * scale).astype(np.float32)


def names(n_layers):
    """Tensors in the order of their streams."""
    block = ["input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
             "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
    yield "model.embed_tokens.weight"
    for layer in range(n_layers):
        for part in block:
            yield f"model.layers.{layer}.{part}.weight"
    yield "model.norm.weight"


def fill(model):
    parameters = dict(model.named_parameters())
    order = list(names(CONFIG["num_hidden_layers"]))
    assert sorted(order) == sorted(parameters)
    for stream, name in enumerate(order):
        p = parameters[name]
        middle, scale = (1, 1 / 8) if p.ndim == 1 else (0, 1 / 32 if "down_proj" in name else 1 / 16)
        p.data = torch.from_numpy(values(p.numel(), stream, middle, scale).reshape(tuple(p.shape)))
    model.tie_weights()
    return order, parameters


def main():
    torch.set_num_threads(1)
    config = tf.LlamaConfig(**{k: v for k, v in CONFIG.items() if k not in ("architectures", "model_type", "rope_theta", "torch_dtype")},
                            rope_parameters={"rope_type": "default", "rope_theta": CONFIG["rope_theta"]})
    model = tf.LlamaForCausalLM._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    order, parameters = fill(model)
    before = {name: parameters[name].detach().double().clone() for name in order}
    assert model.lm_head.weight is parameters["model.embed_tokens.weight"]
    optimizer = torch.optim.AdamW([{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
                                   {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}],
                                  lr=RATE, betas=(0.9, 0.999), eps=EPSILON)
    schedule = tf.get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=STEPS)
    out = {"versions": {"torch": torch.__version__, "transformers": tf.__version__}, "loss": [], "gradient_norm": [],
           "tensors": {}}
    examples = [(torch.from_numpy((bits(n, 1000 + i) % CONFIG["vocab_size"]).astype(np.int64)), first)
                for i, (n, first) in enumerate(EXAMPLES)]
    n_loss = sum(len(ids) - first for ids, first in examples)
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = 0.0
        for ids, first in examples:
            logits = model(ids[None, :-1]).logits[0]
            loss = -logits.log_softmax(-1)[first - 1:].gather(1, ids[first:, None]).sum() / n_loss
            loss.backward()
            total += loss.item()
        out["loss"].append(total)
        out["gradient_norm"].append(sum((p.grad.double()**2).sum() for p in model.parameters()).sqrt().item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    for stream, name in enumerate(order):
        moved = (parameters[name].detach().double() - before[name]).numpy().ravel()
        signs = bits(moved.size, 2000 + stream)
        out["tensors"][name] = {"moved": float(np.sqrt((moved**2).sum())),
                                "signs": [float(np.where(signs >> np.uint32(k) & np.uint32(1), moved, -moved).sum()) for k in range(4)]}
    path = HERE / "smollm2.json"
    path.write_text(json.dumps(out, indent=1) + "\n")
    print(out["loss"], out["gradient_norm"])


if __name__ == "__main__":
    main()
