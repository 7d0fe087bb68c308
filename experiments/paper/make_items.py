#!/usr/bin/env python3
"""Composes the items of the four tasks of paper/shot-scaling.yaml from words/*.txt into data/*.jsonl.

    make_items.py            writes data/<task>.test.jsonl and data/<task>.train.jsonl, and their digests into
                             ../tasks/<task>.yaml
    make_items.py --check    composes them again and compares with what is committed

sentiment, grammar   words/<task>.<split>.txt: a line is a pair of sentences, "The soup was {cold|hot}.": the first words of each
                     brace make label 0 (negative, incorrect), the second label 1. Both are items, of one `pair`.
                     "# name" opens a kind of mistake.
plural               words/nouns.txt: nouns by rule ("# name"), regular ones as the singular alone.
addition             drawn.

Deterministic: the same words give the same bytes. Needs Python 3 alone; running plumb does not need it at all.
tests/program/items.py holds what is committed against what is promised of it.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re
import sys

HERE = pathlib.Path(__file__).parent
TASKS = HERE.parent / "tasks"
SPLITS = ("test", "train")
BRACE = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")


def read_words(name):
    """(section, line) for every line; the section is the last "# name" above it."""
    section = None
    for line in (HERE / "words" / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            section = line[2:]
        elif line:
            yield section, line


# ---- sentiment, grammar: pairs of sentences


def sentence(line, label):
    text = BRACE.sub(lambda m: m[1 + label], line)
    if "{" in text or "|" in text or "  " in text or not BRACE.search(line):
        raise SystemExit(f"no pair of sentences: {line}")
    return text[0].upper() + text[1:]


def pair_items(rng, task, split, answers):
    items = []
    for number, (kind, line) in enumerate(read_words(f"{task}.{split}.txt")):
        for label, answer in enumerate(answers):
            item = {"text": sentence(line, label), "label": label, "answer": answer}
            if kind:
                item["kind"] = kind
            items.append({**item, "pair": f"{split}-{number}"})
    rng.shuffle(items)
    return items


def sentiment_files(rng):
    return [pair_items(rng, "sentiment", split, ["negative", "positive"]) for split in SPLITS]


def grammar_files(rng):
    return [pair_items(rng, "grammar", split, ["incorrect", "correct"]) for split in SPLITS]


# ---- addition: nine sizes (digits of the first x digits of the second), sums below 1,000

DIGITS = {1: range(1, 10), 2: range(10, 100), 3: range(100, 1000)}
# Sums of each size: one-digit ones are 45 when a + b is b + a, which all of them are used for.
N_SUMS = {"test": 72, "train": 36}
N_ONE_DIGIT = {"test": 24, "train": 21}


def slips(a, b):
    """Sums as people get them wrong, with as many digits as the right one: no carry, a neighbour, two digits swapped."""
    right = str(a + b)
    columns = [(int(x) + int(y)) % 10 for x, y in zip(str(a).zfill(3), str(b).zfill(3))]
    wrong = {int("".join(map(str, columns)))} | {a + b + d for d in (-20, -10, -3, -2, -1, 1, 2, 3, 10, 20)}
    if len(right) > 1:
        wrong.add(int(right[:-2] + right[-1] + right[-2]))
    return sorted(x for x in wrong if x > 0 and x != a + b and len(str(x)) == len(right))


def addition_item(rng, a, b):
    """The sum is as often the least as the second, third and largest of the options, as far as there are slips."""
    wrong = slips(a, b)
    less, more = [x for x in wrong if x < a + b], [x for x in wrong if x > a + b]
    n_less = rng.choice([n for n in range(4) if n <= len(less) and 3 - n <= len(more)])
    options = [a + b] + rng.sample(less, n_less) + rng.sample(more, 3 - n_less)
    rng.shuffle(options)
    return {"a": a, "b": b, "options": [str(x) for x in options], "label": options.index(a + b), "answer": str(a + b)}


def addition_files(rng):
    """No two sums have the same numbers, in either order, within a file or across them."""
    taken, files = set(), []
    for split in SPLITS:
        items = []
        for m in DIGITS:
            for n in DIGITS:
                left = N_ONE_DIGIT[split] if m == n == 1 else N_SUMS[split]
                while left > 0:
                    a, b = rng.choice(DIGITS[m]), rng.choice(DIGITS[n])
                    if a + b < 1000 and frozenset((a, b)) not in taken:
                        taken.add(frozenset((a, b)))
                        items.append(addition_item(rng, a, b))
                        left -= 1
        rng.shuffle(items)
        files.append(items)
    return files


# ---- plural: the options are the singular and the plural of the noun and of another one

ENDING = {"s": "s", "es": "es", "ies": "ies", "ys": "s", "fs": "s", "os": "s", "oes": "es"}


def nouns():
    """(rule, singular, plural)"""
    for rule, line in read_words("nouns.txt"):
        for word in line.split():
            one, _, many = word.partition(":")
            if not many:
                many = (one[:-1] if rule == "ies" else one) + ENDING[rule]
            yield rule, one, many


def plural_items(rng, chosen):
    """Each noun is the other noun of one item, so that a form is as often right as it is another noun's."""
    items = []
    for i, (rule, one, many) in enumerate(chosen):
        options = [one, many, *chosen[(i + 1) % len(chosen)][1:]]
        rng.shuffle(options)
        items.append({"noun": one, "rule": rule, "options": options, "label": options.index(many), "answer": many})
    rng.shuffle(items)
    return items


def plural_files(rng):
    """Half of every rule's nouns for each file."""
    by_rule, halves = {}, ([], [])
    for noun in nouns():
        by_rule.setdefault(noun[0], []).append(noun)
    for group in by_rule.values():
        rng.shuffle(group)
        for i, noun in enumerate(group):
            halves[i % 2].append(noun)
    for half in halves:
        rng.shuffle(half)
    return [plural_items(rng, half) for half in halves]


# ---- files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    check = parser.parse_args().check
    makers = {"sentiment": sentiment_files, "addition": addition_files, "grammar": grammar_files, "plural": plural_files}
    stale = []

    def settle(path, text):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        stale.append(path)
        if not check:
            path.write_text(text, encoding="utf-8")

    for number, (task, make) in enumerate(makers.items()):
        yaml = (TASKS / f"{task}.yaml").read_text(encoding="utf-8")
        for split, items in zip(SPLITS, make(random.Random(2000 + number))):
            name = f"{task}.{split}.jsonl"
            text = "".join(json.dumps({"id": i, **item}, ensure_ascii=False) + "\n" for i, item in enumerate(items))
            settle(HERE / "data" / name, text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            yaml = re.sub(rf"(path: {re.escape(name)}, sha256: )[0-9a-f]*", rf"\g<1>{digest}", yaml)
            print(f"{name}: {len(items)} items")
        settle(TASKS / f"{task}.yaml", yaml)
    for path in stale:
        print(f"{path}: {'is not what make_items.py composes' if check else 'written'}", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
