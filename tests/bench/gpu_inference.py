#!/usr/bin/env python3
"""Inference on a GPU against PyTorch + transformers, side by side in one run: alternating repeats on the same device.

    python3 tests/bench/gpu_inference.py build > results/benchmarks/gpu-inference.md      (or: an unpacked bundle)
    python3 tests/bench/gpu_inference.py build --headline --minutes 2                     (the first model, fewer rows)
    python3 tests/bench/gpu_inference.py build --small --device cuda-emulated             (proves the script, measures nothing)

Needs torch, transformers and h5py. Models: GPT-2's and DistilGPT-2's shapes, random weights, bfloat16. What is compared:
  scoring     900 shared demonstration tokens, 40 tokens an item, 4 options of 2 tokens; baselines: lm-evaluation-harness's
              way (context-grouped, one-token cache, padded batches), a hand-reused past_key_values prefix
  states      all layers of all tokens into an HDF5 file on tmpfs; baselines: output_hidden_states + h5py as people write
              it, the same at equal stored type, and at its best
  positions   all layers at last and mean, over the forward pass alone
  forward     the body alone against torch.compile with CUDA graphs, by tokens a batch
  invariance  the price of bits that do not depend on the batch: against our own fastest products
  start       process start to first log-likelihood, over a process that makes a CUDA context and ends
Each row: medians and extremes of >= 5 repeats, the ratio, and the equality check; the reference of the checks is
transformers in float32. --minutes bounds the whole; what did not fit is listed as not measured. Exit code 1 when a
goal is missed or a check fails. Expected figures: results/benchmarks/gpu-predictions.md.
"""
import argparse, json, os, platform, random, shutil, subprocess, sys, tempfile, time

from side_by_side import Engine, Table, alternate, environment, fastest, program, relative_difference, timed

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {"distilgpt2": ["--shape", "124M", "--layers", "6"], "gpt2": ["--shape", "124M"]}
SECTIONS = ["scoring", "states", "positions", "forward", "invariance", "start"]


def parse():
    a = argparse.ArgumentParser()
    a.add_argument("where", help="build folder or unpacked bundle")
    a.add_argument("--device", default="cuda")
    a.add_argument("--compute", default="bfloat16")
    a.add_argument("--small", action="store_true", help="tiny model and sizes: the script is tried, nothing is measured")
    a.add_argument("--headline", action="store_true", help="the first model; scoring, forward at three sizes, states")
    a.add_argument("--repeats", type=int, default=5)
    a.add_argument("--minutes", type=float, default=9)
    a.add_argument("--batch-tokens", type=int, default=0, help="of our engine where the row does not set it (0: its own choice)")
    a.add_argument("--only", default=",".join(SECTIONS))
    return a.parse_args()


