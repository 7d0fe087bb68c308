"""Holds experiments/paper/data and the wordings of experiments/tasks against what is promised of them. A check is a function
that yields faults; it passes when it finds none in what is shipped and at least one in a copy with a fault planted.

Tokens are looked up where the vocabularies are: GPT-2's in $PLUMB_DATA, SmolLM2's in $PLUMB_SMOLLM2.
"""
import collections
import copy
import json
import os
import pathlib
import re
import sys

EXPERIMENTS = pathlib.Path("experiments")
SPLITS = ("test", "train")
PAIRED, OPTIONS = ("sentiment", "grammar"), ("addition", "plural")
LABELLED = (*PAIRED, "sst2", "imdb")
# Words that say nothing of a task: they may stand in wordings of any role.
COMMON = set("a an the of to in on it is was were and or so that this what how did you i we my by as at all not".split())
FUNCTION_WORDS = COMMON | set("has have had be been will would for with from than its his her their our your she he they us them".split())
TEMPLATE = re.compile(r'- \{name: (\w+), role: (\w+)(?:, doc_to_text: ("(?:[^"\\]|\\.)*"))?(?:, doc_to_choice: \[([^\]]*)\])?\}')


def read_items():
    return {task: {split: [json.loads(line) for line in open(EXPERIMENTS / f"paper/data/{task}.{split}.jsonl", encoding="utf-8")]
                   for split in SPLITS} for task in (*PAIRED, *OPTIONS)}


def read_wordings():
    """{task: [(name, role, text, label words or None)]}"""
    tasks = {}
    for task in (*LABELLED, *OPTIONS):
        head, _, body = (EXPERIMENTS / f"tasks/{task}.yaml").read_text(encoding="utf-8").partition("\n  templates:\n")
        text = json.loads(re.search(r'^doc_to_text: (".*")$', head, re.M)[1])
        words = re.search(r"^doc_to_choice: \[(.*)\]$", head, re.M)
        tasks[task] = []
        for line in body.splitlines():
            name, role, own_text, own_words = TEMPLATE.fullmatch(line.strip()).groups()
            listed = own_words or (words and words[1])
            tasks[task].append((name, role, json.loads(own_text) if own_text else text, listed.split(", ") if listed else None))
    return tasks


def words_of(text):
    return set(re.findall(r"[a-z']+", text.lower()))


# ---- items


def pairs_are_whole(items, wordings):
    for task in PAIRED:
        for split, least in zip(SPLITS, (300, 150)):
            pairs = collections.defaultdict(list)
            for item in items[task][split]:
                pairs[item["pair"]].append(item["label"])
            if len(pairs) < least:
                yield f"{task}.{split}: {len(pairs)} pairs"
            yield from (f"{task}.{split}: pair {pair} has labels {labels}" for pair, labels in pairs.items() if sorted(labels) != [0, 1])


def enough_items(items, wordings):
    for task, files in items.items():
        for split in SPLITS:
            if len(files[split]) < 300:
                yield f"{task}.{split}: {len(files[split])} items"


def answers_fit(items, wordings):
    names = {"sentiment": ["negative", "positive"], "grammar": ["incorrect", "correct"]}
    for task, files in items.items():
        for item in files["test"] + files["train"]:
            if item["answer"] != (item["options"] if task in OPTIONS else names[task])[item["label"]]:
                yield f"{task}: answer and label differ: {item}"
            if task == "addition" and int(item["answer"]) != item["a"] + item["b"]:
                yield f"addition: wrong sum: {item}"


def nothing_twice(items, wordings):
    """No text, no noun, and no two numbers, be it the other way round, occur twice, in one file or across the two."""
    keys = {"sentiment": lambda x: x["text"].lower(), "grammar": lambda x: x["text"].lower(), "plural": lambda x: x["noun"],
            "addition": lambda x: tuple(sorted((x["a"], x["b"])))}
    for task, files in items.items():
        counts = collections.Counter(map(keys[task], files["test"] + files["train"]))
        yield from (f"{task}: twice: {key}" for key, n in counts.items() if n > 1)


