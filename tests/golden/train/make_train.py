"""Gradients and training runs of tiny models, from PyTorch and transformers.

    OMP_NUM_THREADS=1 python make_train.py                  (writes the files beside this one)
    OMP_NUM_THREADS=1 python make_train.py --gradients NAME...      (the gradients of these models alone)
    OMP_NUM_THREADS=1 python make_train.py --check FOLDER   (a checkpoint that plumb exported: see check_export)

cases.json          settings of each run, by their Hugging Face names
examples.safetensors
  ids.<i> [n]       token ids of example i;  first.<i> [1]: tokens from there on carry loss
  label.<i> [1]     of the classifier runs, whose examples are ids and label
<model>-classifier/ a sequence classifier as save_pretrained writes it (its head is where classifier runs begin)
gradient-<model>[-padded]-<head>.safetensors      (padded: with PADDING as the model's pad_token_id)
  <tensor>          gradient of the mean loss over all tokens that carry loss, of all examples
  loss [1]
<case>.safetensors
  loss [20], gradient_norm [20]      of each step, before clipping
  <tensor>                           weights after 20 steps

Runs: float32, eager attention, no dropout; torch.optim.AdamW, clip_grad_norm_, transformers' schedules; each example runs
alone, the loss of a batch is the weighted sum. The order of examples is plumb's: a Philox permutation an epoch.
"""

import json
import pathlib
import sys

import safetensors.torch as st
import torch
import transformers as tf

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent / "models"
STEPS, LABELS, EXAMPLES = 20, 3, 20

BASE = dict(max_steps=STEPS, train_batch_size=8, learning_rate=1e-3, order_seed=7)
SETTINGS = {
    "plain": dict(BASE),
    "warm": dict(BASE, lr_scheduler_type="cosine", warmup_steps=4, weight_decay=0.1, max_grad_norm=0.5,
                 micro_batch_size=3),
    "examples": dict(BASE, lr_scheduler_type="constant", max_grad_norm=0.0, loss_mean="examples", adam_beta1=0.8,
                     adam_beta2=0.95, weight_decay=0.01, gradient_checkpointing=True, micro_batch_size=1),
}
RUN_MODELS = ("gpt2-bare", "llama-grouped")
PADDING, PADDED_MODELS = 7, ("llama-tied", "llama-grouped")
GRADIENT_MODELS = ("gpt2", "llama-tied", "llama-grouped", "llama-bias-linear", "neox", "neox-sequential", "qwen2", "qwen3",
                   "mistral", "smollm3", "gemma2", "gemma3", "gemma3-untied", "olmo2", "opt", "opt-plain",
                   "phi", "phi-tied", "phi3", "granite", "granite-hybrid", "gpt-neo", "gptj", "gptj-tied", "stablelm",
                   "stablelm-parallel", "starcoder2", "falcon", "falcon-new", "falcon-sequential", "bloom", "mpt", "mpt-even",
                   "phi-norms", "stablelm-norms", "gemma", "opt-behind", "opt-wider",
                   "phi3-longrope", "falcon-alibi", "falcon-alibi-new")


# ---- plumb's order of examples: Philox4x32-10 (Salmon et al. 2011), Fisher-Yates ----

def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def permutation(n, seed, stream, purpose=11):
    order = list(range(n))
    for i in range(n, 1, -1):
        r = philox((i & 0xFFFFFFFF, i >> 32, stream, purpose), (seed & 0xFFFFFFFF, seed >> 32))
        j = ((r[0] << 64 | r[1] << 32 | r[2]) * i) >> 96
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


# ---- Examples and models ----

def make_examples():
    generator = torch.Generator().manual_seed(11)
    lengths = [3, 70, 33, 12, 5, 2, 40, 64, 9, 21, 34, 7, 66, 15, 4, 28, 6, 31, 10, 90]
    examples = []
    for i, n in enumerate(lengths):
        ids = torch.randint(0, 40, (n,), generator=generator).tolist()
        first = 1 if i in (3, 8) else max(1, n - 1 - i % 3)
        examples.append((ids, first, i * 7 % LABELS))
    return examples


def at_border(examples):
    """Two cut so that 16 and 17 tokens run: the last of one side and the first of the other."""
    cut = {6: 17, 7: 18}
    return [(ids[:cut[i]], 1, label) if i in cut else (ids, first, label) for i, (ids, first, label) in enumerate(examples)]


def load(model, head, **changes):
    folder = HERE / f"{model}-classifier" if head == "classifier" else MODELS / model
    kind = tf.AutoModelForSequenceClassification if head == "classifier" else tf.AutoModelForCausalLM
    attention = "sdpa" if "alibi" in model else "eager"  # as make_models.py
    m = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention, **changes)
    return m.eval()  # no dropout


def make_classifier(model, seed):
    torch.manual_seed(seed)
    m = tf.AutoModelForSequenceClassification.from_pretrained(MODELS / model, num_labels=LABELS, dtype=torch.float32)
    m.score.weight.data.normal_(0, 0.2)
    m.config.dtype = "float32"
    folder = HERE / f"{model}-classifier"
    m.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def losses(m, head, example):
    """-log p of each token that carries loss."""
    ids, first, label = example
    if head == "classifier":
        return -m(torch.tensor([ids])).logits[0].log_softmax(-1)[None, label]
    logits = m(torch.tensor([ids[:-1]])).logits[0]
    return -logits.log_softmax(-1)[first - 1:].gather(1, torch.tensor(ids[first:])[:, None])[:, 0]


