#!/usr/bin/env python3
"""Full fine-tuning on a GPU against PyTorch + transformers, side by side in one run on the same device.

    python3 tests/bench/gpu_training.py build > results/benchmarks/gpu-training.md      (or: an unpacked bundle)
    python3 tests/bench/gpu_training.py build --headline --minutes 2                    (label and long alone)
    python3 tests/bench/gpu_training.py build --small --device cuda-emulated            (proves the script, measures nothing)

Needs torch and transformers, for `label` accelerate. All weights are trained, bfloat16 products with float32 masters. What is
compared:
  label       GPT-2's shape, 32 examples of 32 to 128 tokens a step, loss at the label: Hugging Face's Trainer (bf16, padded)
  long        GPT-2's shape, 16 x 1,024 tokens a step, loss at every position: torch.compile with fused AdamW
  small       0.5 billion parameters (24 layers, tied head of 151,936), 32 x 128 tokens a step: transformers as it comes
  order       the price of sums whose order is fixed: against our own fastest products
  head        the vocabulary head alone, forward and backward, 8,192 x 768 by 50,257: TFLOP/s
Each row: medians and extremes of the steps after three that warm up; beside each speed loss and gradient norm of the first
and last step of both sides. Below the table: who made our products, forward and backward. --minutes bounds the whole; what did not fit is listed as not measured. Exit code 1 when a goal
is missed or a check fails. Expected figures: results/benchmarks/gpu-predictions.md.
"""
import argparse, json, os, random, statistics, subprocess, sys, tempfile, time

from side_by_side import Table, environment, program

HERE = os.path.dirname(os.path.abspath(__file__))
SECTIONS = ["label", "long", "small", "order", "head"]
RATE, WARM_UP = 1e-4, 3
HALF_BILLION = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
                "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
                "rope_theta": 1e6, "tie_word_embeddings": True, "hidden_act": "silu"}


def parse():
    a = argparse.ArgumentParser()
    a.add_argument("where", help="build folder or unpacked bundle")
    a.add_argument("--device", default="cuda")
    a.add_argument("--compute", default="bf16")
    a.add_argument("--small", action="store_true", help="tiny model and sizes: the script is tried, nothing is measured")
    a.add_argument("--headline", action="store_true", help="label and long alone")
    a.add_argument("--steps", type=int, default=20)
    a.add_argument("--minutes", type=float, default=9)
    a.add_argument("--only", default=",".join(SECTIONS))
    a.add_argument("--side", help=argparse.SUPPRESS)  # this script as a baseline's process: eager, compiled, trainer
    a.add_argument("--work", help=argparse.SUPPRESS)
    return a.parse_args()


def steps_of(lines):
    return [s for s in lines if "loss" in s]


def curve(steps):
    """Means of the loss over windows of five steps: what two orders of the data would change is averaged out a little."""
    losses = [s["loss"] for s in steps]
    return [statistics.mean(losses[i:i + 5]) for i in range(0, len(losses), 5)]


def distance(a, b):
    return statistics.mean((x - y) ** 2 for x, y in zip(curve(a), curve(b))) ** 0.5


