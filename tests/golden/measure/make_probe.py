"""Writes probe.json: scikit-learn's probes between conditions of the same items.

Run: python3 make_probe.py (numpy, scikit-learn; the versions used stand in the file). For each condition and fold a pipeline of
StandardScaler and LogisticRegression learns outside the fold and answers inside it, under every condition; the control learns from
permuted labels. No answer is a near tie: the script checks the margins.
"""
import json
import os

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def best(model, x):
    z = model.decision_function(x)
    z = np.stack([-z, z], 1) if z.ndim == 1 else z
    top = np.sort(z, 1)
    assert (top[:, -1] - top[:, -2]).min() > 1e-5
    return z.argmax(1)


def case(seed, n, t, width, m, folds):
    rng = np.random.default_rng(seed)
    classes, signal = rng.permutation(np.arange(n) % m), rng.normal(0, 1, (m, width))
    x = np.stack([np.round(64 * (signal[classes] * (0.6 if k == 0 else 0.3) + 2 * k + rng.normal(0, 1 + k, (n, width)))) / 64 for k in range(t)])  # exact in float32
    fold, permuted, c = rng.permutation(np.arange(n) % folds), rng.permutation(classes), 10.0 / width
    correct, control = np.zeros((t, t, n), int), np.zeros((t, n), int)
    for a in range(t):
        for f in range(folds):
            out, inside = fold != f, fold == f
            fit = lambda y: make_pipeline(StandardScaler(), LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000)).fit(x[a][out], y[out])
            model, other = fit(classes), fit(permuted)
            for b in range(t):
                correct[a, b, inside] = best(model, x[b][inside]) == classes[inside]
            control[a, inside] = best(other, x[a][inside]) == permuted[inside]
    assert 0.5 < correct[0, 0].mean() < 1
    return {"n": n, "t": t, "width": width, "m": m, "folds": folds, "x": x.ravel().tolist(), "classes": classes.tolist(), "permuted": permuted.tolist(),
            "fold": fold.tolist(), "correct": correct.ravel().tolist(), "control": control.ravel().tolist()}


out = {"versions": {"numpy": np.__version__, "sklearn": sklearn.__version__}, "cases": [case(1, 60, 3, 20, 2, 5), case(2, 45, 2, 70, 3, 5)]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
