#!/usr/bin/env python3
"""Maps of all layers of a model: seconds, and what stands beside a map in parts of a map's time.

    python3 tests/bench/layers.py build [LAYERS [ITEMS [WIDTH]]]     (h5py, numpy; 13 layers of 800 x 768 unless said; needs bench-map)

Each layer goes through `plumb tsne --seeds 1`: reading, components, maps at exaggeration 1 and 4, their quality, reliability,
writing. A map is what bench-map does of it: components, neighbours, affinities, 1,000 iterations; the second exaggeration is 750 more;
the rest are extras. Goals: all layers in 20 s, extras at most 0.3 of a map. Ratios are of processor time, one thread.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np


def spent(*command):
    """Wall and processor seconds, and what it prints."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def find(build, name):
    for folder, _, files in os.walk(build):
        if name in files:
            return os.path.join(folder, name)
    sys.exit(f"{name} is not in {build}: cmake --build {build} --target {name}")


build = sys.argv[1]
layers, n, width = (int(sys.argv[i]) if len(sys.argv) > i else usual for i, usual in ((2, 13), (3, 800), (4, 768)))
rng = np.random.default_rng(0)
x = rng.normal(0, 1, (n, width)) + 1.5 * rng.normal(0, 1, (12, width))[rng.integers(0, 12, n)]
wall = cpu = 0.0
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "states.h5")
    with h5py.File(path, "w") as f:
        for layer in range(layers):
            x = 0.9 * x + 0.4 * rng.normal(0, 1, (n, width))
            f[f"obsm/last.{layer:02d}"] = x.astype("f4")
    for layer in range(layers):
        took = spent(os.path.join(build, "plumb"), "tsne", path, "--dataset", f"/obsm/last.{layer:02d}", "--seeds", "1", "--quiet",
                     "--out", os.path.join(folder, f"map{layer}.h5"))
        wall, cpu = wall + took[0], cpu + took[1]
    points = os.path.join(folder, "points")
    x.astype("f4").tofile(points)
    os.environ["OMP_NUM_THREADS"] = "1"
    before = spent(os.path.join(build, "plumb"), "tsne", path, "--dataset", f"/obsm/last.{layers - 1:02d}", "--seeds", "1", "--threads", "1",
                   "--quiet", "--out", os.path.join(folder, "last.h5"))[1]
    components, affinities, iterations = json.loads(spent(find(build, "bench-map"), points, str(n), str(width), "cpu", "3")[2])["cpu_s"]
one = components + affinities + iterations
extras = (before - one - 0.75 * iterations) / one
print(f"{layers} layers of {n} x {width}, `python3 tests/bench/layers.py`\n")
print("| what | measured | goal |\n|---|---|---|")
print(f"| all layers, wall | {wall:.1f} s | at most 20 s: {'met' if wall <= 20 else 'MISSED'} |")
print(f"| all layers, processor time | {cpu:.1f} s | |")
print(f"| a map, one thread: components, affinities, iterations | {components:.2f} + {affinities:.2f} + {iterations:.2f} s | |")
print(f"| extras, in parts of a map | {extras:.2f} | at most 0.3: {'met' if extras <= 0.3 else 'MISSED'} |")
sys.exit(wall > 20 or extras > 0.3)
