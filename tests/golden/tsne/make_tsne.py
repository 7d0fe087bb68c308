"""Writes tsne.json: affinities, gradients, quality and final divergences of small data.

Run: python3 make_tsne.py (numpy, scipy, scikit-learn, openTSNE; the versions used stand in the file). Data are multiples of 1/64, exact
in float32. scikit-learn's exact joint probabilities have an entropy tolerance of 1e-5 and float32 distances; the divergences
are of whole runs from one start, judged by one evaluator with openTSNE's affinities.
"""
import importlib.metadata
import json
import os

import numpy as np
import openTSNE
import scipy.spatial
import scipy.stats
from openTSNE import affinity
from sklearn.manifold import TSNE, trustworthiness
from sklearn.manifold._t_sne import _joint_probabilities, _kl_divergence
from sklearn.metrics import pairwise_distances


def data(seed, n, width, clusters):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (clusters, width))
    return np.round(64 * (centres[np.arange(n) % clusters] + rng.normal(0, 1, (n, width)) + 1)) / 64


def components(x, dims):
    centred = x - x.mean(0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    sign = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(1)])
    return (u * s * sign)[:, :dims]


def start(scores):
    y = scores[:, :2].copy()
    return y / y[:, 0].std() * 1e-4


def divergence(p, y):
    d = ((y[:, None] - y[None]) ** 2).sum(2)
    z = (1 / (1 + d)).sum() - len(y)
    p = p.tocoo()
    return float((p.data * np.log(p.data * (1 + d[p.row, p.col]) * z)).sum())


out = {"versions": {p: importlib.metadata.version(p) for p in ("numpy", "scipy", "scikit-learn", "openTSNE")}}

n, width, perplexity = 150, 6, 20
x = data(3, n, width, 4)
y = np.round(1024 * np.random.default_rng(4).normal(0, 3, (n, 2))) / 1024
exact = _joint_probabilities(pairwise_distances(x, squared=True), perplexity, 0)
square = np.zeros((n, n))
square[np.triu_indices(n, 1)] = exact
kl, gradient = _kl_divergence(y.ravel().astype(np.float64), exact.astype(np.float64), 1, n, 2)
near = affinity.PerplexityBasedNN(x, perplexity=perplexity, method="exact", n_jobs=1).P
pairs = np.random.default_rng(5).integers(0, n, (300, 2))
pairs = pairs[pairs[:, 0] < pairs[:, 1]]
first = start(components(x, 2))
ours = openTSNE.TSNE(perplexity=perplexity, n_iter=750, negative_gradient_method="bh", theta=0.0, n_jobs=1)
theirs = TSNE(perplexity=perplexity, method="exact", init=first.astype(np.float32), max_iter=1000, random_state=0)
out["map"] = {
    "n": n, "width": width, "perplexity": perplexity, "x": x.ravel().tolist(), "y": y.ravel().tolist(),
    "pairs": pairs.ravel().tolist(),
    "p_exact": square[pairs[:, 0], pairs[:, 1]].tolist(), "p_near": np.asarray(near[pairs[:, 0], pairs[:, 1]]).ravel().tolist(),
    "kl_exact": float(kl), "gradient_exact": gradient.tolist(),
    "trustworthiness": trustworthiness(x, y, n_neighbors=12), "continuity": trustworthiness(y, x, n_neighbors=12),
    "kl_openTSNE": divergence(near, np.asarray(ours.fit(affinities=affinity.PerplexityBasedNN(x, perplexity=perplexity, method="exact", n_jobs=1), initialization=first.copy()))),
    "kl_sklearn": divergence(near, theirs.fit_transform(x.astype(np.float32)).astype(float)),
}
out["hypergeometric"] = [[k, m, 10, 10, float(scipy.stats.hypergeom.sf(k - 1, m, 10, 10))] for m in (99, 1000, 70000) for k in (0, 1, 3, 10)]
a, b = (np.random.default_rng(s).normal(0, 1, (20, 2)) for s in (6, 7))
a, b = (np.round(64 * v) / 64 for v in (a, a @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 0.3 * b + 2))
out["procrustes"] = {"a": a.ravel().tolist(), "b": b.ravel().tolist(), "disparity": scipy.spatial.procrustes(a, b)[2]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsne.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
