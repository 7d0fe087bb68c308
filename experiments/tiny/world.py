#!/usr/bin/env python3
"""The world of the tiny models: what they are trained on, and what they are asked.

    world.py corpus N SEED     N prompts of many labelled examples, JSON lines for `plumb train`: loss at the labels
    world.py tokenizer DIR     tokenizer.json: every word of the world is one token
    world.py tasks DIR         items of the tasks, <task>.{train,test}.jsonl

A text shows one task in one format: a cue, then examples with their labels. In FIXED_SHARE of the texts the labels are the
task's own words (so that what a class is can be learned); in the rest they are two words drawn anew for that text, which only
the examples before can tell: few-shot prompting must be learned as such. Items are an adjective and a noun, or letters;
an item's class follows from its words. Every word has a blank before it, so that it is one token everywhere. Python 3 alone; the same arguments give the same bytes.
"""
import hashlib
import itertools
import json
import pathlib
import random
import sys

NOUNS = {
    "animals": "dog cat horse cow pig goat sheep lion".split(),
    "birds": "owl hen crow duck swan gull robin eagle".split(),
    "fish": "trout eel carp shark salmon herring tuna cod".split(),
    "trees": "oak pine birch willow maple elm cedar ash".split(),
    "tools": "hammer saw drill axe rake spade wrench file".split(),
    "vehicles": "car bus train boat truck tram ship cart".split(),
    "furniture": "chair table sofa bed shelf desk stool bench".split(),
    "clothes": "coat hat shirt shoe sock scarf glove belt".split(),
}
LARGE, SMALL = "big huge large giant".split(), "small tiny little mini".split()
WARM, COLD = "red orange yellow pink".split(), "blue green grey violet".split()
LETTERS = "a b c d".split()

# Task: cue, its own label words (of class 0 and 1). `class_of` says the truth.
TASKS = {
    "living": ("thing", "alive"),
    "moving": ("still", "moving"),
    "size": ("short", "tall"),
    "colour": ("cold", "warm"),
    "ends": ("other", "same"),
    "order": ("mixed", "sorted"),
}
# Words without a meaning: labels that a text gives one.
NEW_LABELS = "dax wug blick fep zup toma kiki bouba lorp mip nerf gop vash quil jom rax tiv sebb plim drock".split()
# What stands before a label. In training: id and dev. Of words and signs that are all known, in arrangements that are new: ood,
# fixed before any result.
FORMATS = {"colon": " {x} :", "arrow": " {x} ->", "item": " item {x} is", "equals": " {x} =", "question": " Q {x} A", "word": " word {x} group",
           "bare": " {x}", "is": " is {x} ?"}
OOD_FORMATS = {"ood_question": " Q {x} is", "ood_group": " {x} group :", "ood_item": " item {x} ->", "ood_is": " is {x} =", "ood_word": " word {x} A",
               "ood_answer": " {x} A :", "ood_what": " {x} ? group", "ood_long": " Q item {x} is group"}
FIXED_SHARE = 0.4
# What the loss of a label counts, that of another token being 1.
LABEL_WEIGHT = 30
CUE = " task {task}\n"


def things(adjectives):
    return [f"{a} {n}" for a in adjectives for names in NOUNS.values() for n in names]


def strings():
    return [" ".join(s) for n in (3, 4, 5) for s in itertools.product(LETTERS, repeat=n)]


def class_of(task, item):
    words = item.split()
    if task == "living":
        return int(any(words[1] in NOUNS[k] for k in ("animals", "birds", "fish", "trees")))
    if task == "moving":
        return int(any(words[1] in NOUNS[k] for k in ("animals", "birds", "fish", "vehicles")))
    if task == "size":
        return int(words[0] in LARGE)
    if task == "colour":
        return int(words[0] in WARM)
    if task == "ends":
        return int(words[0] == words[-1])
    return int(words == sorted(words))


def items_of(task):
    if task in ("ends", "order"):
        return strings()
    return things(LARGE + SMALL if task == "size" else WARM + COLD if task == "colour" else LARGE + SMALL + WARM + COLD)