def pairs_are_no_variants(items, wordings):
    """Sentences of two pairs, of one file or of the two, never share half of their words beyond the commonest."""
    for task in PAIRED:
        seen = [(item["pair"], words_of(item["text"]) - FUNCTION_WORDS) for split in SPLITS for item in items[task][split]]
        for i, (pair, words) in enumerate(seen):
            for other, others in seen[:i]:
                if pair != other and 2 * len(words & others) >= len(words | others):
                    yield f"{task}: {pair} and {other} are alike: {sorted(words & others)}"


def length_tells_nothing(items, wordings):
    for task in PAIRED:
        for split in SPLITS:
            mean = [0, 0]
            for item in items[task][split]:
                mean[item["label"]] += len(item["text"]) / (len(items[task][split]) / 2)
            if abs(mean[0] - mean[1]) > 0.05 * mean[0]:
                yield f"{task}.{split}: {mean[0]:.1f} and {mean[1]:.1f} characters by label"


def times_are_clear(items, wordings):
    """"In two days" is also "within two days", "next year" without more the year that came then: no tense hangs on them."""
    for split in SPLITS:
        for item in items["grammar"][split]:
            if item["kind"] == "tense" and re.search(r"^next|\bin (\d{1,2}|a|an|one|two|three|four|five|six|ten) ", item["text"], re.I):
                yield f"grammar: {item['text']}"


def options_are_fair(items, wordings):
    for task in OPTIONS:
        for split in SPLITS:
            rows = items[task][split]
            places = collections.Counter(item["label"] for item in rows)
            if task == "addition":
                places += collections.Counter(f"rank {sorted(item['options']).index(item['answer'])}" for item in rows)
            if min(places.values()) < 0.18 * len(rows):
                yield f"{task}.{split}: places {dict(places)}"
            for item in rows:
                if len(set(item["options"])) != 4:
                    yield f"{task}: options {item['options']}"
                if task == "addition" and len(set(map(len, item["options"]))) > 1:
                    yield f"addition: options of unequal length: {item['options']}"
    for split in SPLITS:  # every form is right once, and once the other noun's
        rows = items["plural"][split]
        offered = collections.Counter(word for item in rows for word in item["options"])
        yield from (f"plural.{split}: {word} is offered {n} times" for word, n in offered.items() if n != 2)
        yield from (f"plural.{split}: {item['noun']} is not offered" for item in rows if item["noun"] not in item["options"])


# ---- wordings


def roles_are_filled(items, wordings):
    for task, templates in wordings.items():
        texts = {role: {text for _, r, text, _ in templates if r == role} for role in ("id", "dev", "ood")}
        if len(texts["id"]) < 1 or len(texts["dev"]) < 8 or len(texts["ood"]) < 8:
            yield f"{task}: {[len(t) for t in texts.values()]} wordings"
        if len(set().union(*texts.values())) < sum(map(len, texts.values())):
            yield f"{task}: a wording has two roles"


def label_words_are_crossed(items, wordings):
    for task in LABELLED:
        sets = collections.defaultdict(set)
        for _, _, text, words in wordings[task]:
            sets[text].add(tuple(words))
        yield from (f"{task}: {words} with {text!r}" for text, words in sets.items() if len(words) < 2 or words != sets[wordings[task][0][2]])


def ood_shares_no_cue(items, wordings):
    for task, templates in wordings.items():
        cues = {role: set() for role in ("id", "dev", "ood")}
        for _, role, text, _ in templates:
            cues[role] |= words_of(re.sub(r"\{\{.*?\}\}", " ", text)) - COMMON
        both = cues["ood"] & (cues["id"] | cues["dev"])
        if both:
            yield f"{task}: {sorted(both)}"


def no_wording_names_a_label(items, wordings):
    for task in LABELLED:
        labels = {word for *_, words in wordings[task] for word in words}
        for name, _, text, _ in wordings[task]:
            if labels & words_of(re.sub(r"\{\{.*?\}\}", " ", text)):
                yield f"{task}: {name}"


def words_in(vocabulary):
    def one_token(items, wordings):
        words = {word for task in LABELLED for *_, listed in wordings[task] for word in listed}
        words |= {word for split in SPLITS for item in items["plural"][split] for word in item["options"]}
        yield from (f"{word} is no token" for word in sorted(words) if "\u0120" + word not in vocabulary)
    return one_token


