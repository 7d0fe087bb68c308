#!/usr/bin/env python3
"""Golden values of the backward and optimizer ops, from PyTorch on the CPU.

  python3 tests/golden/device/gradients.py     writes the .txt files beside itself

Made with torch 2.15.0+cu132, on the CPU. Arrays are written as "name n" and n hexadecimal floats (float32).
"""
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent


def short(v):
    """A hexadecimal float without trailing zeros."""
    mantissa, exponent = float(v).hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent


class Arrays:
    def __init__(self):
        self.lines = []

    def add(self, name, x):
        values = torch.as_tensor(x, dtype=torch.float32).detach().flatten().tolist()
        self.lines.append(f"{name} {len(values)}")
        for i in range(0, len(values), 8):
            self.lines.append(" ".join(short(v) for v in values[i : i + 8]))

    def write(self, name):
        (HERE / name).write_text("\n".join(self.lines) + "\n")


def attention():
    """Grouped-query causal attention of two packed sequences."""
    torch.manual_seed(1)
    H, G, D, lengths = 4, 2, 4, [3, 35]
    scale = 0.4
    qkv = torch.randn(sum(lengths), (H + 2 * G) * D, requires_grad=True)
    dy = torch.randn(sum(lengths), H * D)
    rows, y = 0, []
    for n in lengths:
        part = qkv[rows : rows + n].view(n, H + 2 * G, D).transpose(0, 1)[None]
        q, k, v = part[:, :H], part[:, H : H + G], part[:, H + G :]
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)
        y.append(out[0].transpose(0, 1).reshape(n, H * D))
        rows += n
    y = torch.cat(y)
    y.backward(dy)
    a = Arrays()
    a.add("sizes", [H, G, D, *lengths])
    a.add("scale", [scale])
    for name, x in [("qkv", qkv), ("dy", dy), ("y", y), ("dqkv", qkv.grad)]:
        a.add(name, x)
    a.write("attention.txt")


def norms():
    """Layer norm and RMS norm with weight (and bias), eps 1e-5; 1 + weight is Gemma's."""
    torch.manual_seed(2)
    rows, C = 6, 24
    x = torch.randn(rows, C) * 2 + 0.5
    w, b, dy = torch.randn(C), torch.randn(C), torch.randn(rows, C)
    a = Arrays()
    for name, value in [("x", x), ("weight", w), ("bias", b), ("dy", dy)]:
        a.add(name, value)
    for kind in ("layer", "rms", "rms_plus_one"):
        xs, ws, bs = (t.clone().requires_grad_() for t in (x, w, b))
        if kind == "layer":
            y = F.layer_norm(xs, (C,), ws, bs, 1e-5)
        else:
            y = F.rms_norm(xs, (C,), ws + (kind == "rms_plus_one"), 1e-5) + bs
        y.backward(dy)
        a.add(f"{kind}_dx", xs.grad)
        a.add(f"{kind}_dweight", ws.grad)
        a.add(f"{kind}_dbias", bs.grad)
    a.write("norms.txt")


def adamw():
    """20 steps over a matrix with decay and a vector without, clipped where the norm is above 1, rate by a schedule."""
    torch.manual_seed(3)
    steps, rows, columns = 20, 5, 7
    matrix = torch.randn(rows, columns).requires_grad_()
    vector = torch.randn(columns).requires_grad_()
    a = Arrays()
    a.add("matrix", matrix)
    a.add("vector", vector)
    optimizer = torch.optim.AdamW(
        [{"params": [matrix], "weight_decay": 0.1}, {"params": [vector], "weight_decay": 0.0}],
        lr=1.0, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    gradients, norms, rates = [], [], []
    for t in range(steps):
        matrix.grad = torch.randn(rows, columns) * (0.02 if t % 3 else 1.0)
        vector.grad = torch.randn(columns) * (0.02 if t % 3 else 1.0)
        gradients.append(torch.cat([matrix.grad.flatten(), vector.grad]))
        norms.append(torch.nn.utils.clip_grad_norm_([matrix, vector], 1.0))
        rates.append(0.01 * min(1.0, (t + 1) / 5) * (1 - t / steps))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.step()
        if t in (0, steps - 1):
            a.add(f"matrix_{t + 1}", matrix)
            a.add(f"vector_{t + 1}", vector)
    a.add("gradients", torch.stack(gradients))
    a.add("norms", torch.stack(norms))
    a.add("rates", rates)
    a.write("adamw.txt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    attention()
    norms()
    adamw()
