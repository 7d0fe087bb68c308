"""plumb tsne beside scikit-learn's Barnes-Hut form, openTSNE and, where it is installed, FIt-SNE, one thread each, and how good the maps
are by one judge.

Run: python3 tests/bench/tsne.py build/plumb [ROWS [WIDTH]], or build/plumb FILE.h5 /obsm/last.05 for states of a model (h5py, numpy,
scikit-learn, openTSNE; fitsne). Seconds are processor time, so that a busy machine matters little; plumb's are of the whole verb: reading, PCA, the maps at exaggeration 1 and 4 from one start, quality,
reliability, writing. The others get the 50 principal components for nothing and make one map. Judge: the divergence with openTSNE's
affinities of 90 exact neighbours, all pairs, in double. Planted states: 20 groups, 30 shared directions, noise.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import openTSNE
import sklearn
from openTSNE import affinity, initialization
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

try:
    import fitsne
except ImportError:
    fitsne = None


def states(n, width):
    rng = np.random.default_rng(0)
    centres = 0.6 * rng.normal(0, 1, (20, width))
    shared = rng.normal(0, 1, (n, 30)) @ rng.normal(0, 1, (30, width))
    return (centres[rng.integers(0, 20, n)] + 0.15 * shared + 0.5 * rng.normal(0, 1, (n, width)) + 5).astype("f4")


def divergence(p, y):
    y = np.asarray(y, dtype=float)
    z = -float(len(y))
    for i in range(0, len(y), 500):
        z += (1 / (1 + ((y[i:i + 500, None] - y[None]) ** 2).sum(2))).sum()
    d = ((y[p.row] - y[p.col]) ** 2).sum(1)
    return float((p.data * np.log(p.data * (1 + d) * z)).sum())


def plumb_map(program, x, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s.h5")
        with h5py.File(path, "w") as f:
            f["states"] = x
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "tsne", path, "--seeds", "1", "--threads", "1", "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with h5py.File(path) as f:
            return f["obsm/X_tsne"][()], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(make):
    start = time.process_time()
    return make(), time.process_time() - start


def opentsne_map(pca):
    p = affinity.PerplexityBasedNN(pca, perplexity=30, n_jobs=1, random_state=0)
    return openTSNE.TSNE(perplexity=30, n_iter=750, n_jobs=1, random_state=0).fit(
        affinities=p, initialization=initialization.pca(pca, random_state=0))


program = sys.argv[1]
if len(sys.argv) > 3 and sys.argv[3].startswith("/"):
    with h5py.File(sys.argv[2]) as f:
        x = f[sys.argv[3]][()].astype("f4")
else:
    x = states(*(int(sys.argv[i]) if len(sys.argv) > i else usual for i, usual in ((2, 10000), (3, 768))))
n, width = x.shape
pca = PCA(50, svd_solver="full").fit_transform(x.astype(float))
judge = affinity.PerplexityBasedNN(pca, perplexity=30, method="exact", n_jobs=1).P.tocoo()
print(f"{n} x {width}; scikit-learn {sklearn.__version__}, openTSNE {openTSNE.__version__}")
print("| | s | times plumb's | KL | KL to plumb's | trustworthiness |\n|---|---|---|---|---|---|")
ours, seconds = plumb_map(program, x)
best = divergence(judge, ours)
rows = [("plumb tsne, two maps and what stands beside them", ours, seconds)]
others = [("openTSNE, 250 + 750 iterations", lambda: opentsne_map(pca)),
          ("scikit-learn, Barnes-Hut, 1,000 iterations", lambda: TSNE(perplexity=30, n_jobs=1, random_state=0).fit_transform(pca))]
if fitsne:
    others.append(("FIt-SNE, 1,000 iterations",
                   lambda: fitsne.FItSNE(np.ascontiguousarray(pca), perplexity=30, max_iter=1000, nthreads=1, rand_seed=1)))
for name, make in others:
    rows.append((name, *timed(make)))
for name, y, s in rows:
    kl = divergence(judge, y)
    print(f"| {name} | {s:.1f} | {s / seconds:.1f} | {kl:.4f} | {100 * (kl / best - 1):+.2f} % | {trustworthiness(pca, np.asarray(y), n_neighbors=15):.4f} |", flush=True)
