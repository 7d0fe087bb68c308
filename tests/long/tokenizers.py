"""Megabytes of hostile and of natural-looking text through plumb's tokenizers and PyPI `tokenizers`: ids, ids with
special tokens, and both decodings must be the same.

    python tokenizers.py DRIVER SEED MEGABYTES FOLDER...

DRIVER is tests/tokenizer/tokenize_lines; a FOLDER holds tokenizer.json, or vocab.json and merges.txt (then transformers reads
it). Code points whose class or normal form differs between the Unicode versions of the two sides (ours: utf8proc's and
PCRE2's; theirs: Oniguruma's and that of several Rust crates) are left out: what Python's Unicode 14 has not assigned, and
what a probe shows to differ.
"""
import json
import pathlib
import random
import struct
import subprocess
import sys
import unicodedata

# This file has the library's name: its own folder must not come first.
sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != pathlib.Path(__file__).resolve().parent]
import tokenizers  # noqa: E402

WORDS = """the of and to in is it was that for on with as he his they at be this have from or had by but not what all were
we when your can said there use an each which she do how their if will up other about out many then them these so some
her would make like him into time has look two more write go see number no way could people my than first water been call
who oil its now find long down day did get come made may part river children stones mother valley story excuse film""".split()


def known(c):
    """True when the other side's normalizers and classes see this code point as Unicode 14 does."""
    n, p, one = tokenizers.normalizers, tokenizers.pre_tokenizers, chr(c)
    category = unicodedata.category(one)
    # Between a mark of class 240 and one of class 1: reordered the same way?
    probe = "a\u0345" + one + "\u0334"
    alike = all(getattr(n, f)().normalize_str(t) == unicodedata.normalize(f, t)
                for f in ("NFC", "NFD", "NFKC", "NFKD") for t in (one, probe))
    # A character between two others is cut out by Isolated when it belongs to the class.
    cut = lambda kind: len(kind.pre_tokenize_str("a" + one + "a")) > 1  # noqa: E731
    return (alike and (n.StripAccents().normalize_str(one) == "") == (category[0] == "M")
            and n.Lowercase().normalize_str(one) == one.lower()
            and (c < 128 or cut(p.Punctuation()) == (category[0] == "P"))
            and cut(p.Digits(individual_digits=True)) == (category[0] == "N"))


def assigned():
    planes = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    same = [c for c in planes if known(c)]
    print(f"{len(planes) - len(same)} of {len(planes)} code points are not the same thing to the two sides", flush=True)
    return same + [0xE000, 0xF8FF, 0xF0000, 0x10FFFD]


def pools(everything):
    by = {}
    for c in everything:
        by.setdefault(unicodedata.category(chr(c))[0], []).append(c)
    space = [9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x2009, 0x200A, 0x200B, 0x2028, 0x2029, 0x202F,
             0x205F, 0x3000, 0xFEFF]
    inside = set(everything)
    ranges = lambda *r: [c for a, b in r for c in range(a, b) if c in inside]  # noqa: E731
    return [
        ([32], 8), (space, 6), ([10, 13], 3), (ranges((0x61, 0x7B)), 12), (ranges((0x21, 0x7F)), 8), ([39], 2),
        (list(map(ord, "stmdrevlSTMDREVL\u017f")), 4), (ranges((0x30, 0x3A)), 5), (by["N"], 3), (by["M"], 5), (by["L"], 4),
        (by["P"], 3), (by["S"], 2), (by["C"], 2), (ranges((0, 0x20), (0x7F, 0xA0)), 2), (ranges((0xA0, 0x250)), 4),
        (ranges((0x300, 0x370)), 4), (ranges((0x370, 0x530)), 2), (ranges((0x4E00, 0x5000), (0xAC00, 0xAD00)), 3),
        (ranges((0x3040, 0x3100), (0xFF00, 0xFFF0)), 2), (ranges((0x1F300, 0x1F700), (0x2600, 0x27C0)), 3),
        ([0x200C, 0x200D, 0xFE0F, 0x1F3FD], 2), (ranges((0x1100, 0x1200)), 2), (ranges((0xF900, 0xFB00)), 1),
        (ranges((0x900, 0xE80)), 2), ([0x2581, 0x120, 0x10A], 2), (everything, 4)]


