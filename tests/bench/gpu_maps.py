#!/usr/bin/env python3
"""Exact t-SNE on a GPU beside TorchDR's, in one run: the optimisation of 1,000 iterations at perplexity 30, 50 components.

    python3 tests/bench/gpu_maps.py build > results/benchmarks/gpu-maps.md      (or: an unpacked bundle)
    python3 tests/bench/gpu_maps.py build --sizes 10000 --minutes 1
    python3 tests/bench/gpu_maps.py build --small --device cuda-emulated        (proves the script, measures nothing)

plumb's seconds are of bench-map: from affinities on the host to the map on the host; TorchDR's of fit_transform less those of an
affinity of its own. Judge of both maps: bench-map's divergence, every pair. Needs numpy and, for the baseline, torch and torchdr.
Goals: 10,000 points in 0.1 s, 70,000 in 1.2 s, at least 5 times TorchDR, a divergence at most 1 % above its. --minutes bounds the
whole; what did not fit is listed as not measured. Exit code 1 when a goal is missed or a check fails.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from side_by_side import Table, environment, program

GOAL_S = {10000: 0.1, 70000: 1.2}


def components(n, width=50):
    """Planted states, already in their principal components: 20 groups, directions of falling variance."""
    rng = np.random.default_rng(0)
    scale = np.linspace(6, 0.5, width)
    x = scale * (rng.normal(0, 1, (n, width)) + 1.5 * rng.normal(0, 1, (20, width))[rng.integers(0, 20, n)])
    return (x - x.mean(0)).astype("f4")


def bench_map(o, path, n, *words, seconds):
    run = subprocess.run([program(o.where, "bench-map"), path, str(n), "50", o.device, *words], env=environment(o.where, o.device),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    return json.loads(run.stdout)


def torchdr_map(x, device):
    import torch
    from torchdr import TSNE, EntropicAffinity
    data = torch.from_numpy(x).to(device)

    def timed(make):
        torch.cuda.synchronize()
        start = time.perf_counter()
        out = make()
        torch.cuda.synchronize()
        return out, time.perf_counter() - start
    _, affinity = timed(lambda: EntropicAffinity(perplexity=30, device=device, sparsity=True)(data))
    y, whole = timed(lambda: TSNE(perplexity=30, max_iter=1000, min_grad_norm=0, device=device, random_state=0).fit_transform(data))
    return np.asarray(y.cpu() if hasattr(y, "cpu") else y, dtype="f4"), whole - affinity


def one_size(o, table, n, folder, left):
    path = os.path.join(folder, f"points-{n}")
    x = components(n)
    x.tofile(path)
    ours = bench_map(o, path, n, "2" if o.small else "5", seconds=left())
    seconds = statistics.median(ours["optimise_s"])
    name, goal = f"exact, {n:,} points", GOAL_S.get(n)
    verdict = "" if goal is None else table.verdict(name, seconds <= goal, f"≤{goal} s")
    check = table.check(name, ours["same_bits"], "the same bits every time")
    print(f"| {name} | {seconds:.3f} s, KL {ours['kl']:.4f} | | | {verdict} | {check} |", flush=True)
    try:
        import torchdr  # noqa: F401
    except ImportError as error:
        table.not_measured(f"{name} beside TorchDR", str(error))
        return
    if not o.device.startswith("cuda") or o.device.startswith("cuda-emulated"):
        table.not_measured(f"{name} beside TorchDR", "no GPU")
        return
    if left() < 5:
        table.not_measured(f"{name} beside TorchDR", "no time left")
        return
    torchdr_map(components(500), o.device)
    y, theirs = torchdr_map(x, o.device)
    y.tofile(path + ".theirs")
    kl = bench_map(o, path, n, "--judge", path + ".theirs", seconds=max(left(), 5))["kl"]
    verdict = table.verdict(f"{name} beside TorchDR", theirs / seconds >= 5, "≥5x")
    check = table.check(f"{name}: divergence", ours["kl"] <= 1.01 * kl, f"KL {ours['kl']:.4f} to {kl:.4f}")
    print(f"| {name} beside TorchDR | {seconds:.3f} s | {theirs:.3f} s | {theirs / seconds:.1f}x | {verdict} | {check} |", flush=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("where", help="build folder or unpacked bundle")
    a.add_argument("--device", default="cuda")
    a.add_argument("--sizes", default="10000,70000")
    a.add_argument("--small", action="store_true", help="200 points: the script is tried, nothing is measured")
    a.add_argument("--minutes", type=float, default=4)
    o = a.parse_args()
    started, table = time.monotonic(), Table(judge=not o.small)

    def left():
        return 60 * o.minutes - (time.monotonic() - started)
    print(f"Exact t-SNE on {o.device}: `python3 tests/bench/gpu_maps.py`, perplexity 30, 50 components, 250 + 750 iterations")
    table.begin()
    with tempfile.TemporaryDirectory() as folder:
        for n in [200] if o.small else [int(word) for word in o.sizes.split(",")]:
            if left() < 5:
                table.not_measured(f"exact, {n:,} points", "no time left")
                continue
            try:
                one_size(o, table, n, folder, left)
            except subprocess.TimeoutExpired:
                table.not_measured(f"exact, {n:,} points", "stopped, no time left")
            except (FileNotFoundError, RuntimeError) as error:
                table.fail(f"exact, {n:,} points", str(error))
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
