#!/usr/bin/env python3
"""What a report costs a reader and a run: seconds of `plumb report`, bytes, heap, first paint, frames a second while a map is moved.

    python3 tests/bench/page.py build [--items 10000] > results/benchmarks/page.md

Needs h5py, numpy and Chromium, headless and without a GPU: a desktop's is faster. Runs are made of tiny random models: one of 200
units, one of --items items under 8 wordings with maps. Maps of a run have 5,000 points at most, so the 50,000 that are moved are
planted in a copy's analysis.h5. Goals: a report of 200 units in 3 s, 3 MB, 200 MB of heap, first paint in 1 s, 30 frames a second.
Exit code 1: a goal is missed. 77: there is no Chromium.
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "program"))
from browser import Browser, settle  # noqa: E402

WORDINGS = ["{{text}}", "{{text}} Answer:", "Q: {{text}}", "Q: {{text}} A:", "Say: {{text}}", "{{text}} So:", "Text: {{text}}", "{{text}}?"]
# Moves the first panel by some pixels a frame for two seconds; the frames that were shown.
MOVE = """(async () => {
  const canvas = document.querySelector('figure.map canvas'), box = canvas.getBoundingClientRect(), times = [];
  const at = (type, x, buttons) => canvas.dispatchEvent(new PointerEvent(type, {bubbles: true, pointerId: 1, isPrimary: true, button: 0, buttons,
      clientX: box.x + x, clientY: box.y + 120}));
  canvas.setPointerCapture = () => {}; // no pointer of the browser's own is down
  at('pointerdown', 60, 1);
  let calls = 0;
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...all) { calls++; return draw.apply(this, all); };
  const end = performance.now() + 2000;
  for (let step = 0; performance.now() < end; step++) {
    at('pointermove', 60 + step % 80, 1);
    await new Promise(done => requestAnimationFrame(done));
    times.push(performance.now());
  }
  at('pointerup', 60, 0);
  return [times, calls];
})()"""


def program(build, *words):
    began = time.perf_counter()
    run = subprocess.run([os.path.join(build, words[0]), *words[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(words)}: {run.stderr.strip()[-500:]}")
    return time.perf_counter() - began


def make_run(o, folder, name, items, arms, more):
    where = os.path.join(folder, name)
    os.makedirs(where)
    for part, n in (("pool", 100), ("rows", items)):
        with open(os.path.join(where, part + ".jsonl"), "w") as file:
            for i in range(n):
                file.write(json.dumps({"text": f"{part} {i} of words that are {i * 7919 % 1000} in number", "label": i % 2}) + "\n")
    templates = [{"name": f"w{i}", "role": "id" if i < 2 else "ood", "doc_to_text": text} for i, text in enumerate(WORDINGS)]
    task = {"task": name, "dataset_path": ".", "training_split": "pool.jsonl", "test_split": "rows.jsonl", "output_type": "multiple_choice",
            "doc_to_target": "label", "doc_to_choice": ["no", "yes"], "plumb": {"templates": templates}}
    experiment = {"name": name, "models": [{"path": os.path.join(folder, "gpt2"), "name": "tiny"}], "tasks": ["task.yaml"], "seed": 1, "items": items,
                  "arms": arms, "capture": {"layers": "all", "positions": ["last"]}, **more}
    for file, value in (("task.yaml", task), ("e.yaml", experiment)):
        with open(os.path.join(where, file), "w") as out:
            json.dump(value, out)
    program(o.build, "plumb", "run", os.path.join(where, "e.yaml"), "--quiet", "--device", "cpu", "--results", os.path.join(where, "r"))
    return glob.glob(os.path.join(where, "r", name + "-*"))[0]


def plant_map(run, points):
    """Instead of the run's maps one of so many points, under the first map's name."""
    path = os.path.join(run, "analysis.h5")
    with h5py.File(path) as f:
        old = f["maps/000"]
        head = {key: old[key][()] for key in old if old[key].shape == ()}
        templates = list(old["template"].asstr())
    n = points // len(templates)
    rng = np.random.default_rng(0)
    place = lambda: (rng.normal(0, 1, (n * len(templates), 2)) + 6 * rng.normal(0, 1, (12, 2))[rng.integers(0, 12, n * len(templates))]).astype("f4")  # noqa: E731
    with h5py.File(path, "w") as f:
        g = f.create_group("maps/000")
        for key, value in head.items():
            g[key] = value
        g["doc_id"] = np.arange(n)
        g.create_dataset("template", data=templates, dtype=h5py.string_dtype())
        for key in ("pca", "tsne", "exaggeration_4"):
            g[key] = place()
        g["distrusted"] = (rng.random(n * len(templates)) < 0.05).astype("i8")
    return n * len(templates)


class Table:
    def __init__(self):
        self.missed = 0
        print("| what | measured | goal |\n|---|---|---|", flush=True)

    def row(self, what, value, unit, goal, most=True):
        met = value <= goal if most else value >= goal
        self.missed += not met
        print(f"| {what} | {value:,.3g} {unit} | {'at most' if most else 'at least'} {goal:g} {unit}: {'met' if met else 'MISSED'} |", flush=True)


def in_browser(chromium, table, page, label, frames):
    profile = tempfile.mkdtemp()
    browser = Browser(chromium, profile)
    try:
        paints = []
        for _ in range(5):
            browser.open("about:blank")
            browser.open("file://" + page)
            settle(browser, "performance.getEntriesByName('first-contentful-paint').length > 0")
            paints.append(browser.value("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
        table.row(f"{label}: first paint, median of 5", statistics.median(paints), "s", 1)
        browser.value("document.querySelectorAll('figure.map').forEach(f => f.scrollIntoView())")
        settle(browser, "document.querySelectorAll('figure.map canvas').length > 0")
        browser.call("HeapProfiler.collectGarbage")
        table.row(f"{label}: heap with maps", browser.call("Runtime.getHeapUsage")["usedSize"] / 1e6, "MB", 200)
        if frames:
            browser.value("document.querySelector('figure.map canvas').scrollIntoView()")
            time.sleep(1)
            times, calls = browser.value(MOVE)
            if calls < len(times):
                sys.exit("the map does not move")
            table.row(f"{label}: moved", (len(times) - 1) / (times[-1] - times[0]) * 1000, "frames/s", 30, most=False)
            between = sorted(b - a for a, b in zip(times, times[1:]))
            table.row(f"{label}: a frame, 95 % quantile", between[int(0.95 * len(between))], "ms", 50)
    finally:
        browser.close()
        shutil.rmtree(profile, ignore_errors=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("build")
    a.add_argument("--items", type=int, default=10000)
    a.add_argument("--points", type=int, default=50000)
    o = a.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("SKIP: no Chromium")
        return 77
    print(f"`python3 tests/bench/page.py build --items {o.items}`\n")
    with tempfile.TemporaryDirectory() as folder:
        program(o.build, "plumb-make-model", os.path.join(folder, "gpt2"), "--family", "gpt2",
                *sorted(glob.glob(os.path.join(HERE, "../../experiments/paper/data/*.jsonl"))))
        table = Table()
        units = make_run(o, folder, "units", 40, [{"kind": "prompt", "shots": [1, 2, 3, 4, 5], "draws": 5}], {})
        seconds = statistics.median(program(o.build, "plumb", "report", units) for _ in range(3))
        table.row("report of 200 units", seconds, "s", 3)
        large = make_run(o, folder, "large", o.items, [{"kind": "prompt", "shots": [0]}], {"analysis": {"tsne": {"layers": ["last"], "seeds": 1}}})
        table.row(f"report of {o.items:,} items under 8 wordings", program(o.build, "plumb", "report", large), "s", 30)
        page = os.path.join(large, "report.html")
        table.row(f"{o.items:,} items: the page", os.path.getsize(page) / 1e6, "MB", 3.01)
        in_browser(chromium, table, page, f"{o.items:,} items", False)
        points = plant_map(large, o.points)
        program(o.build, "plumb", "report", large, "--report-max", "20000000")
        in_browser(chromium, table, page, f"{points:,} points", True)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
