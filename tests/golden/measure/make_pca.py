"""Writes pca.json: principal components of small data, of more rows than columns and of fewer.

Run: python3 make_pca.py (numpy; its version stands in the file). Data are multiples of 1/64, exact in float32. A component's largest
loading is positive.
"""
import json
import os

import numpy as np


def case(seed, n, width):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (3, width))
    x = np.round(64 * (centres[np.arange(n) % 3] + rng.normal(0, 1, (n, width)) + 1)) / 64
    centred = x - x.mean(0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    sign = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(1)])
    return {"n": n, "width": width, "x": x.ravel().tolist(), "scores": (u * s * sign)[:, :5].ravel().tolist(),
            "variance": (s ** 2 / (n - 1))[:5].tolist(), "total": centred.var(0, ddof=1).sum()}


out = {"versions": {"numpy": np.__version__}, "cases": [case(1, 40, 7), case(2, 9, 30)]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pca.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
