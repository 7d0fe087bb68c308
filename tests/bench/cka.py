"""What bench-cka measures, in numpy: the feature-space form of debiased CKA with its own closed-form jackknife, and the textbook form.

Run: python3 cka.py FOLDER (numpy), behind `bench-cka FOLDER`, whose states it reads and whose values and standard errors it is held to.
Feature form, of centred X and Y and M = X^T Y: tr(KL) = |M|^2 - sum_i |x_i|^2 |y_i|^2, and without item i from q_i = x_i . (M y_i) -
|x_i|^2 |y_i|^2 and (K r_L)_i = x_i . (X^T r_L) - |x_i|^2 r_L,i. The textbook form makes both n x n Gram matrices and computes all anew
without each item: measured for one pair without an item, and said n + 1 times for each of the pairs.
"""
import itertools
import json
import sys
import time

import numpy as np


def hsic(t, s_k, s_l, d, n):
    return (t + s_k * s_l / ((n - 1) * (n - 2)) - 2 * d / (n - 2)) / (n * (n - 3))


def pair(x, y, norm_x, norm_y):
    """HSIC_1 of two conditions, and without each item."""
    n = len(x)
    m = x.T @ y
    q = np.einsum("ij,ij->i", x @ m, y) - norm_x * norm_y
    r_k, r_l = x @ x.sum(0) - norm_x, y @ y.sum(0) - norm_y
    k_rl, l_rk = x @ (x.T @ r_l) - norm_x * r_l, y @ (y.T @ r_k) - norm_y * r_k
    t, s_k, s_l, d = q.sum(), r_k.sum(), r_l.sum(), r_k @ r_l
    left = hsic(t - 2 * q, s_k - 2 * r_k, s_l - 2 * r_l, d - r_k * r_l - k_rl - l_rk + q, n - 1)
    return hsic(t, s_k, s_l, d, n), left


def feature_form(states):
    x = [s.astype(np.float64) for s in states]
    x = [s - s.mean(0) for s in x]
    norms = [np.einsum("ij,ij->i", s, s) for s in x]
    own = [pair(s, s, a, a) for s, a in zip(x, norms)]
    out = []
    for a, b in itertools.combinations(range(len(x)), 2):
        value, left = pair(x[a], x[b], norms[a], norms[b])
        left = left / np.sqrt(own[a][1] * own[b][1])
        n = len(left)
        out.append((value / np.sqrt(own[a][0] * own[b][0]), np.sqrt((n - 1) / n * ((left - left.mean())**2).sum())))
    return np.array(out)


def textbook(x, y):
    """Debiased CKA as it is written: two Gram matrices, three HSIC_1."""
    k, l = (z @ z.T for z in (x - x.mean(0), y - y.mean(0)))
    for g in (k, l):
        np.fill_diagonal(g, 0)

    def of(a, b):
        ra, rb = a.sum(0), b.sum(0)
        return hsic((a * b).sum(), ra.sum(), rb.sum(), ra @ rb, len(a))

    return of(k, l) / np.sqrt(of(k, k) * of(l, l))


folder = sys.argv[1]
with open(f"{folder}/cka.json") as f:
    ours = json.load(f)
n, width, layers = ours["n"], ours["width"], ours["layers"]
states = np.fromfile(f"{folder}/states.f32", np.float32).reshape(layers, n, width)
start = time.process_time()
theirs = feature_form(states)
seconds = time.process_time() - start
worst = np.abs(np.array(ours["value_se"]).reshape(-1, 2) - theirs).max()
print(f"feature-space form with its jackknife: {seconds:.1f} s of processor time, {seconds / ours['seconds']:.1f} times as much; "
      f"largest difference of a value or standard error {worst:.1e}")
assert worst < 1e-9
x, y = states[0].astype(np.float64), states[1].astype(np.float64)
start = time.process_time()
value = textbook(x[1:], y[1:])
once = time.process_time() - start
assert abs(textbook(x, y) - theirs[0][0]) < 1e-9
pairs = layers * (layers - 1) // 2
all_of_it = once * pairs * (n + 1)
print(f"textbook form: {once:.2f} s a pair without an item, {all_of_it:.0f} s by that for {pairs} pairs and all items, "
      f"{all_of_it / ours['seconds']:.0f} times as much; without any jackknife {once * pairs:.0f} s")
