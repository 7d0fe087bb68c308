"""Valid files made invalid: by bytes, by lines, by JSON values, by YAML values and by the structures of HDF5. Everything is
drawn from one random.Random, so that an input can be made again."""
import json
import random
import re
import struct
import sys

NUMBERS = [0, 1, -1, -2, 3, 7, 255, 256, 65536, 2**31 - 1, 2**31, -2**31, 2**32, 2**63 - 1, -2**63, 2**64, 10**30]
VALUES = [None, True, False, "", [], {}, "x", "\x1b[31mred", "\u202egnirts", "\x9b2J", "a" * 70000, 1e308, -1e308, 1e-320, 0.5, "-1", "../../etc/passwd",
          "\x00", "\ud800", [[]] * 3, {"a": {"b": {}}}, "NaN", "=cmd()", "a/b", "%s%n"]
BYTES = [0, 255, 10, 13, 34, 92, 0x1b, 0x7f, 0x80, 0xc0, *b"{[-9"]
RUNS = [b"\0" * 8, b"\xff" * 8, b'"' * 3, b"9" * 30, "\U0001f600".encode(), b"\x1b[2J", b"\xe2\x80\xae", b'{"a":' * 100, b"[" * 3000]
YAML = ["1e9", "1000000000", "-1", "0", "null", "~", "[]", "{}", '""', "[[[[[[]]]]]]", "&a x", "*a", "!!python/object x", "!function x", "${HOME}", "${X",
        "${X:-", '"\\x1b[31m"', '"\\u202e"', ".inf", ".nan", "0x7fffffff", "9223372036854775807", "99999999999999999999", "{a: b}", "[a, b]", "true", "all",
        '"{{ text }}"', '"{{"', '"{% if a %}"', '"\\0"', "../../../etc/passwd", "|", ">", "[*, *]", "- a", '"{{ text * 1000000000 }}"',
        '"{{ (text ~ text) ~ (text ~ text) }}"', "\"{{ text | replace('', text) | replace('', text) }}\"", '"{{ [text, text] | join(text) }}"',
        '"{{ ' + "(" * 5000 + '"', '"{{ ' + "not " * 3000 + 'text }}"', '"' + "{% if text %}" * 300 + '"', '"{{ text' + "|trim" * 5000 + ' }}"',
        '"{{ text' + "[0]" * 5000 + ' }}"', '"{{ ' + "-" * 5000 + '1 }}"', "[" * 5000, "{a: " * 3000, "x" * 100000]

NESTED = [1, 5, 60, 900]
CHANGES = [1, 1, 1, 2, 3]
sys.setrecursionlimit(1000 + 2 * max(NESTED) * max(CHANGES))  # what change() may nest is walked and dumped by recursion


def flipped(draw, data, low=0, high=None):
    """Bytes flipped, overwritten, removed, doubled, put in, moved and cut, mostly between low and high."""
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        end = min(len(data), len(data) if high is None else high)
        if end <= low:
            break
        at, how = draw.randrange(low, end), draw.random()
        if how < 0.25:
            data[at] ^= 1 << draw.randrange(8)
        elif how < 0.4:
            data[at] = draw.choice(BYTES)
        elif how < 0.55:
            data[at:at + 8] = extreme(draw, len(data))[:draw.choice([1, 2, 4, 8])]
        elif how < 0.7:
            del data[at:at + draw.choice([1, 2, 8, 64, 1000])]
        elif how < 0.8:
            data[at:at] = data[at:at + draw.choice([1, 8, 64, 1000])]
        elif how < 0.87:
            data[at:at] = draw.choice(RUNS)
        elif how < 0.95:
            start, n = draw.randrange(len(data)), draw.choice([4, 16, 256])
            data[at:at + n] = data[start:start + n]
        else:
            del data[at:]
    return bytes(data)


def extreme(draw, size):
    return struct.pack("<Q", draw.choice([0, 1, 2, size - 1, size, size + 1, 0x7f, 0xff, 0x7fff, 0xffff, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]))


def lines(draw, text):
    """Lines removed, doubled, moved and joined."""
    rows = text.split("\n")
    for _ in range(draw.choice([1, 1, 2, 3])):
        at, how = draw.randrange(len(rows)), draw.random()
        if how < 0.3:
            del rows[at]
        elif how < 0.6:
            rows.insert(at, draw.choice(rows))
        elif how < 0.8:
            rows[at] = re.sub(r"\d+", lambda _: str(draw.choice(NUMBERS)), rows[at])
        elif how < 0.9:
            rows[at] = "  " * draw.choice([1, 5, 200]) + rows[at]
        else:
            rows[at] *= draw.choice([2, 300])
        rows = rows or [""]
    return "\n".join(rows)


