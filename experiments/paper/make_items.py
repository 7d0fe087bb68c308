#!/usr/bin/env python3
"""Composes the items of the four tasks of paper/shot-scaling.yaml from word_lists.py into data/*.jsonl.

    make_items.py            writes data/<task>.test.jsonl and data/<task>.train.jsonl
    make_items.py --check    composes them again and compares with what is committed, and with the digests in
                             ../tasks/<task>.yaml
Both check balance, uniqueness, and that test and training items share nothing they should not.

Deterministic: the same word lists give the same bytes. Needs Python 3 alone; running plumb does not need it at all.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import random
import sys

import word_lists as w

DATA = pathlib.Path(__file__).parent / "data"
TASKS = DATA.parent.parent / "tasks"
POLARITY = ["negative", "positive"]
ACCEPTABLE = ["incorrect", "correct"]


def sentence(text):
    return text[0].upper() + text[1:]


def numbered(items):
    """Fields in a fixed order, the number first."""
    return [{"id": i, **item} for i, item in enumerate(items)]


# ---- sentiment: frames x subjects, every frame as often as every other


def sentiment(rng, part, positive, negative, per_frame):
    items = []
    for label, frames in enumerate([negative, positive]):
        for kind, lines in frames.items():
            for number, line in enumerate(lines):
                for subject in rng.sample(w.SUBJECTS[kind], per_frame):
                    opener = rng.choice(w.OPENERS)
                    text = opener + line.format(s=subject)
                    items.append({"text": sentence(text), "label": label, "answer": POLARITY[label],
                                  "frame": f"{part}-{kind}-{POLARITY[label]}-{number}"})
    rng.shuffle(items)
    return items


def trim(items, n):
    """The first n/2 of each label, order kept."""
    left = {0: n // 2, 1: n // 2}
    kept = []
    for item in items:
        if left[item["label"]] > 0:
            left[item["label"]] -= 1
            kept.append(item)
    return kept


def sentiment_files(rng):
    test = trim(sentiment(rng, "test", w.POSITIVE, w.NEGATIVE, 9), 600)
    return test, sentiment(rng, "train", w.TRAIN_POSITIVE, w.TRAIN_NEGATIVE, 9)


# ---- addition: nine sizes (digits of the first x digits of the second), equally many of each


def slips(a, b):
    """Sums as people get them wrong: no carry, one carry too many, a neighbour, two digits swapped."""
    right = a + b
    text = str(right)
    wrong = [right + 1, right - 1, right + 10, right - 10, right + 2, right - 2]
    columns = [(int(x) + int(y)) % 10 for x, y in zip(str(a).zfill(3), str(b).zfill(3))]
    wrong.append(int("".join(map(str, columns))))
    if len(text) > 1 and text[-1] != "0":
        wrong.append(int(text[:-2] + text[-1] + text[-2]))
    return sorted({x for x in wrong if x > 0 and x != right})


def addition_item(rng, a, b):
    options = [a + b] + rng.sample(slips(a, b), 3)
    rng.shuffle(options)
    return {"a": a, "b": b, "options": [str(x) for x in options], "label": options.index(a + b), "answer": str(a + b)}


def addition_files(rng):
    """No sum of the test items is among the shots, also not the other way round."""
    ranges = {1: range(1, 10), 2: range(10, 100), 3: range(100, 1000)}
    sizes = [(first, second) for first in ranges.values() for second in ranges.values()]
    shots, taken = [], set()
    for first, second in sizes:
        for _ in range(7):
            a, b = rng.choice(first), rng.choice(second)
            while (a, b) in taken:
                a, b = rng.choice(first), rng.choice(second)
            taken |= {(a, b), (b, a)}
            shots.append((a, b))
    sums = []
    for first, second in sizes:
        pairs = set()
        while len(pairs) < 67:
            a, b = rng.choice(first), rng.choice(second)
            if (a, b) not in taken:
                pairs.add((a, b))
        sums += sorted(pairs)
    test, train = [addition_item(rng, a, b) for a, b in sums], [addition_item(rng, a, b) for a, b in shots]
    rng.shuffle(test)
    rng.shuffle(train)
    return test, train


# ---- plural


def nouns():
    for rule, text in w.PLURALS.items():
        for word in text.split():
            if ":" in word:
                one, many = word.split(":")
            elif rule == "es":
                one, many = word, word + "es"
            elif rule == "ies":
                one, many = word, word[:-1] + "ies"
            elif rule == "oes":
                one, many = word, word + "es"
            else:
                one, many = word, word + "s"
            yield rule, one, many


def wrong_plurals(one, many):
    forms = {one + "s", one + "es", one + "en", one + "'s"}
    if one[-1] in "yeo":
        forms |= {one[:-1] + "ies", one[:-1] + "is"}
    if one.endswith("f"):
        forms |= {one[:-1] + "ves"}
    if one.endswith("fe"):
        forms |= {one[:-2] + "ves"}
    if one.endswith(("is", "us")):
        forms |= {one[:-2] + "i", one[:-2] + "es", one[:-2] + "ises"}
    if one.endswith("um"):
        forms |= {one[:-2] + "ums", one[:-2] + "i"}
    if one.endswith("on") and many.endswith("a"):
        forms |= {one[:-2] + "ons", one[:-2] + "i"}
    if many.endswith(("men", "ren", "en")):
        forms |= {many + "s"}
    if many.endswith(("ice", "eet", "eeth", "eese")):
        forms |= {many + "s", one + "en"}
    return sorted(forms - {one, many} - w.ACCEPTED)


def plural_files(rng):
    items = collections.defaultdict(list)
    for rule, one, many in nouns():
        # The singular, as short as the plural and a word as well, is always there: the others are no words, and longer.
        wrong = wrong_plurals(one, many)
        options = [many] + ([one] + rng.sample(wrong, 2) if one != many else rng.sample(wrong, 3))
        rng.shuffle(options)
        items[rule].append({"noun": one, "rule": rule, "options": options, "label": options.index(many),
                            "answer": many})
    test, train = [], []
    for rule in items:  # every rule gives shots: one noun in seven
        rng.shuffle(items[rule])
        n_train = max(1, len(items[rule]) // 7)
        train += items[rule][:n_train]
        test += items[rule][n_train:]
    rng.shuffle(test)
    rng.shuffle(train)
    return test, train


# ---- grammar: minimal pairs; both sentences of a pair are items


def agreement(subjects, verbs):
    for i, (one, many) in enumerate(subjects):
        for j, (singular, plural, rest) in enumerate(verbs):
            subject, good, bad = (one, singular, plural) if (i + j) % 2 == 0 else (many, plural, singular)
            yield f"{subject} {good} {rest}", f"{subject} {bad} {rest}"


def tense(subjects, verbs):
    for i, subject in enumerate(subjects):
        for j, (past, bare, rest) in enumerate(verbs):
            who = subject if subject not in ("She", "He") else subject.lower()
            who = who[0].lower() + who[1:] if who.startswith(("My ", "The ", "Our ")) else who
            if (i + j) % 2 == 0:
                when = w.PAST_TIMES[(i + j // 2) % len(w.PAST_TIMES)]
                yield f"{when} {who} {past} {rest}.", f"{when} {who} will {bare} {rest}."
            else:
                when = w.FUTURE_TIMES[(i + j // 2) % len(w.FUTURE_TIMES)]
                yield f"{when} {who} will {bare} {rest}.", f"{when} {who} {past} {rest}."


def article(frames, an_nouns, a_nouns):
    for k, (with_an, with_a) in enumerate(zip(an_nouns, a_nouns)):
        for i, frame in enumerate(frames):
            noun, good, bad = (with_an, "an", "a") if (k + i) % 2 == 0 else (with_a, "a", "an")
            yield frame.format(a=good, n=noun), frame.format(a=bad, n=noun)


def order(frames, fillers):
    for good, bad in frames:
        for x in fillers:
            yield good.format(x=x), bad.format(x=x)


def grammar(rng, kinds, per_kind):
    items = []
    for kind, pairs in kinds.items():
        pairs = list(pairs)
        assert len(pairs) >= per_kind, (kind, len(pairs))
        for number, pair in enumerate(rng.sample(pairs, per_kind)):
            for label, text in ((1, pair[0]), (0, pair[1])):
                items.append({"text": text, "label": label, "answer": ACCEPTABLE[label], "kind": kind,
                              "pair": f"{kind}-{number}"})
    rng.shuffle(items)
    return items


def grammar_files(rng):
    test = grammar(rng, {
        "agreement": agreement(w.AGREEMENT_SUBJECTS, w.AGREEMENT_VERBS),
        "tense": tense(w.TENSE_SUBJECTS, w.TENSE_VERBS),
        "article": article(w.ARTICLE_FRAMES, w.AN_NOUNS, w.A_NOUNS),
        "order": order(w.ORDER_FRAMES, w.ORDER_NOUNS)}, 75)
    train = grammar(rng, {
        "agreement": agreement(w.TRAIN_AGREEMENT_SUBJECTS, w.TRAIN_AGREEMENT_VERBS),
        "tense": tense(w.TRAIN_TENSE_SUBJECTS, w.TRAIN_TENSE_VERBS),
        "article": article(w.TRAIN_ARTICLE_FRAMES, w.TRAIN_AN_NOUNS, w.TRAIN_A_NOUNS),
        "order": order(w.TRAIN_ORDER_FRAMES, w.TRAIN_ORDER_NOUNS)}, 4)
    for item in train:
        item["pair"] = "train-" + item["pair"]
    return test, train


# ---- files and checks

FIELDS = {"sentiment": "text", "grammar": "text", "plural": "noun"}  # what makes an item the item it is


def key(task, item):
    return (item["a"], item["b"]) if task == "addition" else item[FIELDS[task]]


def check(task, test, train):
    keys = [key(task, x) for x in test + train]
    twice = [k for k, n in collections.Counter(keys).items() if n > 1]
    assert not twice, f"{task}: items that occur twice: {twice[:5]}"
    assert len(test) >= 200 and len(train) >= 32, (task, len(test), len(train))
    for part in (test, train):
        if "options" not in part[0]:
            counts = collections.Counter(x["label"] for x in part)
            assert counts[0] == counts[1], (task, counts)
        else:
            for x in part:
                assert len(set(x["options"])) == 4 and x["options"][x["label"]] == x["answer"], x
            places = collections.Counter(x["options"].index(x["answer"]) for x in part)
            assert len(part) < 200 or min(places.values()) > 0.18 * len(part), (task, places)
    if task == "sentiment":
        lines = {split: {line for part in parts for kind in part.values() for line in kind}
                 for split, parts in (("test", (w.POSITIVE, w.NEGATIVE)), ("train", (w.TRAIN_POSITIVE, w.TRAIN_NEGATIVE)))}
        assert not lines["test"] & lines["train"] and not {x["frame"] for x in test} & {x["frame"] for x in train}
        for part, name in ((test, "test"), (train, "train")):
            frames = collections.defaultdict(list)
            for x in part:
                frames[x["frame"]].append(x["label"])
            assert len(frames) == len(lines[name]) == 72 and all(len(set(x)) == 1 and len(x) >= 6 for x in frames.values()), len(frames)
        assert len(train) >= 2 * 256, len(train)
    if task == "addition":
        assert all(int(x["answer"]) == x["a"] + x["b"] for x in test + train)
        assert not {frozenset((x["a"], x["b"])) for x in test} & {frozenset((x["a"], x["b"])) for x in train}
        sizes = collections.Counter((len(str(x["a"])), len(str(x["b"]))) for x in test)
        assert len(sizes) == 9 and len(set(sizes.values())) == 1, sizes
    if task == "grammar":
        for part in (test, train):
            labels = collections.Counter((x["pair"], x["label"]) for x in part)
            assert set(labels.values()) == {1} and len(labels) == len(part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    arguments = parser.parse_args()
    makers = {"sentiment": sentiment_files, "addition": addition_files, "grammar": grammar_files, "plural": plural_files}
    differs = 0
    for number, (task, make) in enumerate(makers.items()):
        test, train = make(random.Random(1000 + number))
        check(task, test, train)
        for split, items in (("test", test), ("train", train)):
            text = "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in numbered(items))
            path = DATA / f"{task}.{split}.jsonl"
            if not arguments.check:
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                differs += 1
                print(f"{path}: differs from what make_items.py composes; run make_items.py", file=sys.stderr)
            digest = hashlib.sha256(text.encode()).hexdigest()
            if digest not in (TASKS / f"{task}.yaml").read_text(encoding="utf-8"):
                differs += 1
                print(f"{TASKS / task}.yaml: expected sha256 {digest} for {path.name}", file=sys.stderr)
        print(f"{task}: {len(test)} test items, {len(train)} training items")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
