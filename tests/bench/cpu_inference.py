#!/usr/bin/env python3
"""Inference on the CPU against transformers + PyTorch, in one run: float32, both on the same threads, alternating.

    cmake --build build --target bench-engine plumb plumb-make-model
    python3 tests/bench/cpu_inference.py build > results/benchmarks/cpu-inference.md

Needs torch and transformers (PyPI). Model: GPT-2's shape (124M parameters), random weights. What is compared:
  forward   the body (no vocabulary head) over 64 sequences of a fixed length distribution; baselines: batches of 8 padded
            to their longest, and one sequence at a time without padding. The head's own cost is printed beside it.
  scoring   900 shared demonstration tokens, 40 tokens an item, two one-token labels; baselines: lm-evaluation-harness's
            way with its one-token cache (one pass over the whole prompt per item), the same without the cache (a pass per
            label), and our own engine with sharing off.
  states    scoring with every layer kept at `last` and `mean`, over scoring alone.
  start     process start to first log-likelihood, beyond reading the weights from the page cache.
Each row: medians and extremes over the repeats, the ratio, and the equality check. Exit code 1 when a goal is missed.
"""
import argparse, json, os, platform, random, statistics, subprocess, sys, tempfile, time

arguments = argparse.ArgumentParser()
arguments.add_argument("build")
arguments.add_argument("--repeats", type=int, default=5)
arguments.add_argument("--items", type=int, default=40, help="items scored by plumb; the baselines run fewer and are scaled per item")
arguments.add_argument("--baseline-items", type=int, default=6)
arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
options = arguments.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import torch, transformers  # noqa: E402  (after the thread count)

torch.set_num_threads(options.threads)
torch.manual_seed(0)
random.seed(20250623)
V, DEMOS, ITEM = 50257, 900, 40
goals_missed = []


def program(name):
    for folder, _, files in os.walk(options.build):
        if name in files:
            return os.path.join(folder, name)
    sys.exit(f"{name} is not in {options.build}")


class Engine:
    def __init__(self, model, requests, folder, name):
        path = os.path.join(folder, name + ".json")
        json.dump(requests, open(path, "w"))
        self.process = subprocess.Popen([program("bench-engine"), model, path, "--threads", str(options.threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.flush()
        self.process.wait()


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def spread(seconds):
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f}-{max(seconds):.3f})"


def row(name, ours, theirs, goal, check, scale=1.0):
    ratio = statistics.median(t * scale / o for o, t in zip(ours, theirs))
    verdict = "" if goal is None else f"≥{goal}: {'met' if ratio >= goal else 'MISSED'}"
    if goal is not None and ratio < goal:
        goals_missed.append(name)
    print(f"| {name} | {spread(ours)} | {spread([t * scale for t in theirs])} | {ratio:.2f}x | {verdict} | {check} |", flush=True)


def main():
    folder = tempfile.mkdtemp()
    model_folder = os.path.join(folder, "gpt2-124m")
    subprocess.run([program("plumb-make-model"), model_folder, "--family", "gpt2", "--shape", "124M", *texts()], check=True,
                   stdout=subprocess.DEVNULL)
    reference = transformers.GPT2LMHeadModel.from_pretrained(model_folder, torch_dtype=torch.float32).eval()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(f"# Inference on the CPU, GPT-2-124M shape, random weights, float32\n\n{time.strftime('%Y-%m-%d')}, {cpu}, {options.threads} threads; "
          f"torch {torch.__version__}, transformers {transformers.__version__}. Command: `python3 {' '.join(sys.argv)}`\n\n"
          f"Medians (smallest-largest) of {options.repeats} alternating repeats; the ratio is the median of the repeats' own ratios.\n\n"
          "| what | plumb | baseline | ratio | goal | equality |\n|---|---|---|---|---|---|")
    with torch.no_grad():
        forward(reference, model_folder, folder)
        scoring(reference, model_folder, folder)
    start_up(model_folder, folder)
    print("\n" + ("All goals met." if not goals_missed else "Goals missed: " + ", ".join(goals_missed) + "."))
    return 1 if goals_missed else 0


def texts():
    data = os.path.join(os.path.dirname(__file__), "../../experiments/paper/data")
    return [os.path.join(data, f) for f in sorted(os.listdir(data)) if f.endswith(".jsonl")]


def forward(reference, model_folder, folder):
    # A fixed distribution: log-uniform lengths from 16 to 400 tokens, as they come (not sorted).
    lengths = [int(16 * (400 / 16) ** random.random()) for _ in range(64)]
    sequences = [[random.randrange(V) for _ in range(n)] for n in lengths]
    engine = Engine(model_folder, [{"ids": s, "own_first": 0, "labels": []} for s in sequences], folder, "forward")

    def padded():
        last = []
        for i in range(0, len(sequences), 8):
            batch = sequences[i:i + 8]
            longest = max(map(len, batch))
            ids = torch.tensor([s + [0] * (longest - len(s)) for s in batch])
            mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in batch])
            states = reference.transformer(ids, attention_mask=mask).last_hidden_state
            last += [states[j, len(s) - 1] for j, s in enumerate(batch)]
        return last

    def unpadded():
        return [reference.transformer(torch.tensor([s])).last_hidden_state[0, -1] for s in sequences]

    def head():
        return [reference.lm_head(torch.zeros(1, len(s), 768)) for s in sequences]

    engine.run("forward"), padded()
    ours, with_pads, without, heads = [], [], [], []
    for _ in range(options.repeats):
        answer = engine.run("forward")
        ours.append(answer["seconds"])
        seconds, states = timed(padded)
        with_pads.append(seconds)
        without.append(timed(unpadded)[0])
        heads.append(timed(head)[0])
    engine.close()
    difference = max((torch.tensor(a, dtype=torch.float32) - b[:8]).norm() / b[:8].norm() for a, b in zip(answer["last"], states))
    check = f"states of the last token: relative difference ≤{difference:.1e}"
    name = f"forward, 64 sequences of {min(lengths)}-{max(lengths)} tokens ({sum(lengths)} in all)"
    row(name + ", against padded batches of 8", ours, with_pads, 1.3, check)
    row(name + ", against one at a time, unpadded", ours, without, None, check)
    row("(the head over every token, which plumb never computes: the baseline's extra cost)", ours, heads, None, "")


