"""Reads a GGUF file (version 2 or 3, little-endian): its metadata, and its tensors as float32.

The layout is that of ggml's docs/gguf.md: a header with two counts, pairs of key and value, one entry a tensor, then the
tensors' bytes, each at an aligned offset. Types of tensors: F32, and in blocks of 32 values Q8_0 (a half-precision scale d, 32
signed bytes q: d q) and Q4_1 (d, a half-precision minimum m, 16 bytes of two 4-bit q, values 0..15 in the low halves and
16..31 in the high ones: d q + m). A file is hostile input: every length is held against what is left of it before anything
is made of that length. Needs numpy.
"""
import struct

import numpy as np

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
TENSORS = {0: ("F32", 1, 4), 3: ("Q4_1", 32, 20), 8: ("Q8_0", 32, 34)}  # name, values of a block, bytes of a block


class GgufError(ValueError):
    """What is wrong with the file, and where, in one line."""


class Cursor:
    """Takes values off the front of a file's bytes; never beyond their end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def fail(self, expected, found):
        raise GgufError(f"byte {self.at}: expected {expected}, found {found}")

    def need(self, n, what):
        if n > len(self.data) - self.at:
            self.fail(f"{what} of {n} bytes", f"the file's end at byte {len(self.data)} (cut short?)")

    def take(self, n, what):
        self.need(n, what)
        self.at += n
        return self.data[self.at - n:self.at]

    def scalar(self, form, what):
        return struct.unpack(form, self.take(struct.calcsize(form), what))[0]

    def text(self, what):
        start = self.at
        raw = bytes(self.take(self.scalar("<Q", f"the length of {what}"), what))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.at = start
            self.fail(f"{what} in UTF-8", "other bytes")

    def value(self, kind, what):
        if kind in SCALARS:
            return self.scalar(SCALARS[kind], what)
        if kind == STRING:
            return self.text(what)
        if kind != ARRAY:
            self.fail(f"a type of GGUF for {what}", f"type {kind}")
        kind, n = self.scalar("<I", f"the type of {what}"), self.scalar("<Q", f"the length of {what}")
        if kind == STRING:
            self.need(8 * n, what)
            return [self.text(what) for _ in range(n)]
        if kind not in SCALARS:
            self.fail(f"an array of numbers or texts for {what}", f"an array of type {kind}")
        form = SCALARS[kind]
        raw = self.take(struct.calcsize(form) * n, what)
        return [x for (x,) in struct.iter_unpack(form, raw)]


def q8_0(blocks):
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    return blocks[:, 2:].view(np.int8).astype(np.float32) * scale


def q4_1(blocks):
    scale = blocks[:, 0:2].copy().view("<f2").astype(np.float32)
    least = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
    pairs = blocks[:, 4:]
    q = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32)
    return scale * q + least


class Gguf:
    """metadata: {key: value}. names(): the tensors. shape(name): [rows, columns], slowest first. tensor(name): float32."""

    def __init__(self, data):
        """data: the whole file's bytes."""
        data = memoryview(data)
        cursor = Cursor(data)
        if bytes(cursor.take(4, "the magic number")) != b"GGUF":
            cursor.at = 0
            cursor.fail("GGUF", f"{bytes(data[:4])!r}: this is no GGUF file")
        version = cursor.scalar("<I", "the version")
        if version not in (2, 3):
            cursor.fail("GGUF version 2 or 3", version)
        n_tensors, n_pairs = cursor.scalar("<Q", "the number of tensors"), cursor.scalar("<Q", "the number of keys")
        self.metadata, entries = {}, {}
        for _ in range(n_pairs):
            key = cursor.text("a key")
            value = cursor.value(cursor.scalar("<I", f"the type of {key!r}"), repr(key))
            if key in self.metadata:
                cursor.fail(f"{key!r} once", "it again")
            self.metadata[key] = value
        for _ in range(n_tensors):
            name = cursor.text("a tensor's name")
            n_dims = cursor.scalar("<I", f"the dimensions of {name!r}")
            if name in entries or not 1 <= n_dims <= 4:
                cursor.fail(f"{name!r} once, with one to four dimensions", f"it again, or {n_dims} dimensions")
            dims = [cursor.scalar("<Q", f"the dimensions of {name!r}") for _ in range(n_dims)]
            kind, offset = cursor.scalar("<I", f"the type of {name!r}"), cursor.scalar("<Q", f"the offset of {name!r}")
            if kind not in TENSORS:
                cursor.fail(f"{name!r} as F32, Q8_0 or Q4_1", f"type {kind}")
            entries[name] = dims, kind, offset
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 8 <= alignment <= 65536 or alignment & (alignment - 1):
            cursor.fail("general.alignment as a power of two from 8 to 65536", alignment)
        start = -(-cursor.at // alignment) * alignment
        self._tensors = {name: self._placed(data, start, name, *entry) for name, entry in entries.items()}

    @staticmethod
    def _placed(data, start, name, dims, kind, offset):
        label, block, block_bytes = TENSORS[kind]
        values = 1
        for d in dims:
            values *= d
        if values == 0 or dims[0] % block:
            raise GgufError(f"{name!r}: expected rows of a multiple of {block} values ({label}), found dimensions {dims}")
        at, size = start + offset, values // block * block_bytes
        if at + size > len(data):
            raise GgufError(f"{name!r}: expected {size} bytes at byte {at}, found the file's end at byte {len(data)} (cut short?)")
        return tuple(reversed(dims)), kind, data[at:at + size]

    def names(self):
        return list(self._tensors)

    def shape(self, name):
        return self._tensors[name][0]

    def tensor(self, name):
        shape, kind, raw = self._tensors[name]
        if TENSORS[kind][0] == "F32":
            return np.frombuffer(raw, "<f4").reshape(shape)
        blocks = np.frombuffer(raw, np.uint8).reshape(-1, TENSORS[kind][2])
        with np.errstate(all="ignore"):  # a scale that is no number is the caller's to find in the values
            return (q8_0 if TENSORS[kind][0] == "Q8_0" else q4_1)(blocks).reshape(shape)
