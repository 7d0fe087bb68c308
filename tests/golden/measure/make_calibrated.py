"""Writes calibrated.json: scores of the package calibrated-similarity (arXiv 2602.14486) for given permutations.

Run: python3 make_calibrated.py (numpy, scipy, torch, calibrated-similarity; the versions used stand in the file). The mean over pairs of
conditions is calibrate_layers with all conditions on both sides and an aggregate that looks above the diagonal. Layers: two sides of
several layers, the mean and the largest over all their pairs, items permuted freely and within classes. The package keeps similarities in
float32.
"""
import importlib.metadata
import json
import os

import numpy as np
import scipy.linalg
import torch
from calibrated_similarity import calibrate, calibrate_layers


def hsic(k, l):
    n = len(k)
    row_k, row_l = k.sum(0), l.sum(0)
    return ((k * l).sum() + row_k.sum() * row_l.sum() / ((n - 1) * (n - 2)) - 2 * (row_k @ row_l) / (n - 2)) / (n * (n - 3))


def cka(x, y):
    k, l = (z @ z.T for z in (x - x.mean(0), y - y.mean(0)))
    k.fill_diagonal_(0)
    l.fill_diagonal_(0)
    return hsic(k, l) / torch.sqrt(hsic(k, k) * hsic(l, l))


def neighbours(x, k):
    x = x - x.mean(0)
    x = x / x.norm(dim=1, keepdim=True)
    c = x @ x.T
    c.fill_diagonal_(-9)
    return torch.argsort(-c, dim=1, stable=True)[:, :k]


def mknn(x, y, k=10):
    a, b = neighbours(x, k), neighbours(y, k)
    return np.mean([len(set(a[i].tolist()) & set(b[i].tolist())) / k for i in range(len(x))])


def procrustes(x, y):
    """The nuclear norm of scipy's orthogonal Procrustes problem, of the first n/10 components of each, at least one."""
    sides = []
    for z in (x, y):
        z = (z - z.mean(0)).numpy()
        u, s, _ = np.linalg.svd(z, full_matrices=False)
        scores = (u * s)[:, :max(1, min(64, len(z) // 10))]
        sides.append(scores / np.linalg.norm(scores))
    return scipy.linalg.orthogonal_procrustes(*sides)[1]


def case(seed, n, t, width, orders, noise):
    rng = np.random.default_rng(seed)
    item = rng.normal(0, 1, (n, width))
    x = np.round(64 * (item + noise * rng.normal(0, 1, (t, n, width)) + 3)) / 64
    permutations = [rng.permutation(n) for _ in range(orders)]
    tensors = [torch.tensor(s, dtype=torch.float64) for s in x]
    out = {"n": n, "t": t, "width": width, "x": x.ravel().tolist(), "orders": np.concatenate(permutations).tolist()}
    for name, sim in (("cka", cka), ("mknn", mknn), ("procrustes", procrustes)):
        left = iter(permutations)
        fn = lambda n_, device: torch.tensor(next(left))
        if t == 2:
            value = calibrate(tensors[0], tensors[1], sim, K=orders, perm_fn=fn)
        else:
            upper = np.triu_indices(t, 1)
            value = calibrate_layers(tensors, tensors, sim, agg=lambda s: s[upper].mean(), K=orders, perm_fn=fn)
        out[name] = [float(v) for v in value]
    return out


def layers(seed, n, n_x, n_y, width, orders, noise, classes):
    """Layers of two sides [n_x, n, width] and [n_y, n, width]; permuted within classes where there are any."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    item = rng.normal(0, 1, (n, width)) + 2 * rng.normal(0, 1, (classes, width))[label]
    x, y = (np.round(64 * (item + noise * rng.normal(0, 1, (m, n, width)))) / 64 for m in (n_x, n_y))
    permutations = []
    for _ in range(orders):
        order = np.arange(n)
        for c in range(classes):
            order[label == c] = rng.permutation(order[label == c])
        permutations.append(order)
    sides = [[torch.tensor(s, dtype=torch.float64) for s in side] for side in (x, y)]
    out = {"n": n, "n_x": n_x, "n_y": n_y, "width": width, "x": x.ravel().tolist(), "y": y.ravel().tolist(), "orders": np.concatenate(permutations).tolist()}
    for name, sim in (("cka", cka), ("mknn", mknn), ("procrustes", procrustes)):
        for agg in ("mean", "max"):
            left = iter(permutations)
            out[name + "_" + agg] = [float(v) for v in calibrate_layers(*sides, sim, agg=agg, K=orders, perm_fn=lambda n_, device: torch.tensor(next(left)))]
        left = iter(permutations)
        out[name + "_last"] = [float(v) for v in calibrate(sides[0][-1], sides[1][-1], sim, K=orders, perm_fn=lambda n_, device: torch.tensor(next(left)))]
    return out


out = {"versions": {p: importlib.metadata.version(p) for p in ("numpy", "scipy", "torch")} | {"calibrated-similarity": "0.1.1"},
       "cases": [case(1, 24, 2, 6, 40, 0.4), case(2, 24, 3, 6, 40, 0.8), case(3, 20, 2, 5, 20, 50.0)],
       "layers": [layers(4, 24, 3, 10, 4, 40, 0.8, 1), layers(5, 30, 9, 2, 4, 40, 1.5, 3)]}
for c in out["cases"]:
    print(c["cka"], c["mknn"], c["procrustes"])
for c in out["layers"]:
    print([(key, c[key]) for key in c if "_" in key and key[:2] != "n_"])
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calibrated.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