def yaml(draw, text):
    """Values of keys replaced; keys and lines removed and doubled."""
    rows = text.split("\n")
    for _ in range(draw.choice([1, 1, 2, 3])):
        at = draw.randrange(len(rows))
        key, colon, _ = rows[at].partition(":")
        if colon and draw.random() < 0.6:
            rows[at] = f"{key}: {draw.choice(YAML)}"
        elif colon and draw.random() < 0.3: # a value inside a flow mapping
            rows[at] = re.sub(r": [^,}\]]+", lambda found: f": {draw.choice(YAML)}" if draw.random() < 0.4 else found.group(), rows[at])
    return lines(draw, "\n".join(rows)) if draw.random() < 0.4 else "\n".join(rows)


def places(value, path=()):
    """The path of every value below a JSON value, of long lists the first 200."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:200]) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, path + (key,))


def jsons(draw, value):
    """JSON with values replaced, removed, nested and doubled."""
    value = json.loads(json.dumps(value))
    for _ in range(draw.choice(CHANGES)):
        path = draw.choice(list(places(value)))
        if not path:
            continue
        parent, key = value, path[-1]
        for step in path[:-1]:
            parent = parent[step]
        change(draw, parent, key)
    return value


def change(draw, parent, key):
    old, how = parent[key], draw.random()
    if how < 0.55:
        parent[key] = replaced(draw, old)
    elif how < 0.75:
        del parent[key]
    elif how < 0.85:
        for _ in range(draw.choice(NESTED)):
            old = [old] if draw.random() < 0.5 else {"a": old}
        parent[key] = old
    elif isinstance(parent, dict):
        parent[draw.choice([*parent, "x", "", "\x1b[2J"])] = old
    else:
        parent.append(old)


def replaced(draw, old):
    if isinstance(old, int) and not isinstance(old, bool) and draw.random() < 0.5:
        return old + draw.choice([1, -1, 8, -8, 4, 1000, -1000])
    if isinstance(old, str) and draw.random() < 0.4:
        return flipped(draw, old.encode("utf-8", "replace")).decode("utf-8", "replace")
    if isinstance(old, list) and draw.random() < 0.4:
        return old * draw.choice([0, 2, 50])
    return draw.choice(NUMBERS if draw.random() < 0.5 else VALUES)


def dumped(draw, value):
    return json.dumps(value, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def hdf5(draw, data):
    """Of an HDF5 file: bytes behind the signatures of its parts, references into its heaps, and anything else."""
    data, how = bytearray(data), draw.random()
    parts = [found.start() for found in re.finditer(rb"GCOL|HEAP|TREE|SNOD|OHDR|OCHK|FRHP|FHDB|BTHD|BTLF", data)]
    heaps = [found.start() for found in re.finditer(rb"GCOL", data)]
    if how < 0.3 and parts:
        for _ in range(draw.choice([1, 1, 2, 4])):
            at = draw.choice(parts) + draw.choice([4, 8, 12, 16, 24, 32, draw.randrange(4, 400)])
            width = draw.choice([1, 2, 4, 8])
            data[at:at + width] = extreme(draw, len(data))[:width]
    elif how < 0.6 and heaps:
        for _ in range(draw.choice([1, 1, 2, 4])):
            reference(draw, data, draw.choice(heaps))
    elif how < 0.7:
        del data[draw.randrange(len(data)):]
    elif how < 0.85:
        return flipped(draw, data, 0, 4096)
    else:
        return flipped(draw, data)
    return bytes(data)


def reference(draw, data, heap):
    """A reference to an object in a global heap, size (4), heap (8), index (4), or the object's own head in the heap."""
    found = [match.start() for match in re.finditer(re.escape(struct.pack("<Q", heap)), data)]
    at = draw.choice(found or [heap])
    what = draw.choice(["size", "heap", "index", "object"])
    if what == "size" and at >= 4:
        data[at - 4:at] = extreme(draw, len(data))[:4]
    elif what == "heap":
        data[at:at + 8] = extreme(draw, len(data)) if draw.random() < 0.5 else struct.pack("<Q", heap + draw.choice([1, 8, 16, 4096, -8]) & 2**64 - 1)
    elif what == "index":
        data[at + 8:at + 12] = extreme(draw, len(data))[:4] if draw.random() < 0.5 else struct.pack("<I", draw.randrange(70))
    else: # index (2), references (2), reserved (4), size (8)
        at = heap + 16 + draw.choice([0, 2, 8, 8, 8, draw.randrange(0, 600)])
        data[at:at + 8] = extreme(draw, len(data))
