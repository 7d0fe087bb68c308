"""How the same work is done with PyTorch + transformers: the baselines of gpu_inference.py, each as people write it.

Every function works on the model it is given (any dtype and device) and waits for the device before it returns.
"""
import contextlib, inspect, os

import torch
import torch.nn.functional as F


def wait(model):
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def load(folder, dtype, device):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    return model.eval().to(device)


# ---- Label scoring -------------------------------------------------------------------------------------------------

def lm_eval_way(model, questions, batch_size):
    """lm-evaluation-harness, HFLM._loglikelihood_tokens: requests whose context and all but last continuation tokens are
    equal share one row (its one-token cache), rows sorted by length, padded batches, logits of every position,
    log-softmax over all of them, then a gather and a greedy check a request. Returns [question][option] -> log p."""
    rows = {}
    for q, (prompt, options) in enumerate(questions):
        for o, option in enumerate(options):
            rows.setdefault(tuple(prompt + option[:-1]), []).append((q, o, option))
    answers = [[0.0] * len(options) for _, options in questions]
    order = sorted(rows, key=lambda ids: (-len(ids), ids))
    for first in range(0, len(order), batch_size):
        batch = order[first:first + batch_size]
        longest = len(batch[0])
        ids = torch.tensor([list(r) + [0] * (longest - len(r)) for r in batch]).to(model.device)
        logits = F.log_softmax(model(ids).logits, dim=-1)
        for row, tokens in zip(logits, batch):
            for q, o, option in rows[tokens]:
                at = row[len(tokens) - len(option):len(tokens)]
                targets = torch.tensor(option, device=model.device)
                bool((at.argmax(-1) == targets).all())
                answers[q][o] = float(at.gather(1, targets[:, None]).sum())
    wait(model)
    return answers


def hand_reused_prefix(model, demonstrations, questions, batch_size):
    """The demonstrations' past_key_values computed once and repeated over the batch; then each item with each option, cut
    back to the prefix after every batch. Items of equal length, logits of the scored positions only."""
    rows = [(q, o, prompt[len(demonstrations):] + option[:-1], option)
            for q, (prompt, options) in enumerate(questions) for o, option in enumerate(options)]
    answers = [[0.0] * len(options) for _, options in questions]
    named = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"  # newer transformers
    first = model(torch.tensor([demonstrations], device=model.device), use_cache=True, logits_to_keep=1)
    cache = first.cache if hasattr(first, "cache") else first.past_key_values
    batch_size = min(batch_size, len(rows))
    cache.batch_repeat_interleave(batch_size)
    for first in range(0, len(rows), batch_size):
        batch = rows[first:first + batch_size]
        if len(batch) < batch_size:
            cache.batch_select_indices(torch.arange(len(batch), device=model.device))
        ids = torch.tensor([r[2] for r in batch]).to(model.device)
        targets = torch.tensor([r[3] for r in batch]).to(model.device)
        logits = model(ids, **{named: cache}, use_cache=True, logits_to_keep=targets.shape[1]).logits
        scores = F.log_softmax(logits.float(), dim=-1).gather(2, targets[:, :, None]).sum((1, 2)).tolist()
        cache.crop(-ids.shape[1])
        for (q, o, _, _), score in zip(batch, scores):
            answers[q][o] = score
    wait(model)
    return answers


# ---- Hidden states into HDF5 -----------------------------------------------------------------------------------------

def states_as_written(model, sequences, path, batch_size):
    """output_hidden_states in batches; every layer to the host as float32, appended to its resizable data set."""
    import h5py

    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with h5py.File(path, "w") as file:
        sets = None
        for first in range(0, len(sequences), batch_size):
            ids = torch.tensor(sequences[first:first + batch_size]).to(model.device)
            hidden = model(ids, output_hidden_states=True).hidden_states
            if sets is None:
                sets = [file.create_dataset(f"layer_{l}", (0, h.shape[-1]), maxshape=(None, h.shape[-1]), dtype="f4")
                        for l, h in enumerate(hidden)]
            for data, h in zip(sets, hidden):
                block = h.float().cpu().numpy().reshape(-1, h.shape[-1])
                data.resize(data.shape[0] + block.shape[0], axis=0)
                data[-block.shape[0]:] = block
    wait(model)


def states_tuned(model, sequences, path, batch_size):
    """The same at its best: no vocabulary head, float16 made on the device, pinned memory, contiguous data sets of the
    final size, one whole slab a layer and batch."""
    import h5py

    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    n, width, pinned = len(sequences) * len(sequences[0]), model.config.hidden_size, model.device.type == "cuda"
    with h5py.File(path, "w") as file:
        sets = [file.create_dataset(f"layer_{l}", (n, width), dtype="f2") for l in range(model.config.num_hidden_layers + 1)]
        host = None
        for first in range(0, len(sequences), batch_size):
            ids = torch.tensor(sequences[first:first + batch_size]).to(model.device)
            hidden = model.base_model(ids, output_hidden_states=True, use_cache=False).hidden_states
            block = torch.stack(hidden).half().flatten(1, 2)
            if host is None:
                host = torch.empty(block.shape, dtype=torch.float16, pin_memory=pinned)
            part = host[:, :block.shape[1]]
            part.copy_(block)
            at = first * len(sequences[0])
            for data, values in zip(sets, part.numpy()):
                data[at:at + values.shape[0]] = values
    wait(model)


# ---- The forward pass alone -------------------------------------------------------------------------------------------

def compiled_body(model, small):
    """ids [B, T] -> final states of the last tokens, through torch.compile with CUDA graphs; a shape is compiled once."""
    body = model.base_model

    def last_states(ids):
        return body(ids, use_cache=False).last_hidden_state[:, -1]

    if small:
        return torch.compile(last_states, backend="eager", dynamic=False)
    return torch.compile(last_states, mode="reduce-overhead", dynamic=False)


def forward_batches(model, compiled, batches):
    """Batches of ids that lie on the device already; the states stay there until the end."""
    kept = []
    for ids in batches:
        if model.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        kept.append(compiled(ids).clone())
    out = torch.cat(kept).float().cpu()
    wait(model)
    return out
