"""What wobble and debiased CKA of a run's states cost as the textbook has them, in numpy: the baseline of bench-analysis.

Run: python3 printed_set.py RUN SECONDS (h5py, numpy), behind `bench-analysis PLUMB FOLDER printed`; SECONDS: processor time that plumb took
for the whole table of RUN. Here, too, it is that of all threads. One layer and draw are computed and held to stability.csv; a delete-one jackknife computes all anew for each
item: four of them are timed. The whole is that, times layers and draws.
"""
import csv
import itertools
import json
import sys
import time

import h5py
import numpy as np


def hsic(k, l):
    n, row_k, row_l = len(k), k.sum(0), l.sum(0)
    return ((k * l).sum() + row_k.sum() * row_l.sum() / ((n - 1) * (n - 2)) - 2 * (row_k @ row_l) / (n - 2)) / (n * (n - 3))


def grams(x):
    """x [T, n, p], centred per template; zero diagonals."""
    x = x - x.mean(1, keepdims=True)
    g = x @ x.transpose(0, 2, 1)
    g[:, np.arange(g.shape[1]), np.arange(g.shape[1])] = 0
    return g


def cka(x):
    g = grams(x)
    own = [hsic(k, k) for k in g]
    return np.mean([hsic(g[a], g[b]) / np.sqrt(own[a] * own[b]) for a, b in itertools.combinations(range(len(g)), 2)])


def wobble(x):
    t, n, _ = x.shape
    x = x - x.mean((0, 1))
    item, template = x.mean(0), x.mean(1)
    rest = x - item[None] - template[:, None]
    ms_item, ms_rest = t * (item**2).sum() / (n - 1), (rest**2).sum() / ((n - 1) * (t - 1))
    return ms_rest / ((ms_item - ms_rest) / t + ms_rest)


def timed(call):
    start = time.process_time()
    value = call()
    return value, time.process_time() - start


def main(run, seconds):
    units = [u for u in json.load(open(run + "/plan.json"))["units"] if u["draw"] == 0]
    states = []
    for u in units:
        with h5py.File(f"{run}/units/{u['id']}.h5") as f:
            names = [name for name in f["obsm"] if name.startswith("last.")]
            states.append(f["obsm/last.final_norm"][:].astype(float))
    x = np.stack(states)
    draws = 1 + max(u["draw"] for u in json.load(open(run + "/plan.json"))["units"])
    rows = {r["metric"]: float(r["value"]) for r in csv.DictReader(open(run + "/stability.csv"))
            if r["layer"] == "final_norm" and r["contrast"] == "templates" and r["draw"] == "0" and r["preproc"] == "c" and not r["template"]}
    total = values = 0.0
    for name, of in (("wobble", wobble), ("cka_debiased", cka)):
        value, once = timed(lambda: of(x))
        assert abs(value - rows[name]) < 1e-9, (name, value, rows[name])
        without = np.mean([timed(lambda: of(np.delete(x, i, 1)))[1] for i in range(4)])
        whole = len(names) * draws * (once + x.shape[1] * without)
        total += whole
        values += len(names) * draws * once
        print(f"{name}: {value:.12f} as in stability.csv; {once:.2f} s a layer and draw, {without:.2f} s for each item left out: {whole:.0f} s in all")
    print(f"{x.shape[0]} templates, {x.shape[1]} items, width {x.shape[2]}, {len(names)} layers, {draws} draws: {total:.0f} s ({values:.0f} s without the jackknife), "
          f"plumb's whole table {seconds:.0f} s: {total / seconds:.0f} ({values / seconds:.1f}) times that")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