class Bench:
    def __init__(self, options):
        self.o = options
        self.started = time.perf_counter()
        self.folder = tempfile.mkdtemp(prefix="plumb-bench-")
        self.on_gpu = options.device.split(":")[0] == "cuda"
        self.torch_device = options.device if self.on_gpu else "cpu"
        self.table = Table(judge=not options.small)
        self.shapes = {"tiny": []} if options.small else SHAPES
        self.loaded = {}
        random.seed(20250623)

    def size(self, usual, small):
        return small if self.o.small else usual

    def model_folder(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            data = os.path.join(HERE, "../../experiments/paper/data")
            texts = [os.path.join(data, f) for f in sorted(os.listdir(data)) if f.endswith(".jsonl")]
            subprocess.run([program(self.o.where, "plumb-make-model"), path, "--family", "gpt2", *self.shapes[name], *texts], check=True,
                           stdout=subprocess.DEVNULL)
        return path

    def vocabulary(self, name):
        return json.load(open(os.path.join(self.model_folder(name), "config.json")))["vocab_size"]

    def reference(self, name, exact=False):
        """transformers' model in the compute type, or in float32."""
        import torch
        import transformers_ways as ways

        dtype = torch.float32 if exact else getattr(torch, self.o.compute)
        if (name, exact) not in self.loaded:
            self.loaded[name, exact] = ways.load(self.model_folder(name), dtype, self.torch_device)
        return self.loaded[name, exact]

    def engine(self, name, requests, batch_tokens=None, **env):
        return Engine(self.o.where, self.model_folder(name), requests, self.o.device, self.o.compute,
                      self.o.batch_tokens if batch_tokens is None else batch_tokens, **env)

    def tokens(self, name, n):
        return [random.randrange(self.vocabulary(name)) for _ in range(n)]

    def sequences(self, name, n, length):
        """Different first tokens where the vocabulary allows it: nothing is shared by chance."""
        V = self.vocabulary(name)
        starts = random.sample(range(V), n) if n <= V else [random.randrange(V) for _ in range(n)]
        return [[s] + self.tokens(name, length - 1) for s in starts]

    # ---- Rows of the table -----------------------------------------------------------------------------------------

    def scoring(self, name):
        import transformers_ways as ways

        n_demos, n_own, n = self.size(900, 40), self.size(40, 6), self.size(2048, 4)
        n_lm_eval, n_hand, n_exact = self.size(48, 2), self.size(512, 4), self.size(8, 2)
        demos = self.tokens(name, n_demos)
        questions = []
        for _ in range(n):
            firsts = random.sample(range(self.vocabulary(name)), 4)
            questions.append((demos + self.tokens(name, n_own), [[f] + self.tokens(name, 1) for f in firsts]))
        requests = [{"ids": prompt, "own_first": n_demos, "labels": options} for prompt, options in questions]
        model = self.reference(name)
        exact = ways.lm_eval_way(self.reference(name, exact=True), questions[:n_exact], 4)
        with self.engine(name, requests) as engine:
            batch = fastest(self.size((8, 32, 64), (2,)), lambda b: timed(lambda: ways.lm_eval_way(model, questions[:n_lm_eval], b))[0])
            rows = fastest(self.size((64, 128, 256), (4,)), lambda b: timed(lambda: ways.hand_reused_prefix(model, demos, questions[:n_hand], b))[0])
            ours, lm_eval, hand = alternate(
                self.o.repeats, lambda: engine.seconds("score"),
                lambda: timed(lambda: ways.lm_eval_way(model, questions[:n_lm_eval], batch))[0],
                lambda: timed(lambda: ways.hand_reused_prefix(model, demos, questions[:n_hand], rows))[0])
            answer = engine.ask("score")
            engine.ask(f"limit {self.size(32, 2)}")
            few, unshared = engine.ask("score"), engine.ask("score-unshared")

        def difference(scores):
            pairs = [(a, b) for mine, right in zip(scores, exact) for a, b in zip(mine, right, strict=True)]
            return max(abs(a - b) if a == a and b == b else float("inf") for a, b in pairs)

        # The tiny model's logits spread far wider than those of GPT-2's shapes, and rounding with them.
        limit = 1e-4 if self.o.compute == "float32" else self.size(0.02, 0.2)
        mine, theirs = difference(answer["loglik"]), difference(ways.hand_reused_prefix(model, demos, questions[:n_exact], 4 * n_exact))
        same = few["loglik"] == answer["loglik"][:len(few["loglik"])] == unshared["loglik"]
        label = f"scoring, {name}, {n_demos} shared + {n_own} tokens, 4 options of 2"
        check = self.table.check(label, mine <= limit and same,
                                 f"{mine:.1e} nats from float32 (baseline {theirs:.1e}); sharing off, fewer items: {'same' if same else 'OTHER'} bits")
        self.table.rates(f"{label}: lm-eval's way, batches of {batch}", ours, lm_eval, n, n_lm_eval, "questions/s", 30, check)
        self.table.rates(f"{label}: prefix reused by hand, batches of {rows}", ours, hand, n, n_hand, "questions/s", 5, check)

    def states(self, name):
        import h5py
        import torch
        import transformers_ways as ways

        n, length = self.size(256, 4), self.size(128, 8)
        sequences = self.sequences(name, n, length)
        room = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > self.size(8 << 30, 64 << 20) else self.folder
        where = "on tmpfs" if room == "/dev/shm" else "on disk (no room on tmpfs)"
        mine, theirs, tuned = [os.path.join(room, f"plumb-bench-{os.getpid()}-{w}.h5") for w in ("ours", "written", "tuned")]
        model, tokens, batch = self.reference(name), n * length, self.size(8, 2)
        tuned_batch = self.size(64, 2)
        try:
            with self.engine(name, [{"ids": s, "own_first": 0, "labels": []} for s in sequences]) as engine, torch.no_grad():
                half, full, written, best = alternate(
                    self.o.repeats, lambda: engine.seconds("file float16 " + mine), lambda: engine.seconds("file float32 " + mine),
                    lambda: timed(lambda: ways.states_as_written(model, sequences, theirs, batch))[0],
                    lambda: timed(lambda: ways.states_tuned(model, sequences, tuned, tuned_batch))[0])
                engine.ask("file float16 " + mine)
            exact = self.reference(name, exact=True)(torch.tensor(sequences[:2], device=self.torch_device), output_hidden_states=True).hidden_states
            exact = [h.cpu().reshape(-1, h.shape[-1]) for h in exact]
            exact_bytes = os.path.getsize(mine)
            with h5py.File(mine) as file:
                group = file["uns/plumb/states_all"]
                layers = sorted(k for k in group if k not in ("indptr", "ranges"))
                indptr, ranges = group["indptr"][:], group["ranges"][:].reshape(-1, 2)
                rows = [r for i in range(indptr[2]) for r in range(ranges[i][0], ranges[i][0] + ranges[i][1])]
                # Layers 0..L-1 and final_norm are transformers' L + 1; what is before the final norm it does not give.
                picked = [k for k in layers[:-2]] + ["final_norm"]
                worst = max(relative_difference(torch.tensor(group[k][:][rows]), e) for k, e in zip(picked, exact))
        finally:
            for path in (mine, theirs, tuned):
                if os.path.exists(path):
                    os.unlink(path)
        label = f"states of all layers and {tokens} tokens into HDF5 {where}, {name}"
        check = self.table.check(label, worst <= 0.02, f"relative difference from float32 {worst:.1e}; {exact_bytes >> 20} MiB as float16")
        self.table.rates(f"{label}: float16; baseline as people write it (float32)", half, written, tokens, tokens, "tokens/s", 20, check)
        self.table.rates(f"{label}: both float32", full, written, tokens, tokens, "tokens/s", None, check)
        self.table.rates(f"{label}: both float16, baseline at its best", half, best, tokens, tokens, "tokens/s", 4, check)

    def positions(self, name):
        n, length = self.size(512, 4), self.size(128, 8)
        sequences = self.sequences(name, n, length)
        with self.engine(name, [{"ids": s, "own_first": 0, "labels": []} for s in sequences]) as engine:
            kept, alone = alternate(4 * self.o.repeats, lambda: engine.seconds("positions"), lambda: engine.seconds("forward"))
            a, b = engine.ask("positions")["last"], engine.ask("forward")["last"]
        label = f"states of all layers at last and mean, over the forward pass, {name}, {n} x {length} tokens"
        self.table.cost(label, kept, alone, n * length, "tokens/s", 3, self.table.check(label, a == b, "final states: same bits"))

    def forward(self, name):
        import torch
        import transformers_ways as ways

        length = self.size(256, 8)
        model, V = self.reference(name), self.vocabulary(name)
        compiled = ways.compiled_body(model, self.o.small)
        sizes = (256, 2048, 8192) if self.o.headline else (256, 512, 1024, 2048, 8192, 32768) # torch.compile takes its time for each
        for batch_tokens in self.size(sizes, (8, 16)):
            label = f"forward, {name}, {batch_tokens} tokens a batch ({batch_tokens // length} sequences of {length})"
            if self.late():
                self.table.not_measured(label, "no time left")
                continue
            n_batches = max(8, min(64, self.size(262144, 16) // batch_tokens)) if not self.o.small else 2
            per_batch = batch_tokens // length
            sequences = self.sequences(name, n_batches * per_batch, length) if n_batches * per_batch <= V else None
            if sequences is None:
                self.table.not_measured(label, "vocabulary too small")
                continue
            ids = torch.tensor(sequences, device=self.torch_device)
            batches = list(ids.reshape(n_batches, per_batch, length))
            work = n_batches * batch_tokens
            with self.engine(name, [{"ids": s, "own_first": 0, "labels": []} for s in sequences], batch_tokens) as engine:
                ours, theirs = alternate(self.o.repeats, lambda: engine.seconds("forward"),
                                         lambda: timed(lambda: ways.forward_batches(model, compiled, batches))[0])
                answer = engine.ask("forward")
            with torch.no_grad():
                exact = self.reference(name, exact=True).base_model(ids[:4]).last_hidden_state[:, -1, :8].cpu()
            difference = relative_difference(torch.tensor(answer["last"][:4]), exact)
            check = self.table.check(label, difference <= 0.02, f"last states: relative difference from float32 {difference:.1e}")
            self.table.rates(label + ": torch.compile", ours, theirs, work, work, "tokens/s", 1.2 if batch_tokens <= 2048 else 1.0, check)

    def invariance(self, name):
        n, length = self.size(512, 4), self.size(128, 8)
        requests = [{"ids": s, "own_first": 0, "labels": []} for s in self.sequences(name, n, length)]
        label = f"batch invariance, {name}, {n} x {length} tokens: default products over the fastest (PLUMB_CUDA_PRODUCT=free)"
        with self.engine(name, requests) as pinned, self.engine(name, requests, PLUMB_CUDA_PRODUCT="free") as free:
            ours, fastest_ = alternate(2 * self.o.repeats, lambda: pinned.seconds("forward"), lambda: free.seconds("forward"))
            a, b = pinned.ask("forward")["last"], free.ask("forward")["last"]
        worst = max(abs(x - y) for r, s in zip(a, b) for x, y in zip(r, s))
        self.table.cost(label, ours, fastest_, n * length, "tokens/s", 3, f"largest difference of the two {worst:.1e}")

    def start(self, name):
        ids = os.path.join(self.folder, "once.json")
        json.dump([{"ids": list(range(1, 9)), "own_first": 0, "labels": [[9], [10]]}], open(ids, "w"))
        env = environment(self.o.where, self.o.device)
        words = [program(self.o.where, "bench-engine"), self.model_folder(name), ids, "--once", "--device", self.o.device, "--compute", self.o.compute]
        bare = [program(self.o.where, "bench-context")] if self.on_gpu else [program(self.o.where, "plumb"), "--help"]
        call = lambda command: timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env))[0]
        ours, context = alternate(2 * self.o.repeats, lambda: call(words), lambda: call(bare))
        self.table.times(f"start to first log-likelihood, {name}, over a bare {'CUDA context' if self.on_gpu else 'process'}", ours, context, 1.5, "")

    # ---- The run ----------------------------------------------------------------------------------------------------

    def late(self):
        return time.perf_counter() - self.started > 60 * self.o.minutes

    def head(self):
        import h5py, torch, transformers

        device = torch.cuda.get_device_name(self.torch_device) + f", driver {driver()}, CUDA {torch.version.cuda}" if self.on_gpu else "the emulator on " + cpu()
        plumb = subprocess.run([program(self.o.where, "plumb"), "--help"], capture_output=True, text=True).stdout.split(":")[0]
        print(f"# Inference on a GPU, {self.o.compute}\n\n{time.strftime('%Y-%m-%d')}, {device}; {plumb}, torch {torch.__version__}, transformers "
              f"{transformers.__version__}, h5py {h5py.__version__} (HDF5 {h5py.version.hdf5_version}). Command: "
              f"`python3 tests/bench/gpu_inference.py {' '.join(['build'] + sys.argv[2:])}`\n\nGPT-2 shapes, random weights. Medians "
              f"(smallest-largest) of at least {self.o.repeats} alternating repeats; the ratio is the median of the repeats' own ratios; "
              "only useful tokens count.", flush=True)
        if self.o.small:
            print("\nTried at small size: **no figure here is a measurement.**")

    def run(self):
        import torch

        self.head()
        self.table.begin()
        wanted = self.o.only.split(",")
        # The plain order first, so that what is cut off for time is the second model, then the slowest to compile.
        names = list(self.shapes)
        jobs = [(s, n) for s in ("start", "scoring", "states", "positions", "invariance") for n in names] + [("forward", n) for n in names]
        if self.o.headline:
            jobs = [(s, names[0]) for s in ("scoring", "forward", "states")]
        for section, name in jobs:
            if section not in wanted or (section in ("start", "states") and name != names[0]):
                continue
            if self.late():
                self.table.not_measured(f"{section}, {name}", "no time left")
                continue
            try:
                with torch.no_grad():
                    getattr(self, section)(name)
            except Exception as error:  # one row's failure must not cost the others
                self.table.fail(f"{section}, {name}", f"{type(error).__name__}: {str(error)[:300]}")
        shutil.rmtree(self.folder)
        print(f"\n{time.perf_counter() - self.started:.0f} s in all.")
        return self.table.end()


def driver():
    try:
        return subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True,
                              text=True).stdout.split("\n")[0]
    except FileNotFoundError:
        return "unknown"


def cpu():
    return next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())


def main():
    options = parse()
    try:
        import h5py, torch, transformers  # noqa: F401
    except ImportError as missing:
        print(f"SKIP benchmarks: {missing}")
        return 77
    if options.device.split(":")[0] == "cuda" and not torch.cuda.is_available():
        print("SKIP benchmarks: torch sees no GPU")
        return 77
    transformers.logging.set_verbosity_error()
    if hasattr(transformers.logging, "disable_progress_bar"):
        transformers.logging.disable_progress_bar()
    if options.small:
        options.repeats = 1
        torch.set_num_threads(1)
    return Bench(options).run()


if __name__ == "__main__":
    sys.exit(main())
