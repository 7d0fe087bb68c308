"""Writes calibration.json: contextual calibration and template ensembles.

Run: python3 make_calibration.py (numpy, scipy). Calibration follows run_classification.py of tonyzhaozh/few-shot-learning
(e04d864), from which get_p_content_free and eval_accuracy are written out below: label probabilities are normalised for
each content-free input, averaged and normalised again, and predictions are those of diag(p_cf)^-1 p. Ensembles: the mean
of scipy's log_softmax over templates.
"""
import json
import os

import numpy as np
import scipy
from scipy.special import log_softmax


def get_p_content_free(all_p_y):
    all_p_y = [np.array(p_y) / np.sum(p_y) for p_y in all_p_y]
    p_y = np.mean(np.array(all_p_y), axis=0)
    return p_y / np.sum(p_y)


def eval_predictions(all_label_probs, p_cf):
    w, b = np.linalg.inv(np.identity(len(p_cf)) * p_cf), np.zeros([len(p_cf), 1])
    answers = []
    for label_probs in all_label_probs:
        label_probs = label_probs / np.sum(label_probs)
        answers.append(int(np.argmax(np.matmul(w, np.expand_dims(label_probs, axis=-1)) + b)))
    return answers


def case(name, seed, n_inputs, n, t, m):
    rng = np.random.default_rng(seed)
    free = np.round(rng.normal(-6, 2, (n_inputs, m)) + np.linspace(0, 3, m), 3)
    scores = np.round(rng.normal(-6, 1.5, (n, t, m)) + np.linspace(0, 3, m), 3)
    p_cf = get_p_content_free(np.exp(free))
    # The program's scores may lie far below what exp() holds: shift-invariance of both is in the test.
    mean = log_softmax(scores, axis=2).mean(1)
    return {"name": name, "m": m, "t": t, "n": n, "n_inputs": n_inputs, "free": free.ravel().tolist(), "scores": scores.ravel().tolist(),
            "bias": np.log(p_cf).tolist(), "plain": scores[:, 0].argmax(1).tolist(), "calibrated": eval_predictions(np.exp(scores[:, 0]), p_cf),
            "ensemble": log_softmax(mean, axis=1).ravel().tolist(), "ensemble_answers": mean.argmax(1).tolist()}


out = {"versions": {"numpy": np.__version__, "scipy": scipy.__version__}, "cases": [case("two", 1, 3, 12, 4, 2), case("four", 2, 3, 10, 3, 4)]}
for c in out["cases"]:
    assert c["plain"] != c["calibrated"] and c["plain"] != c["ensemble_answers"]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calibration.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