class Bench:
    def __init__(self, options):
        self.o = options
        self.started = time.perf_counter()
        self.folder = tempfile.mkdtemp(prefix="plumb-bench-")
        self.torch_device = options.device if options.device.split(":")[0] == "cuda" else "cpu"
        self.table = Table(judge=not options.small)
        self.makers = {}  # who makes the products: the rows
        random.seed(20250623)

    def size(self, usual, small):
        return small if self.o.small else usual

    def left(self):
        return self.o.minutes * 60 - (time.perf_counter() - self.started)

    def model(self):
        path = os.path.join(self.folder, "gpt2")
        if not os.path.exists(path):
            data = os.path.join(HERE, "../../experiments/paper/data")
            texts = [os.path.join(data, f) for f in sorted(os.listdir(data)) if f.endswith(".jsonl")]
            subprocess.run([program(self.o.where, "plumb-make-model"), path, "--family", "gpt2", *self.size(["--shape", "124M"], []), *texts], check=True,
                           stdout=subprocess.DEVNULL)
        return path

    def vocabulary(self):
        return json.load(open(os.path.join(self.model(), "config.json")))["vocab_size"]

    def examples(self, name, rows, first):
        """rows: token ids an example; loss from position first(row) on."""
        path = os.path.join(self.folder, name + ".json")
        json.dump([{"ids": r, "first": first(r)} for r in rows], open(path, "w"))
        return path

    def lines(self, words, **env):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=max(self.left(), 1),
                              env=environment(self.o.where, self.o.device, **env))
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]  # the Trainer prints dicts of its own

    def plumb(self, name, model, examples, batch, random_weights=False, **env):
        keys = {"device": self.o.device, "compute": self.o.compute, "batch": batch, "steps": self.o.steps + WARM_UP, "rate": RATE, "clip": 1,
                "schedule": "constant", "random": int(random_weights)}
        lines = self.lines([program(self.o.where, "bench-train"), model, examples, *(f"{k}={v}" for k, v in keys.items())], **env)
        self.makers.setdefault(lines[0]["products"], []).append(name)
        return steps_of(lines)

    def theirs(self, side, model, examples, batch, **more):
        work = json.dumps(dict(model=model, examples=examples, batch=batch, device=self.torch_device, steps=self.o.steps + WARM_UP, **more))
        return steps_of(self.lines([sys.executable, __file__, self.o.where, "--side", side, "--work", work]))

    def agreement(self, name, a, b, loss_limit, norm_limit):
        def off(key):
            return max(abs(x[key] - y[key]) / abs(y[key]) for x, y in ((a[0], b[0]), (a[-1], b[-1])))
        text = (f"loss {a[0]['loss']:.4f} → {a[-1]['loss']:.4f} and {b[0]['loss']:.4f} → {b[-1]['loss']:.4f}, norm {a[0]['gradient_norm']:.3f} → "
                f"{a[-1]['gradient_norm']:.3f} and {b[0]['gradient_norm']:.3f} → {b[-1]['gradient_norm']:.3f} (relative ≤{off('loss'):.0e}, "
                f"≤{off('gradient_norm'):.0e})")
        return self.table.check(name, off("loss") <= loss_limit and off("gradient_norm") <= norm_limit, text)

    def rates(self, name, ours, theirs, tokens, goal, check):
        """tokens: of the examples, padding not counted, a step in the mean."""
        self.table.rates(name, [s["seconds"] for s in ours[WARM_UP:]], [s["seconds"] for s in theirs[WARM_UP:]], tokens, tokens, "tokens/s", goal, check)

    # ---- Rows of the table -----------------------------------------------------------------------------------------

    def label(self):
        batch, longest = self.size(32, 4), self.size(128, 12)
        V, n = self.vocabulary(), batch * (self.o.steps + WARM_UP)
        words, labels = random.sample(range(V), 4), random.sample(range(V), 2)
        rows = []
        for _ in range(n):  # one of four words says which label
            k = random.randrange(4)
            ids = [random.randrange(V) for _ in range(random.randint(longest // 4, longest) - 2)]
            ids.insert(random.randrange(len(ids)), words[k])
            rows.append(ids + [labels[k % 2]])
        name = f"label, GPT-2's shape, {batch} examples of {longest // 4}-{longest} tokens a step, against HF Trainer (bf16)"
        path = self.examples("label", rows, lambda r: len(r) - 1)
        shuffled = self.examples("shuffled", random.sample(rows, n), lambda r: len(r) - 1)
        ours, theirs = self.plumb("label", self.model(), path, batch), self.theirs("trainer", self.model(), path, batch)
        noise = distance(theirs, self.theirs("trainer", self.model(), shuffled, batch))
        ours_off = distance(ours, theirs)
        check = self.table.check(name, ours_off <= noise, f"loss curves {ours_off:.3f} apart (root mean square of means of five steps), the Trainer's own with "
                                 f"another order of the data {noise:.3f}; {self.agreement(name, ours, theirs, float('inf'), float('inf'))}")
        self.rates(name, ours, theirs, sum(map(len, rows)) / len(rows) * batch, 10, check)

    def long_rows(self):
        batch, T = self.size(16, 2), self.size(1024, 16)
        V = self.vocabulary()
        rows = [[random.randrange(V) for _ in range(T + 1)] for _ in range(batch * (self.o.steps + WARM_UP))]
        return batch, T, self.examples("long", rows, lambda r: 1)

    def long(self):
        batch, T, path = self.long_rows()
        name = f"long, GPT-2's shape, {batch} x {T} tokens a step, against torch.compile + fused AdamW (bf16)"
        ours = self.plumb("long", self.model(), path, batch)
        theirs = self.theirs("eager" if self.o.small else "compiled", self.model(), path, batch)
        self.rates(name, ours, theirs, batch * T, 1.05, self.agreement(name, ours, theirs, 0.01, 0.1))

    def small(self):
        config = dict(HALF_BILLION)
        if self.o.small:
            config.update(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=500)
        folder = os.path.join(self.folder, "half-billion")
        os.makedirs(folder, exist_ok=True)
        json.dump(config, open(os.path.join(folder, "config.json"), "w"))
        batch, T = self.size(32, 4), self.size(128, 8)
        rows = [[random.randrange(config["vocab_size"]) for _ in range(T + 1)] for _ in range(batch * (self.o.steps + WARM_UP))]
        path = self.examples("small", rows, lambda r: len(r) - 1)
        name = f"small, 0.5 billion parameters, {batch} x {T} tokens a step, loss at the label, against transformers (bf16 autocast)"
        ours = self.plumb("small", folder, path, batch, random_weights=True)
        theirs = self.theirs("eager", folder, path, batch, random_weights=True)
        rate = batch * T / statistics.median(s["seconds"] for s in ours[WARM_UP:])
        self.rates(name, ours, theirs, batch * T, None, self.table.verdict(name, rate >= 85000, f"≥85,000 tokens/s of ours ({rate:,.0f})")
                   + "; weights of their own: losses are not compared")

    def order(self):
        batch, T, path = self.long_rows()
        fixed = self.plumb("order", self.model(), path, batch)
        free = self.plumb("order (chosen freely)", self.model(), path, batch, PLUMB_CUDA_PRODUCT="free")
        name = f"order, GPT-2's shape, {batch} x {T} tokens a step: sums in a fixed order, against our products chosen freely"
        seconds = [[s["seconds"] for s in side[WARM_UP:]] for side in (fixed, free)]
        self.table.cost(name, *seconds, batch * T, "tokens/s", 8, self.agreement(name, fixed, free, 0.01, 0.1))

    def head(self):
        label = self.size("[8192, 768] -> 50257", "[5, 33] -> 127")
        words = [program(self.o.where, "device_test_score_backward"), "--time"]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=max(self.left(), 1),
                              env=environment(self.o.where, self.o.device, PLUMB_TEST_DEVICE=self.o.device))
        for fields in (line.split("\t") for line in done.stdout.splitlines()):
            if len(fields) >= 6 and fields[1] == "bfloat16" and label in fields[2]:
                tflops = float(fields[5]) / 1000
                verdict = self.table.verdict("head", tflops >= 600, "≥600 TFLOP/s")
                print(f"| head alone, {fields[2]}, forward and backward | {tflops:.2f} TFLOP/s | | | {verdict} | the op test's |", flush=True)
                return
        raise RuntimeError(f"device_test_score_backward --time has no bfloat16 line '{label}'")

    def run(self):
        import torch
        import transformers
        where = torch.cuda.get_device_name() if self.torch_device != "cpu" else f"the emulated device (torch: {torch.get_num_threads()} CPU threads)"
        print(f"# Training on a GPU\n\n{time.strftime('%Y-%m-%d')}, {where}; torch {torch.__version__}, transformers {transformers.__version__}. Command: "
              f"`python3 {' '.join(sys.argv)}`\n\nMedians (smallest-largest) over {self.o.steps} steps.", flush=True)
        self.table.begin()
        chosen = ["label", "long"] if self.o.headline else self.o.only.split(",")
        for name in chosen:
            if self.left() < 5:
                self.table.not_measured(name, "no time left")
                continue
            try:
                getattr(self, name)()
            except subprocess.TimeoutExpired:
                self.table.not_measured(name, "stopped, no time left")
            except (RuntimeError, FileNotFoundError) as error:
                self.table.fail(name, str(error))
        for makers, rows in self.makers.items():
            print(f"\nProducts of {', '.join(rows)}: {makers}.", flush=True)
        return self.table.end()


# ---- The baselines' processes ----------------------------------------------------------------------------------------

def load(work, torch, transformers):
    if work.get("random_weights"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(work["model"]), dtype=torch.float32)
    else:
        model = transformers.AutoModelForCausalLM.from_pretrained(work["model"], dtype=torch.float32)
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):
        if hasattr(model.config, name):
            setattr(model.config, name, 0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attn_dropout") and isinstance(module.attn_dropout, float):
            module.attn_dropout = 0.0
    return model.to(work["device"]).train()


def torch_side(compiled, work):
    """Sequences of one length; loss in float32 over the logits of the positions that carry it, AdamW fused."""
    import torch
    import transformers
    model = load(work, torch, transformers)
    examples = json.load(open(work["examples"]))
    ids = torch.tensor([e["ids"] for e in examples], device=work["device"]).view(-1, work["batch"], len(examples[0]["ids"]))
    first = examples[0]["first"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)

    def loss_of(x):
        with torch.autocast(x.device.type, torch.bfloat16):
            logits = model(x[:, :-1], use_cache=False, logits_to_keep=x.shape[1] - first).logits
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), x[:, first:].flatten())

    step_loss = torch.compile(loss_of) if compiled else loss_of
    for step in range(work["steps"]):
        start = time.perf_counter()
        loss = step_loss(ids[step])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss, norm = loss.item(), norm.item()  # waits for the device
        print(json.dumps({"seconds": time.perf_counter() - start, "loss": loss, "gradient_norm": norm}), flush=True)