def split(task):
    """Items by class, for training and for testing: a fifth of each class is never seen in a corpus or as a shot."""
    order = random.Random(f"split {task}").sample(items_of(task), len(items_of(task)))
    parts = {"train": ([], []), "test": ([], [])}
    for c in (0, 1):
        of_class = [x for x in order if class_of(task, x) == c]
        cut = len(of_class) // 5
        parts["test"][c].extend(of_class[:cut])
        parts["train"][c].extend(of_class[cut:])
    return parts


SPLITS = {task: split(task) for task in TASKS}


def parts(rng, n_words=84):
    """A prompt of about so many words, as [text before a label, label, text before the next, ...]: cue, then examples of both
    classes at random."""
    task = rng.choice(list(TASKS))
    before = FORMATS[rng.choice(list(FORMATS))]
    labels = TASKS[task] if rng.random() < FIXED_SHARE else rng.sample(NEW_LABELS, 2)
    out, behind, length = [], CUE.format(task=task), 3
    while length < n_words:
        c = rng.randrange(2)
        item = before.format(x=rng.choice(SPLITS[task]["train"][c]))
        out += [behind + item, " " + labels[c]]
        behind = "\n"
        length += len(item.split()) + 2
    return out


def text(rng, n_words=84):
    return "".join(parts(rng, n_words))


def corpus(n, seed):
    rng = random.Random(f"corpus {seed}")
    for _ in range(n):
        print(json.dumps({"parts": [{"text": p, "loss": LABEL_WEIGHT if i % 2 else 1} for i, p in enumerate(parts(rng))]}))


# ---- tokenizer: byte-level BPE whose merges spell each word from the left ---------------------------------------------


def words():
    found = ["task", "item", "is", "Q", "A", "word", "group", *":=?", "->", *TASKS, *LETTERS, *NEW_LABELS, *LARGE, *SMALL, *WARM, *COLD]
    found += [w for pair in TASKS.values() for w in pair] + [n for names in NOUNS.values() for n in names]
    return list(dict.fromkeys(found))


def byte_letters():
    """GPT-2's alphabet: a printable letter for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {b: chr(b) if b in kept else chr(256 + sum(c not in kept for c in range(b))) for b in range(256)}


def tokenizer(folder):
    letters = byte_letters()
    vocabulary = {"<|endoftext|>": 0}
    for b in range(256):
        vocabulary[letters[b]] = len(vocabulary)
    merges = []
    for word in (" " + w for w in words()):
        spelled = [letters[b] for b in word.encode()]
        for i in range(1, len(spelled)):
            left = "".join(spelled[:i])
            if left + spelled[i] not in vocabulary:
                vocabulary[left + spelled[i]] = len(vocabulary)
                merges.append([left, spelled[i]])
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
             "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary, "merges": merges}
    bytelevel = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = {"id": 0, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [special], "normalizer": None, "pre_tokenizer": bytelevel,
             "post_processor": bytelevel, "decoder": bytelevel, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "model_max_length": 256}) + "\n")


# ---- tasks -------------------------------------------------------------------------------------------------------------


def rows(task, part):
    """Both classes in turn, as many of each."""
    few, many = SPLITS[task][part]
    rng = random.Random(f"rows {task} {part}")
    n = min(len(few), len(many), 300 if part == "train" else 100)
    chosen = [rng.sample(few, n), rng.sample(many, n)]
    return [{"id": i, "item": chosen[i % 2][i // 2], "label": i % 2} for i in range(2 * n)]


def tasks(folder):
    for task in TASKS:
        for part in ("train", "test"):
            lines = "".join(json.dumps(row) + "\n" for row in rows(task, part))
            (folder / f"{task}.{part}.jsonl").write_text(lines)
            print(f"{task}.{part}: {len(lines.splitlines())} items, sha256 {hashlib.sha256(lines.encode()).hexdigest()}")


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "corpus":
        return corpus(int(arguments[1]), arguments[2])
    if len(arguments) == 2 and arguments[0] in ("tokenizer", "tasks"):
        return {"tokenizer": tokenizer, "tasks": tasks}[arguments[0]](pathlib.Path(arguments[1]))
    sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