def vocabularies():
    """(name, its tokens or None where they are not at hand)"""
    gpt2 = pathlib.Path(os.environ.get("PLUMB_DATA", "../shared/data")) / "tokenizers/gpt2/vocab.json"
    smollm2 = pathlib.Path(os.environ.get("PLUMB_SMOLLM2", "none")) / "tokenizer.json"
    yield "GPT-2", json.loads(gpt2.read_text(encoding="utf-8")) if gpt2.exists() else None
    yield "SmolLM2", json.loads(smollm2.read_text(encoding="utf-8"))["model"]["vocab"] if smollm2.exists() else None


# ---- planted faults


def break_pair(items, wordings):
    items["grammar"]["test"].pop()


def lose_items(items, wordings):
    del items["addition"]["train"][250:]


def turn_label(items, wordings):
    items["sentiment"]["test"][5]["label"] ^= 1


def commute(items, wordings):
    a, b = items["addition"]["train"], items["addition"]["test"]
    a[3] = {**b[7], "a": b[7]["b"], "b": b[7]["a"]}


def vary(items, wordings):
    twin = items["sentiment"]["test"][9]
    items["sentiment"]["train"].append({**twin, "pair": "train-x", "text": "Indeed, " + twin["text"]})


def lengthen(items, wordings):
    for item in items["grammar"]["train"]:
        item["text"] += " Indeed." * item["label"]


def within(items, wordings):
    next(x for x in items["grammar"]["test"] if x["kind"] == "tense")["text"] = "In two days Peter cooked a big pot of soup."


def stretch(items, wordings):
    items["addition"]["test"][0]["options"][0] += "0"


def retire(items, wordings):
    wordings["sst2"] = [t for t in wordings["sst2"] if t[0] not in ("tags", "tags_words")]


def uncross(items, wordings):
    wordings["grammar"] = [t for t in wordings["grammar"] if t[0] != "shout_words"]


def leak(items, wordings):
    wordings["plural"].append(("leak", "ood", "The plural form:", None))


def name_label(items, wordings):
    wordings["imdb"].append(("choose", "dev", "Is it good?", ["bad", "good"]))


def odd_word(items, wordings):
    wordings["imdb"].append(("odd", "dev", "", ["unputdownable"]))


CHECKS = [("sentiment and grammar have 300 pairs and more, each with one sentence of either label", pairs_are_whole, break_pair),
          ("every file has 300 items and more", enough_items, lose_items),
          ("answers are those of the labels, sums are right", answers_fit, turn_label),
          ("no item occurs twice, no sum the other way round", nothing_twice, commute),
          ("no pair is a variant of another", pairs_are_no_variants, vary),
          ("length does not tell the label", length_tells_nothing, lengthen),
          ("no tense hangs on 'in two days' or 'next year'", times_are_clear, within),
          ("options are distinct, in balanced places and ranks, alike in length, and as often wrong as right", options_are_fair, stretch),
          ("eight dev and eight ood wordings a task", roles_are_filled, retire),
          ("label words are crossed with wordings", label_words_are_crossed, uncross),
          ("ood wordings share no cue word with id and dev", ood_shares_no_cue, leak),
          ("no wording names a label word", no_wording_names_a_label, name_label)]


def main():
    shipped = read_items(), read_wordings()
    checks = list(CHECKS)
    for name, vocabulary in vocabularies():
        text = f"label words and options of plural are one token each: {name}"
        if vocabulary:
            checks.append((text, words_in(vocabulary), odd_word))
        else:
            print("SKIP", text)
    failed = False
    for name, check, plant in checks:
        faults = list(check(*shipped))
        planted = copy.deepcopy(shipped)
        plant(*planted)
        if not faults and not any(True for _ in check(*planted)):
            faults = ["the planted fault is not found"]
        failed |= bool(faults)
        print("FAIL" if faults else "PASS", name)
        for fault in faults[:10]:
            print("    ", fault)
    return failed


if __name__ == "__main__":
    sys.exit(main())
