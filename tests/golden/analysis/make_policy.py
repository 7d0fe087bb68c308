"""Policies and signals of made-up cells, from scikit-learn and scipy: policy.json.

    python tests/golden/analysis/make_policy.py      # scikit-learn, scipy, numpy

Three models, six tasks, two halves each. What tuning gains follows the prompt's accuracy, and in the second set the
wobble of the middle layer as well. Values are rounded before anything is made of them, as the test reads them.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIGNALS = ["accuracy", "prediction_entropy", "flip_rate", "wobble_margin", "wobble", "shift", "cka_debiased", "probe_gap"]
BEHAVIOUR, MARGIN = 3, 0.03
MODELS, TASKS = 3, 6


def cells(seed, wobble):
    random = np.random.default_rng(seed)
    out = []
    for model in range(MODELS):
        for task in range(TASKS):
            base = random.uniform(0.5, 0.9, 1 + len(SIGNALS))
            for half in range(2):
                signals = np.round(base[1:] + random.normal(0, 0.02, len(SIGNALS)), 4)
                gain = 0.6 * (0.72 - signals[0]) + wobble * (signals[4] - 0.7) + random.normal(0, 0.02)
                repaired = round(float(base[0]), 4)
                cell = {
                    "model": f"m{model}",
                    "task": f"t{task}",
                    "half": half,
                    "signals": signals.tolist(),
                    "prompted": round(repaired - 0.03 + 0.05 * random.random(), 4),
                    "repaired": repaired,
                    "tuned": round(repaired + gain, 4),
                    "ood_flips": round(0.5 * signals[2] + random.normal(0, 0.02), 4),
                    "tune_tokens": int(random.integers(1000, 9000)),
                    "prompt_tokens": int(random.integers(100, 900)),
                    "wobble_lo": round(signals[3] - 0.2, 4),
                    "verdict": ["UNDECIDED", "PROMPT", "FINE-TUNE", "NEITHER"][int(random.integers(0, 4))],
                    "is_enough": bool(random.random() < 0.3),
                }
                out.append(cell)
    return out


def column(of, name):
    return np.array([c[name] for c in of])


def predictions(of, y, columns, groups):
    x = np.array([c["signals"] for c in of])[:, :columns]
    out, centre = np.empty(len(y)), np.empty(len(y))
    for fit, held in LeaveOneGroupOut().split(x, y, groups):
        out[held] = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(x[fit], y[fit]).predict(x[held])
        centre[held] = y[fit].mean()
    return out, centre


def judged(of, y, groups, binary):
    rows = {}
    for name, columns in (("behaviour", BEHAVIOUR), ("and representations", len(SIGNALS))):
        predicted, centre = predictions(of, y, columns, groups)
        rows[name] = {"r2": 1 - np.sum((y - predicted) ** 2) / np.sum((y - centre) ** 2)}
        if binary is not None:
            rows[name]["auroc"] = roc_auc_score(binary, predicted)
    return rows


def spearman(of, y):
    models, x = column(of, "model"), np.array([c["signals"] for c in of])

    def ranks(v):
        out = np.empty(len(v))
        for m in set(models):
            out[models == m] = rankdata(v[models == m]) - (np.sum(models == m) + 1) / 2
        return out

    z = np.stack([ranks(x[:, j]) for j in range(BEHAVIOUR)], 1)

    def left(v):
        return v - LinearRegression(fit_intercept=False).fit(z, v).predict(z)

    return {s: np.corrcoef(left(ranks(x[:, j])), left(ranks(y)))[0, 1] for j, s in enumerate(SIGNALS) if j >= BEHAVIOUR}


def decisions(of):
    """{policy: (tunes, utility, trains, claims)}"""
    p, r, t = column(of, "prompted"), column(of, "repaired"), column(of, "tuned")
    verdict, enough = column(of, "verdict"), column(of, "is_enough")
    fine, known = verdict == "FINE-TUNE", np.isin(verdict, ["FINE-TUNE", "PROMPT"])
    out = {}

    def put(name, tunes, trains=None, claims=None, utility=None):
        tunes = np.asarray(tunes, float)
        out[name] = (tunes, tunes * t + (1 - tunes) * r if utility is None else utility,
                     tunes if trains is None else np.asarray(trains, float),
                     np.ones(len(of)) if claims is None else np.asarray(claims, float))

    zero, one = np.zeros(len(of)), np.ones(len(of))
    put("always prompt|", zero, utility=p)
    put("always repair|", zero)
    put("always tune|", one)
    signals = np.array([c["signals"] for c in of])
    for name, values in (("accuracy only", -signals[:, 0]), ("flips only", signals[:, 2])):
        for held in ("task", "model"):
            groups = column(of, held)
            tunes = np.zeros(len(of))
            for g in set(groups):
                fit = groups != g
                candidates = [np.inf, *sorted(values[fit], reverse=True), -np.inf]
                best = max(candidates, key=lambda c: np.mean(np.where(values[fit] > c, t[fit], r[fit])))
                tunes[groups == g] = values[groups == g] > best
            put(f"{name}|{held}", tunes)
    put("wobble first|", column(of, "wobble_lo") > 0.5)
    put("verdict|", fine, one, known)
    put("verdict, staged|", fine & ~enough, ~enough, known | enough)
    put("random|", one * fine.mean())
    best = np.maximum(np.maximum(p, r), t)
    put("oracle|", t > np.maximum(p, r), one, utility=best)
    return out


def scores(of):
    p, r, t = column(of, "prompted"), column(of, "repaired"), column(of, "tuned")
    cost, looked = column(of, "tune_tokens").astype(float), column(of, "prompt_tokens").astype(float)
    all_of = decisions(of)
    best, verdict, gain = all_of["oracle|"][1], all_of["verdict|"][1], t - r
    out = {}
    for name, (tunes, utility, trains, claims) in all_of.items():
        wrong = tunes * (gain <= 0) + (1 - tunes) * (gain >= MARGIN)
        needs = gain > MARGIN
        difference = utility - verdict
        of_task = [difference[column(of, "task") == f"t{k}"].sum() for k in range(TASKS)]
        signs = np.array([[1 if b >> k & 1 else -1 for k in range(TASKS)] for b in range(2**TASKS)])
        sums = np.abs(signs @ of_task)
        out[name] = {
            "utility": utility.mean(),
            "regret": (best - utility).mean(),
            "captured": (utility - p).sum() / (best - p).sum(),
            "difference": difference.mean(),
            "p": float(np.mean(sums >= abs(sum(of_task)) - 1e-12)),
            "tuned": tunes.mean(),
            "spent": (trains * cost).sum() / cost.sum(),
            "looked": looked.sum() / cost.sum(),
            "precision": (tunes * needs).sum() / tunes.sum() if tunes.sum() else None,
            "recall": (tunes * needs).sum() / needs.sum(),
            "wrong": (claims * wrong).sum() / claims.sum(),
        }
    return out


def main():
    sets = []
    for seed, wobble in ((1, 0.0), (2, 1.0)):
        of = cells(seed, wobble)
        gain = column(of, "tuned") - column(of, "repaired")
        flips = column(of, "ood_flips")
        sets.append({
            "cells": of,
            "scores": scores(of),
            "gain of tuning": {h: judged(of, gain, column(of, h), gain > MARGIN) for h in ("task", "model")},
            "flips": {h: judged(of, flips, column(of, h), None) for h in ("task", "model")},
            "spearman": {"gain of tuning": spearman(of, gain), "flips": spearman(of, flips)},
        })
    out = Path(__file__).with_name("policy.json")
    out.write_text(json.dumps({"signals": SIGNALS, "margin": MARGIN, "sets": sets}, indent=0) + "\n")


main()