def scoring(reference, model_folder, folder):
    demos = [random.randrange(V) for _ in range(DEMOS)]
    items = [demos + [random.randrange(V) for _ in range(ITEM)] for _ in range(options.items)]
    labels = [random.randrange(V), random.randrange(V)]
    engine = Engine(model_folder, [{"ids": s, "own_first": DEMOS, "labels": [[l] for l in labels]} for s in items], folder, "score")
    some = items[:options.baseline_items]
    scale = options.items / options.baseline_items

    def cached():
        return [torch.log_softmax(reference(torch.tensor([s])).logits[0], -1)[-1, labels] for s in some]

    def per_label():
        return [torch.stack([torch.log_softmax(reference(torch.tensor([s])).logits[0], -1)[-1, l] for l in labels]) for s in some[:2]]

    engine.run("score"), engine.run("states"), cached()
    ours, kept, alone, grouped, each = [], [], [], [], []
    for _ in range(options.repeats):
        answer = engine.run("score")
        ours.append(answer["seconds"])
        seconds, expected = timed(cached)
        grouped.append(seconds)
        states = engine.run("states")
        kept.append(states["seconds"])
    for _ in range(max(1, options.repeats // 2)):
        each.append(timed(per_label)[0])
        unshared = engine.run("score-unshared")
        alone.append(unshared["seconds"])
    # Capture's cost needs finer timing than the rest: pairs, one right after the other.
    pairs = [(engine.run("score")["seconds"], engine.run("states")["seconds"]) for _ in range(4 * options.repeats)]
    engine.close()
    difference = max((torch.tensor(a) - b).abs().max() for a, b in zip(answer["loglik"], expected))
    check = f"log-likelihoods: largest difference {difference:.1e} nats"
    same = "same bits" if unshared["loglik"] == answer["loglik"] else "DIFFERENT BITS"
    name = f"scoring, {DEMOS} shared + {ITEM} own tokens, two one-token labels, {options.items} items"
    row(name + f", against lm-eval's way with its one-token cache ({options.baseline_items} items, scaled)", ours, grouped, 10, check, scale)
    row(name + ", against a whole prompt per label (2 items, scaled)", ours, each, 10, check, options.items / 2)
    row(name + ", against plumb with sharing off", ours, alone, 10, same)
    cost = statistics.median(b / a - 1 for a, b in pairs) * 100
    same = "same bits" if states["loglik"] == answer["loglik"] else "DIFFERENT BITS"
    if cost > 3 or "DIFFERENT" in same:
        goals_missed.append("states")
    print(f"| states of all 14 layers at last and mean, over scoring alone | {spread([b for _, b in pairs])} | {spread([a for a, _ in pairs])} | "
          f"+{cost:.1f} % | ≤3 %: {'met' if cost <= 3 else 'MISSED'} | {same} |", flush=True)


def start_up(model_folder, folder):
    small = os.path.join(folder, "small")
    subprocess.run([program("plumb-make-model"), small, "--family", "llama", *texts()], check=True, stdout=subprocess.DEVNULL)
    for name, model, limit in (("a small model", small, 60), ("GPT-2-124M shape", model_folder, 300)):
        path = os.path.join(folder, "once.json")
        json.dump([{"ids": [1, 2, 3, 4, 5, 6, 7, 8], "own_first": 0, "labels": [[9], [10]]}], open(path, "w"))
        weights = os.path.join(model, "model.safetensors")
        ours, reading, beyond = [], [], []
        for _ in range(2 * options.repeats + 1):
            seconds, _ = timed(lambda: subprocess.run([program("bench-engine"), model, path, "--once", "--threads", str(options.threads)],
                                                      stdout=subprocess.DEVNULL, check=True))
            read, _ = timed(lambda: open(weights, "rb", buffering=0).readinto(bytearray(os.path.getsize(weights))))
            ours.append(seconds), reading.append(read), beyond.append(1000 * (seconds - read))
        value = statistics.median(beyond[1:])
        if value > limit:
            goals_missed.append("start, " + name)
        print(f"| start to first log-likelihood, {name} | {spread(ours[1:])} | reading the weights: {spread(reading[1:])} | "
              f"{value:.0f} ms beyond | ≤{limit} ms: {'met' if value <= limit else 'MISSED'} | |", flush=True)


sys.exit(main())
