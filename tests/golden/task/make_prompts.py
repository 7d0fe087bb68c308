"""Makes prompts.json: contexts and continuations for tasks/*.yaml, by lm-evaluation-harness's own string rules.

Written from lm_eval/api/task.py (doc_to_text, doc_to_target, doc_to_choice, fewshot_context, construct_requests) and
lm_eval/api/samplers.py (ContextSampler.get_context), version 0.4.8: the rules below keep their order and conditions.
A list entry of doc_to_choice with tags is rendered (plumb's own extension). Run: python make_prompts.py > prompts.json
"""
import ast
import json
import os

import jinja2
import yaml

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tasks")
env = jinja2.Environment(loader=jinja2.BaseLoader(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def apply_template(template, doc):
    return env.from_string(template).render(**doc)


def load(name):
    with open(os.path.join(here, name), encoding="utf-8") as f:
        config = yaml.safe_load(f)
    base = load(config.pop("include")) if "include" in config else {}
    base.update(config)
    return base


def rows(split):
    path = split["path"] if isinstance(split, dict) else split
    with open(os.path.join(here, path), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


class Task:
    def __init__(self, config, own):
        self.c = {"target_delimiter": " ", "fewshot_delimiter": "\n\n", "description": "", **config, **own}
        self.test = rows(config.get("test_split") or config["validation_split"])
        self.fewshot = rows(config.get("fewshot_split") or config["training_split"])
        self.features = list(self.test[0])

    def doc_to_text(self, doc):
        source = self.c["doc_to_text"]
        if source in self.features:
            return doc[source]
        text = apply_template(source, doc)
        if text.isdigit() and self.c.get("doc_to_choice") is not None:
            return ast.literal_eval(text)
        return text

    def doc_to_target(self, doc):
        source = self.c["doc_to_target"]
        if isinstance(source, int):
            return source
        if source in self.features:
            return doc[source]
        target = apply_template(source, doc)
        if target.isdigit() and self.c.get("doc_to_choice") is not None:
            return ast.literal_eval(target)
        if len(target) >= 2 and target[0] == "[" and target[-1] == "]":
            try:
                return ast.literal_eval(target)
            except (SyntaxError, ValueError):
                return target
        return target

    def doc_to_choice(self, doc):
        source = self.c["doc_to_choice"]
        if isinstance(source, str):
            if source in self.features:
                return doc[source]
            return ast.literal_eval(apply_template(source, doc))
        return [apply_template(x, doc) for x in source]

    def shots(self, docs):
        out = ""
        for doc in docs:
            content, target = self.doc_to_text(doc), self.doc_to_target(doc)
            has_choices = self.c.get("doc_to_choice") is not None
            out += content if not has_choices or isinstance(content, str) else self.doc_to_choice(doc)[content]
            if target != "":
                out += self.c["target_delimiter"]
                if isinstance(target, list):
                    out += str(target[0])
                elif not has_choices or isinstance(target, str):
                    out += target
                else:
                    out += str(self.doc_to_choice(doc)[target])
                out += self.c["fewshot_delimiter"]
        return out

    def prompt(self, item, shots):
        doc = self.test[item]
        own = self.c["description"] + self.shots([self.fewshot[i] for i in shots])
        context = own + self.doc_to_text(doc)
        target, gold = self.doc_to_target(doc), None
        choices = self.doc_to_choice(doc) if self.c.get("doc_to_choice") is not None else []
        if choices:
            gold = int(target) if isinstance(target, int) else choices.index(target)
            target = choices[gold]
        continuations = [f"{self.c['target_delimiter']}{choice}" for choice in choices]
        if self.c["output_type"] == "loglikelihood":
            continuations, choices, gold = [target], [target], 0
        return {"item": item, "shots": shots, "context": context, "own_offset": len(own.encode()),
                "choices": continuations, "choice_texts": choices, "target": target, "gold": gold}


out = []
for name in ["choice", "generate", "loglikelihood"]:
    config = load(name + ".yaml")
    templates = config.pop("plumb", {}).get("templates", [{"name": "default"}])
    for t in templates:
        task = Task(config, t)
        # Shots of another group than the item's (plumb refuses a leak), and none of the item itself.
        for item, shots in [(0, []), (0, [1]), (0, [3, 1, 2]), (1, [2, 0])]:
            if max(shots, default=0) < len(task.fewshot) and not (name == "loglikelihood" and item in shots):
                out.append({"file": name + ".yaml", "template": t["name"], **task.prompt(item, shots)})
print("[\n" + ",\n".join(json.dumps(x, ensure_ascii=False) for x in out) + "\n]")