def trainer_side(work):
    """HF Trainer over the same examples in the same order; seconds a step by a callback, loss and norm by its log."""
    import torch
    import transformers
    data = [{"input_ids": e["ids"], "labels": [-100] * e["first"] + e["ids"][e["first"]:], "attention_mask": [1] * len(e["ids"])}
            for e in json.load(open(work["examples"]))]

    def collate(rows):
        longest = max(len(r["input_ids"]) for r in rows)
        fill = {"input_ids": 0, "labels": -100, "attention_mask": 0}
        return {k: torch.tensor([r[k] + [v] * (longest - len(r[k])) for r in rows]) for k, v in fill.items()}

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            if work["device"] != "cpu":
                torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self.start

        def on_log(self, args, state, control, logs=None, **_):
            if logs and "loss" in logs:
                print(json.dumps({"seconds": self.seconds, "loss": float(logs["loss"]), "gradient_norm": float(logs["grad_norm"])}), flush=True)

    class InOrder(transformers.Trainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.TrainingArguments(folder, per_device_train_batch_size=work["batch"], max_steps=work["steps"], learning_rate=RATE,
                                                  lr_scheduler_type="constant", max_grad_norm=1.0, logging_steps=1, save_strategy="no", report_to=[],
                                                  bf16=True, use_cpu=work["device"] == "cpu", disable_tqdm=True)
        InOrder(load(work, torch, transformers), settings, train_dataset=data, data_collator=collate, callbacks=[Clock()]).train()


def main():
    options = parse()
    if options.side:
        work = json.loads(options.work)
        trainer_side(work) if options.side == "trainer" else torch_side(options.side == "compiled", work)
        return 0
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        print(f"SKIP benchmarks: {error}")
        return 77
    if options.device.split(":")[0] == "cuda" and not torch.cuda.is_available():
        print("SKIP benchmarks: torch sees no GPU")
        return 77
    if options.small:
        options.steps = 5
    return Bench(options).run()


if __name__ == "__main__":
    sys.exit(main())