def backward(m, head, batch, loss_mean):
    counts = [1 if head == "classifier" else len(ids) - first for ids, first, _ in batch]
    total = 0.0
    for example, n in zip(batch, counts):
        weight = 1 / sum(counts) if loss_mean == "tokens" else 1 / (len(batch) * n)
        loss = losses(m, head, example).sum() * weight
        loss.backward()
        total += loss.item()
    return total


def tensors(m, of):
    named = {name: of(p) for name, p in m.named_parameters()}  # tied weights stand once
    if m.config.model_type == "gpt_neox" and "lm_head.weight" in named:
        named["embed_out.weight"] = named.pop("lm_head.weight")  # as stored
    return {name: t.detach().float().contiguous().clone() for name, t in named.items()}


def write(name, values):
    st.save_file(values, HERE / f"{name}.safetensors")
    (HERE / f"{name}.safetensors").chmod(0o644)


# ---- Runs ----

def scheduler(optimizer, s):
    kind = s.get("lr_scheduler_type", "linear")
    kind = "constant_with_warmup" if kind == "constant" else kind
    return tf.get_scheduler(kind, optimizer, num_warmup_steps=s.get("warmup_steps", 0), num_training_steps=STEPS)


def train(model, head, s, examples):
    m = load(model, head)
    decay = [p for p in m.parameters() if p.ndim > 1]
    rest = [p for p in m.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": s.get("weight_decay", 0.0)}, {"params": rest, "weight_decay": 0.0}],
        lr=s["learning_rate"], betas=(s.get("adam_beta1", 0.9), s.get("adam_beta2", 0.999)), eps=1e-8)
    schedule = scheduler(optimizer, s)
    size = s["train_batch_size"]
    a_epoch = -(-len(examples) // size)
    out = {"loss": [], "gradient_norm": []}
    for step in range(STEPS):
        order = permutation(len(examples), s["order_seed"], step // a_epoch)
        batch = [examples[i] for i in order[step % a_epoch * size:][:size]]
        optimizer.zero_grad()
        out["loss"].append(backward(m, head, batch, s.get("loss_mean", "tokens")))
        limit = s.get("max_grad_norm", 1.0)
        norm = torch.nn.utils.clip_grad_norm_(m.parameters(), limit if limit else float("inf"))
        out["gradient_norm"].append(norm.item())
        optimizer.step()
        schedule.step()
    print(f"{model} {head}: loss {out['loss'][0]:.4f} to {out['loss'][-1]:.4f}")
    return {**{k: torch.tensor(v, dtype=torch.float64).float() for k, v in out.items()}, **tensors(m, lambda p: p)}


def make_gradients(models, all_examples):
    for model in models:
        examples = at_border(all_examples) if model == "phi3-longrope" else all_examples
        for head in ("lm", "classifier") if model in RUN_MODELS else ("lm",):
            m = load(model, head)
            loss = backward(m, head, examples, "tokens")
            write(f"gradient-{model}-{head}",
                  {**tensors(m, lambda p: p.grad), "loss": torch.tensor([loss])})


def make():
    examples = make_examples()
    flat = {}
    for i, (ids, first, label) in enumerate(examples):
        flat[f"ids.{i}"] = torch.tensor(ids).float()
        flat[f"first.{i}"] = torch.tensor([first]).float()
        flat[f"label.{i}"] = torch.tensor([label]).float()
    write("examples", flat)
    for seed, model in enumerate(RUN_MODELS):
        make_classifier(model, seed)
    make_gradients(GRADIENT_MODELS, examples)
    for model in PADDED_MODELS:
        m = load(model, "lm", pad_token_id=PADDING)
        loss = backward(m, "lm", examples, "tokens")
        write(f"gradient-{model}-padded-lm", {**tensors(m, lambda p: p.grad), "loss": torch.tensor([loss])})
    cases = {}
    for model in RUN_MODELS:
        for head in ("lm", "classifier"):
            for name, settings in SETTINGS.items():
                case = f"{model}-{head}-{name}"
                cases[case] = {"model": model, "head": head, **settings}
                write(case, train(model, head, settings, examples))
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    (HERE / "versions.json").write_text(json.dumps({"torch": torch.__version__, "transformers": tf.__version__}) + "\n")


def check_export(folder):
    """The exported checkpoint in transformers: logits of example 0 beside logits.txt, which the test wrote there."""
    config = json.loads((folder / "config.json").read_text())
    kind = getattr(tf, config["architectures"][0])
    m, info = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    ids = make_examples()[0][0]
    if hasattr(m, "score"):
        ids = [i % 3 for i in range(len(ids))]
    logits = m.eval()(torch.tensor([ids])).logits[0].detach().reshape(-1, m.config.num_labels
                                                                     if hasattr(m, "score") else m.config.vocab_size)[-1]
    plumb = torch.tensor([float(x) for x in (folder / "logits.txt").read_text().split()])
    error = float((logits - plumb).norm() / logits.norm())
    print(f"{folder}: {config['architectures'][0]}, relative difference of logits {error:.2g}")
    assert error < 1e-5


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check_export(pathlib.Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--gradients"]:
        make_gradients(sys.argv[2:], make_examples())
    else:
        make()
