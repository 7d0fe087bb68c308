"""Makes what tests/program/kinds.sh compares: two tiny random checkpoints, a byte-level BPE tokenizer and one as SentencePiece
has it (of ../tokenizers), and expected.json: what lm-evaluation-harness itself asks of the items of tasks/*.yaml, gets, and
makes of it.

Task files are plumb's and the harness' alike; only where the data lie is told to the harness in its own way. Written with lm_eval
0.4.13, transformers 5.24, torch 2.15. Run: python make_kinds.py
"""
import glob
import json
import logging
import os
import shutil

import torch
import transformers as tf
import yaml
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM

HERE = os.path.dirname(os.path.abspath(__file__))
POSITIONS = 160  # a page of text is several windows; two examples and an item fit
MODELS = {
    "gpt2": (tf.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=POSITIONS), "<|endoftext|>", "<|endoftext|>"),
    "llama2": (tf.LlamaConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, head_dim=8,
                              max_position_embeddings=POSITIONS, tie_word_embeddings=True), "<s>", "</s>"),
}


def make_model(name, config, bos, eos):
    """Weights that spread logits, in bfloat16."""
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(HERE, "..", "tokenizers", name, "tokenizer.json")
    tokenizer = tf.PreTrainedTokenizerFast(tokenizer_file=source, bos_token=bos, eos_token=eos)
    config.vocab_size = len(tokenizer)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    torch.manual_seed(12)
    model = tf.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.ndim > 1:
                p.normal_(0, 0.4)
    model.to(torch.bfloat16).save_pretrained(folder)
    shutil.copy(source, folder)
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"bos_token": bos, "eos_token": eos, "tokenizer_class": "PreTrainedTokenizerFast"}, f)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)
    return HFLM(pretrained=tf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer=tokenizer, batch_size=1)


def read_task(path):
    """The harness' dictionary for a task file: what it includes in it, its split files under names."""
    with open(path, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    if "include" in config:
        with open(os.path.join(HERE, "tasks", config.pop("include")), encoding="utf-8") as f:
            config = {**yaml.safe_load(f), **config}
    files = {}
    for key in ("test_split", "fewshot_split"):
        if key in config:
            files[key[:-6]] = os.path.join(HERE, "tasks", config[key])
            config[key] = key[:-6]
    config.pop("plumb", None)
    return {**config, "dataset_path": "json", "dataset_kwargs": {"data_files": files}}


def plain(value):
    """As JSON holds it: what the harness keeps as pairs and numpy numbers."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def expected(lm, tasks, shots):
    results = simple_evaluate(model=lm, tasks=[dict(t) for t in tasks], num_fewshot=shots, log_samples=True, bootstrap_iters=0)
    for task in tasks:
        name = task["task"]
        samples = []
        for s in sorted(results["samples"][name], key=lambda s: s["doc_id"]):
            arguments = [list(a) for a in s["arguments"]]
            if task["output_type"] == "generate_until":
                arguments = [[a[0]] for a in arguments]
            samples.append({"doc_id": s["doc_id"], "arguments": arguments, "target": s["target"], "target_hash": s["target_hash"],
                            "prompt_hash": s["prompt_hash"], "resps": plain([r[0] for r in s["resps"]])})
        metrics = {key: plain(v) for key, v in results["results"][name].items()
                   if "," in key and not key.split(",")[0].endswith("_stderr")}
        yield {"task": name, "k": shots, "metrics": metrics, "samples": samples}


def main():
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    out = {}
    tasks = [read_task(path) for path in sorted(glob.glob(os.path.join(HERE, "tasks", "*.yaml")))]
    for name, (config, bos, eos) in MODELS.items():
        lm = make_model(name, config, bos, eos)
        out[name] = [*expected(lm, tasks, 0), *expected(lm, [t for t in tasks if "fewshot_split" in t], 2)]
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]"
                                   for name, cases in out.items()) + "\n}\n")


if __name__ == "__main__":
    main()
