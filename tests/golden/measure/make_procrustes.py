"""Writes procrustes.json: nuclear norms, and Procrustes similarities of principal components, of numbers that a formula makes.

Run: python3 make_procrustes.py (numpy, scipy; the versions used stand in the file). formula(a, i, j) is exact in float32. Kinds of matrices:
0 as it is, 1 of rank 2, 2 graded over ten decades, 3 bidiagonal with zeros on its diagonal, 4 zero.
"""
import json
import os

import numpy as np
import scipy
import scipy.linalg


def formula(a, rows, columns):
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return ((a * i + 3 * j + i * i * (j + 1) + 5 * i * j * j) % 61 - 30) / 64


def matrix(kind, r):
    m = formula(7, r, r)
    if kind == 1:
        m = formula(7, r, 2) @ formula(5, 2, r) / 64
    if kind == 2:
        m = m * 10.0 ** (-10 * np.arange(r) / r)
    if kind == 3:
        m = np.diag(np.where(np.arange(r) % 3 == 1, 0, np.diag(m))) + np.diag(np.full(r - 1, 0.25), 1)
    return np.zeros((r, r)) if kind == 4 else m


def scores(x, r):
    x = x.astype(np.float32).astype(float)
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    out = (u * s)[:, :r]
    return out / np.linalg.norm(out)


def similarity(n, width, noise):
    item, r = formula(7, n, width), max(1, min(64, n // 10))
    return {"n": n, "width": width, "noise": noise,
            "value": scipy.linalg.orthogonal_procrustes(scores(item, r), scores(item + noise * formula(11, n, width), r))[1]}


out = {"versions": {"numpy": np.__version__, "scipy": scipy.__version__},
       "nuclear": [{"kind": kind, "r": r, "norm": np.linalg.svd(matrix(kind, r), compute_uv=False).sum()}
                   for kind in range(5) for r in (2, 3, 8, 9, 25, 64)],
       "states": [similarity(9, 5, 0.5), similarity(60, 30, 1.0), similarity(250, 40, 0.5), similarity(700, 70, 2.0)]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "procrustes.json"), "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
