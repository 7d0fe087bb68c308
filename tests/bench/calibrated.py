"""The package calibrated-similarity at what bench-calibrated measures: processor time of all threads.

Run: python3 calibrated.py [ITEMS [WIDTH [LAYERS]]] (torch, calibrated-similarity). One pair of layers is calibrated, and its time said
LAYERS^2 times: calibrate_layers calls the similarity for each pair and permutation anew. Similarities are written as the package's
documentation shows them: functions of the two matrices.
"""
import sys
import time

import torch
from calibrated_similarity import calibrate


def cka(x, y):
    k, l = (z @ z.T for z in (x - x.mean(0), y - y.mean(0)))
    k.fill_diagonal_(0)
    l.fill_diagonal_(0)
    n = len(k)

    def hsic(a, b):
        ra, rb = a.sum(0), b.sum(0)
        return (a * b).sum() + ra.sum() * rb.sum() / ((n - 1) * (n - 2)) - 2 * (ra @ rb) / (n - 2)

    return hsic(k, l) / torch.sqrt(hsic(k, k) * hsic(l, l))


def mknn(x, y, k=10):
    def near(z):
        z = z - z.mean(0)
        z = z / z.norm(dim=1, keepdim=True)
        return (z @ z.T).fill_diagonal_(-9).topk(k, dim=1).indices

    a, b = near(x), near(y)
    return (a[:, :, None] == b[:, None, :]).any(2).float().mean()


def procrustes(x, y):
    """On the first min(64, n/10) components, as torch makes them."""
    u, v = ((z - z.mean(0)) for z in (x, y))
    r = max(1, min(64, len(u) // 10))
    u, v = ((p[:, :r] * s[:r]) / s[:r].norm() for p, s in (torch.linalg.svd(z, full_matrices=False)[:2] for z in (u, v)))
    return torch.linalg.matrix_norm(u.T @ v, ord="nuc")


n, width, layers = (int(sys.argv[i]) if len(sys.argv) > i else usual for i, usual in ((1, 800), (2, 768), (3, 13)))
torch.manual_seed(1)
item = torch.randn(n, width)
x, y = item + torch.randn(n, width), item + torch.randn(n, width)
for name, similarity in (("cka", cka), ("mknn", mknn), ("procrustes", procrustes)):
    start = time.process_time()
    score = calibrate(x, y, similarity, K=200)[0]
    seconds = time.process_time() - start
    print(f"{name}: {n} items of width {width}, 200 permutations: one pair {seconds:.1f} s of processor time, "
          f"{layers} x {layers} layers by that {seconds * layers**2:.0f} s; score {score:.6f}")