def wild(rng, pools_, weights, special):
    out = []
    for _ in range(rng.randint(1, 60)):
        pool = rng.choices(pools_, weights)[0]
        kind = rng.random()
        if kind < 0.03 and special:
            out.append(rng.choice(special))
        elif kind < 0.13:
            out.append(chr(rng.choice(pool)) * rng.randint(2, rng.choice([4, 12, 80])))
        else:
            out.extend(chr(rng.choice(pool)) for _ in range(rng.randint(1, 6)))
    return "".join(out)


def natural(rng):
    out = []
    for _ in range(rng.randint(5, 80)):
        word = rng.choice(WORDS)
        word = rng.choice([word, word, word, word.capitalize(), word.upper(), word + rng.choice(["'s", "'ll", "n't", "s"])])
        out.append(word if rng.random() > 0.08 else str(rng.randint(0, 10 ** rng.randint(1, 9))))
        out.append(rng.choice([" "] * 12 + [", ", ". ", "; ", "\n", "  ", " - ", "? ", "! ", "\n\n", ' "', "'", " (", ") "]))
    return "".join(out)


def letters(rng):
    """Long words: the heap of the merger."""
    return "".join(rng.choice(WORDS) for _ in range(rng.randint(10, 400)))


def texts(rng, megabytes, special, everything):
    both = pools(everything)
    pools_, weights = [p for p, _ in both], [w for _, w in both]
    size = 0
    while size < megabytes * 1e6:
        kind = rng.random()
        text = wild(rng, pools_, weights, special) if kind < 0.7 else natural(rng) if kind < 0.95 else letters(rng)
        size += len(text.encode())
        yield text


def reference(folder):
    """(encode, decode, added tokens) of the other side."""
    if (folder / "tokenizer.json").exists() and not (folder / "tokenizer_config.json").exists():
        t = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        return (lambda s, special: t.encode(s, add_special_tokens=special).ids,
                lambda ids, skip: t.decode(ids, skip_special_tokens=skip),
                [a.content for a in t.get_added_tokens_decoder().values()])
    import transformers
    kind = (transformers.AutoTokenizer if (folder / "tokenizer.json").exists() else
            transformers.Qwen2Tokenizer if "qwen" in folder.name else transformers.GPT2Tokenizer)
    t = kind.from_pretrained(str(folder))
    return (lambda s, special: t(s, add_special_tokens=special)["input_ids"],
            lambda ids, skip: t.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False),
            list(t.get_added_vocab()))


def run(driver, folder, batch):
    data = b"".join(struct.pack("<I", len(b)) + b for b in (t.encode() for t in batch))
    done = subprocess.run([driver, str(folder)], input=data, capture_output=True)
    if done.returncode:
        sys.exit(f"{folder}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.split(b"\n") if line]


def compare(driver, folder, batch):
    encode, decode, _ = reference(folder)
    bad = 0
    for text, ours in zip(batch, run(driver, folder, batch), strict=True):
        ids, special = encode(text, False), encode(text, True)
        theirs = {"ids": ids, "special": special, "text": decode(ids, False), "skip": decode(special, True)}
        for key in [k for k in theirs if theirs[k] != ours[k]][:1]:
            bad += 1
            if bad <= 5:
                print(f"{folder.name}: {key} of {text[:200]!r}\n  theirs {theirs[key]!r:.400}\n  ours   {ours[key]!r:.400}")
    print(f"{folder.name}: {len(batch)} texts, {sum(len(t.encode()) for t in batch)} bytes, {bad} differ", flush=True)
    return bad


def main():
    driver, seed, megabytes = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    bad, everything = 0, assigned()
    folders = [f for f in map(pathlib.Path, sys.argv[4:]) if (f / "tokenizer.json").exists() or (f / "merges.txt").exists()]
    if not folders:
        sys.exit("no folder holds a tokenizer")
    for folder in folders:
        rng = random.Random(f"{seed} {folder.name}")
        batch = list(texts(rng, megabytes, reference(folder)[2], everything))
        bad += compare(driver, folder, batch)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
