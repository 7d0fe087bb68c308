"""Training beside PyTorch (eager, transformers, fused AdamW): the same weights, tokens and settings, one process after
the other; loss and gradient norm of both sides stand beside each speed.

    python tests/bench/train.py bench-train MODEL [--compare] [--rows 256] [--batch 4] [--steps 8] [--compute bf16]
                                [--label] [--ragged] [--threads 2]

MODEL: a checkpoint folder. Default: `--batch` sequences of `--rows` tokens a step with loss at every position; --label:
loss at the last token alone; --ragged: lengths from rows / 4 to rows (PyTorch pads, plumb packs; real tokens are counted).
--compare: three steps with weights compared, ||w - w_ref|| / ||w_ref - w0||. Logits are made where there is loss, on
both sides.
"""

import argparse
import json
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def make_examples(a, vocabulary):
    r = random.Random(1)
    out = []
    for _ in range(a.batch * a.steps):
        n = r.randint(a.rows // 4, a.rows) if a.ragged else a.rows
        ids = [r.randrange(3, vocabulary) for _ in range(n + 1)]
        out.append({"ids": ids, "first": n if a.label else 1})
    return out


def torch_side(a, examples):
    import torch
    import transformers as tf
    torch.set_num_threads(a.threads)
    model = tf.AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32).eval()  # no dropout
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": a.decay}, {"params": rest, "weight_decay": 0.0}],
                                  lr=a.rate, fused=True)
    schedule = tf.get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=a.steps)
    steps = []
    for step in range(a.steps):
        batch = [examples[step * a.batch + i] for i in range(a.batch)]
        width = max(len(e["ids"]) for e in batch) - 1
        ids = torch.zeros(a.batch, width, dtype=torch.long)
        mask, loss_mask = torch.zeros(a.batch, width), torch.zeros(a.batch, width, dtype=torch.bool)
        targets = torch.zeros(a.batch, width, dtype=torch.long)
        for i, e in enumerate(batch):
            n = len(e["ids"]) - 1
            ids[i, :n], mask[i, :n] = torch.tensor(e["ids"][:-1]), 1
            targets[i, :n] = torch.tensor(e["ids"][1:])
            loss_mask[i, e["first"] - 1:n] = True
        begun = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=a.compute == "bf16"):
            hidden = model.base_model(ids, attention_mask=mask if a.ragged else None, use_cache=False).last_hidden_state
            logits = model.lm_head(hidden[loss_mask])
        loss = torch.nn.functional.cross_entropy(logits.float(), targets[loss_mask])
        loss.backward()
        exact = sum(float(p.grad.double().pow(2).sum()) for p in model.parameters()) ** 0.5 if a.compare else None
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        steps.append({"loss": loss.item(), "gradient_norm": norm.item(), "exact": exact, "tokens": int(mask.sum()),
                      "seconds": time.perf_counter() - begun})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-9
    return steps, peak, model


def plumb_side(a, examples, folder):
    path = pathlib.Path(folder) / "examples.json"
    path.write_text(json.dumps(examples))
    keys = [f"steps={a.steps}", f"batch={a.batch}", f"rate={a.rate}", f"decay={a.decay}", f"compute={a.compute}",
            f"threads={a.threads}"] + ([f"export={folder}/tuned"] if a.compare else [])
    out = subprocess.run([a.program, a.model, path, *keys], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    return lines[:-1], lines[-1]


def compare_weights(a, model, folder):
    import safetensors.torch as st
    import transformers as tf
    import torch
    tuned = st.load_file(f"{folder}/tuned/model.safetensors")
    before = dict(tf.AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32).named_parameters())
    off = way = 0.0
    for name, p in model.named_parameters():
        off += float((tuned[name].double() - p.detach().double()).pow(2).sum())
        way += float((p.detach().double() - before[name].detach().double()).pow(2).sum())
    return (off / way) ** 0.5


def report(name, steps, peak):
    own = steps[1:] or steps  # the first step touches memory
    rate = statistics.median(s["tokens"] / s["seconds"] for s in own)
    print(f"{name:8} {rate:8.1f} tokens/s, peak {peak:.2f} GB; loss {steps[0]['loss']:.6f} to {steps[-1]['loss']:.6f}, "
          f"gradient norm {steps[0]['gradient_norm']:.5f} to {steps[-1]['gradient_norm']:.5f}")
    return rate


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("model")
    p.add_argument("--rows", type=int, default=256)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--steps", type=int, default=6)
    p.add_argument("--rate", type=float, default=5e-5)
    p.add_argument("--decay", type=float, default=0.0)
    p.add_argument("--compute", default="float32")
    p.add_argument("--threads", type=int, default=2)
    for flag in ("compare", "label", "ragged"):
        p.add_argument(f"--{flag}", action="store_true")
    a = p.parse_args()
    if a.compare:
        a.steps = 3
    vocabulary = json.loads((pathlib.Path(a.model) / "config.json").read_text())["vocab_size"]
    examples = make_examples(a, vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        own, memory = plumb_side(a, examples, folder)
        theirs, peak, model = torch_side(a, examples)
        if a.compare:
            for x, y in zip(own, theirs):
                print(f"step {x['step']}: loss {x['loss']:.7f} | {y['loss']:.7f}, relative "
                      f"{abs(x['loss'] / y['loss'] - 1):.1e}; gradient norm {x['gradient_norm']:.6f} | "
                      f"{y['gradient_norm']:.6f}, relative {abs(x['gradient_norm'] / y['gradient_norm'] - 1):.1e} "
                      f"(of PyTorch's gradients summed in double: {abs(x['gradient_norm'] / y['exact'] - 1):.1e})")
            print(f"weights: {compare_weights(a, model, folder):.1e}")
    fast, slow = report("plumb", own, memory["peak_gb"]), report("PyTorch", theirs, peak)
    print(f"ratio {fast / slow:.2f}; memory said before the first step {memory['peak_said_gb']:.2f} GB, "
          f"{memory['peak_said_gb'] / memory['peak_gb']:.3f} of the peak")
    worst = max(abs(x["loss"] / y["loss"] - 1) for x, y in zip(own, theirs))
    if worst > (0.02 if a.compute == "bf16" else 1e-4):
        sys.exit(f"losses differ by {worst:.1e}")


if __name__ == "__main__":
    main()
