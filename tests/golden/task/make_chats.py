"""Makes chats.json: contexts and continuations of tasks/*.yaml and ../kinds/tasks/*.yaml as chats, by lm-evaluation-harness itself: fewshot_context,
construct_requests and HFLM.apply_chat_template, with a transformers tokenizer that has the chat template.

A case is {file, template, item, shots, chat (name in TEMPLATES; null: no --apply_chat_template), system, multiturn} and
{context (of choices that are contexts the first), contexts, choices, dropped: the template refused the system text}. The chat templates are written for this file.
Run: python make_chats.py > chats.json   (lm_eval 0.4.13, transformers 5.24.0, jinja2 3.1.6)
"""
import json
import logging
import os
import tempfile
import sys
import types
from unittest import mock

import yaml
from lm_eval.api.task import ConfigurableTask
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

for name in ("accelerate", "accelerate.utils", "accelerate.utils.memory", "peft"):  # imported there, and of no use here
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = mock.MagicMock(__version__="9")
from lm_eval.models.huggingface import HFLM  # noqa: E402

logging.disable(logging.WARNING)
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tasks")
TEMPLATES = {
    "chatml": "{% for m in messages %}{% if loop.first and m.role != 'system' %}{{ '<|im_start|>system\nDefault<|im_end|>\n' }}{% endif %}"
              "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "strict": "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
              "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
              "<{{ 'model' if m.role == 'assistant' else m.role }}>\n{{ m.content | trim }}</turn>\n{% endfor %}{% if add_generation_prompt %}<model>\n{% endif %}",
    "brackets": "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m['role'] == 'system' %}{% set ns.system = m['content'] %}"
                "{% elif m['role'] == 'user' %}{{ '[INST] ' + (ns.system + '\n\n' if loop.last and ns.system else '') + m['content'] + ' [/INST]' }}"
                "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
}
SYSTEMS = [None, "Answer in a word.", "Be kind.\n"]


def rows(path):
    with open(os.path.join(here, path), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def load(name):
    with open(os.path.join(here, name), encoding="utf-8") as f:
        config = yaml.safe_load(f)
    base = load(os.path.join(os.path.dirname(name), config.pop("include"))) if "include" in config else {}
    return {**base, **config}


def model(template):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = TEMPLATES[template]
    return types.SimpleNamespace(tokenizer=tokenizer, chat_template_args={})


def make_task(config, own, data):
    config = {**{k: v for k, v in config.items() if k not in ("plumb", "metadata", "fewshot_config", "training_split", "validation_split", "test_split", "fewshot_split")}, **own}
    config.update(dataset_path="json", dataset_kwargs={"data_files": {split: os.path.join(here, path) for split, path in data.items()}},
                  test_split="test", fewshot_split="train")
    return ConfigurableTask(config=config)


def case(task, name, own, test, pool, item, shots, chat, system, multiturn):
    doc = test[item]
    task.sampler = types.SimpleNamespace(sample=lambda n, eval_doc=None: [pool[i] for i in shots])
    lm, tried = model(chat) if chat else None, []

    def render(history, add_generation_prompt=True):
        tried.append(history)
        return HFLM.apply_chat_template(lm, history, add_generation_prompt=add_generation_prompt)

    flags = dict(apply_chat_template=bool(chat), chat_template=render if chat else None)
    context = task.fewshot_context(doc, len(shots), system_instruction=system, fewshot_as_multiturn=multiturn, gen_prefix=task.doc_to_prefix(doc), **flags)
    requests = task.construct_requests(doc, context, metadata=("t", 0, 1), **flags)
    requests = requests if isinstance(requests, list) else [requests]
    choices = [] if task.OUTPUT_TYPE == "generate_until" else [r.args[1] for r in requests]
    dropped = bool(tried) and tried[0][0]["role"] == "system" and chat == "strict"
    return {"file": name, "template": own.get("name", "default"), "item": item, "shots": shots, "chat": chat, "system": system,
            "multiturn": multiturn, "context": context if isinstance(context, str) else context[0], "contexts": None if isinstance(context, str) else context,
            "choices": choices, "dropped": dropped}


def main():
    out = []
    os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()
    for name, wanted in [("choice.yaml", ["standard", "by_text", "field"]), ("generate.yaml", ["sum", "words", "empty_targets"]), ("loglikelihood.yaml", ["default"]),
                         *((f"../../kinds/tasks/{kind}.yaml", ["default"]) for kind in ("prefix", "contexts", "contexts_prefix", "answers"))]:
        config = load(name)
        beside = [config.get(key) if "kinds" in name else other for key, other in (("test_split", "test.jsonl"), ("fewshot_split", "train.jsonl"))]
        data = dict(zip(("test", "train"), (os.path.join(os.path.dirname(name), path) for path in beside)))
        test = rows(data["test"])
        pool = test if name == "loglikelihood.yaml" else rows(data["train"])
        for own in [t for t in config.get("plumb", {}).get("templates", [{"name": "default"}]) if t["name"] in wanted]:
            task = make_task(config, {k: v for k, v in own.items() if k not in ("name", "role")}, data)
            for chat in [None, *TEMPLATES]:
                for system in SYSTEMS:
                    for multiturn in (False, True) if chat else (False,):
                        for item, shots in [(0, []), (0, [3, 1, 2]), (1, [2, 0])]:
                            if max(shots, default=0) >= len(pool) or (pool is test and item in shots):
                                continue
                            # A template that wants turns in turn has none where an empty answer leaves two questions together.
                            if chat == "strict" and multiturn and own["name"] == "empty_targets" and shots:
                                continue
                            out.append(case(task, name, own, test, pool, item, shots, chat, system, multiturn))
    print(json.dumps({"templates": TEMPLATES, "cases": out}, ensure_ascii=False, indent=0))


main()
