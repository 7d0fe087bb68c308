"""Writes logistic.json: scikit-learn's coefficients, probabilities, held-out losses and chosen strength.

Run: python3 make_logistic.py (numpy, scikit-learn; the versions used stand in the file). The data is a formula that the test
writes out too (states below; exact in float32). solver: newton-cholesky, whose optimum the script checks by the gradient.
"""
import json
import os

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

CASES = [  # name, rows, features, classes, standardise, strength
    ["wide of two", 40, 60, 2, False, 1.0],
    ["wide of two, scaled", 40, 60, 2, True, 0.01],
    ["wide of two, weak penalty", 40, 60, 2, True, 1000.0],
    ["tall of two", 90, 7, 2, True, 10.0],
    ["wide of three", 36, 50, 3, True, 1.0],
    ["tall of four", 80, 9, 4, False, 0.1],
    ["square of four, weak penalty", 24, 24, 4, True, 100.0],
]
STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]
CHOICES = [["two", 60, 80, 2, True, 5], ["three", 75, 20, 3, True, 5], ["two, as they are", 48, 12, 2, False, 4]]


def states(n, width, n_classes):
    """A hashed number in [-2, 2) + the class' direction; feature 3 far from 0 and 40 times as wide, feature 5 constant."""
    i, j = np.meshgrid(np.arange(n, dtype=np.uint64), np.arange(width, dtype=np.uint64), indexing="ij")
    v = ((i * 73856093) ^ (j * 19349663)) & 0xFFFFFFFF
    v = ((v ^ (v >> 13)) * 1274126177) & 0xFFFFFFFF
    v = v ^ (v >> 16)
    y = np.arange(n) * 7 % n_classes
    x = ((v % 256).astype(float) - 128) / 64 + ((y[:, None] + j) % n_classes == 0) * 0.5
    x[:, 3] = 300 + 40 * x[:, 3]
    x[:, 5] = 1.5
    return x, y


def model(standardise, **more):
    scale = StandardScaler() if standardise else FunctionTransformer()
    return make_pipeline(scale, LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000, **more))


def fit(name, n, width, n_classes, standardise, strength):
    x, y = states(n, width, n_classes)
    m = model(standardise, C=strength).fit(x, y)
    last = m[-1]
    # The optimum: coef = C sum (y - p) x of the features that it was fitted on.
    z, p = m[0].transform(x), m.predict_proba(x)
    residual = np.eye(n_classes)[y] - p
    residual = residual[:, 1:] if n_classes == 2 else residual
    error = np.abs(strength * residual.T @ z - last.coef_).max() / np.abs(last.coef_).max()
    assert error < 1e-9, (name, error)
    scale = m[0].scale_ if standardise else np.ones(width)
    mean = m[0].mean_ if standardise else np.zeros(width)
    coef = last.coef_ / scale
    intercept = last.intercept_ - coef @ mean
    intercept = intercept - (intercept.mean() if n_classes > 2 else 0)
    return {"name": name, "n": n, "width": width, "n_classes": n_classes, "standardise": standardise, "strength": strength,
            "coef": coef.ravel().tolist(), "intercept": intercept.tolist(), "probabilities": p.ravel().tolist(), "error": error}


def held_out(m, x, y):
    """The mean of ln p: not neg_log_loss, which cuts p off at 2e-16."""
    return m.predict_log_proba(x)[np.arange(len(y)), y].mean()


def choose(name, n, width, n_classes, standardise, n_folds):
    x, y = states(n, width, n_classes)
    folds = np.arange(n) // n_classes % n_folds
    grid = GridSearchCV(model(standardise), {"logisticregression__C": STRENGTHS}, scoring=held_out, cv=PredefinedSplit(folds))
    grid.fit(x, y)
    # Mean over held-out rows, as folds differ in size.
    sizes = np.bincount(folds)
    by_fold = np.array([grid.cv_results_[f"split{f}_test_score"] for f in range(n_folds)])
    losses = -(sizes[:, None] * by_fold).sum(0) / n
    chosen = STRENGTHS[int(losses.argmin())]
    assert chosen == grid.best_params_["logisticregression__C"]
    return {"name": name, "n": n, "width": width, "n_classes": n_classes, "standardise": standardise, "n_folds": n_folds,
            "folds": folds.tolist(), "losses": losses.tolist(), "chosen": chosen}


out = {"versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__}, "strengths": STRENGTHS,
       "fits": [fit(*case) for case in CASES], "choices": [choose(*case) for case in CHOICES]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "logistic.json"), "w") as f:
    json.dump(out, f, indent=None, separators=(",", ":"))
    f.write("\n")
for case in out["fits"]:
    print(case["name"], case["error"])
for case in out["choices"]:
    print(case["name"], case["losses"], case["chosen"])
