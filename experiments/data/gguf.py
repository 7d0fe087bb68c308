"""Reads a GGUF file (version 2 or 3, little-endian): its metadata, and its tensors as float32.

The layout is that of ggml's docs/gguf.md: a header with two counts, pairs of key and value, one entry a tensor, then the
tensors' bytes, each at an aligned offset. Types of tensors: F32, and TENSORS' blocks of 32 values (Q4_1, Q5_0, Q8_0) or 256
(Q4_K, Q6_K). A file is hostile input: every length is held against what is left of it before anything is made of that
length. Needs numpy.
"""
import struct

import numpy as np

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9


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


# ---- blocks [n, bytes] of quantised values, as float32 [n, values]; ggml-common.h and ggml-quants.c say what is where


def half(blocks, at):
    """The half-precision number at a byte of each block, a column."""
    return blocks[:, at:at + 2].copy().view("<f2").astype(np.float32)


def nibbles(pairs):
    """The low halves of bytes, then the high ones."""
    return np.concatenate([pairs & 15, pairs >> 4], axis=-1)


def q8_0(blocks):
    """d q, q a signed byte."""
    return blocks[:, 2:].view(np.int8).astype(np.float32) * half(blocks, 0)


def q4_1(blocks):
    """d q + m, q of 4 bits."""
    return half(blocks, 0) * nibbles(blocks[:, 4:]).astype(np.float32) + half(blocks, 2)


def q5_0(blocks):
    """d (q - 16), q of 5 bits; the highest ones stand together before the others."""
    high = np.unpackbits(blocks[:, 2:6], axis=1, bitorder="little")
    return half(blocks, 0) * ((nibbles(blocks[:, 6:]) | high << 4).astype(np.float32) - 16)


def q4_k(blocks):
    """d s q - dmin m for eight groups of 32; s and m of 6 bits: four whole ones, four in a nibble and the others' top bits."""
    n, packed = len(blocks), blocks[:, 4:16].reshape(-1, 3, 4)
    first, second, rest = packed[:, 0], packed[:, 1], packed[:, 2]
    scale = np.concatenate([first & 63, rest & 15 | first >> 6 << 4], axis=1).astype(np.float32) * half(blocks, 0)
    least = np.concatenate([second & 63, rest >> 4 | second >> 6 << 4], axis=1).astype(np.float32) * half(blocks, 2)
    q = nibbles(blocks[:, 16:].reshape(n, 4, 32)).reshape(n, 8, 32).astype(np.float32)
    return (scale[:, :, None] * q - least[:, :, None]).reshape(n, 256)


def q6_k(blocks):
    """d s (q - 32) for sixteen groups of 16, s a signed byte; q of 6 bits, the upper two of them apart."""
    n, scale = len(blocks), blocks[:, 192:208].view(np.int8).astype(np.float32) * half(blocks, 208)
    low = nibbles(blocks[:, :128].reshape(n, 2, 64)).reshape(n, 2, 4, 32)
    high = np.stack([blocks[:, 128:192].reshape(n, 2, 32) >> shift & 3 for shift in (0, 2, 4, 6)], axis=2)
    q = (low | high << 4).reshape(n, 16, 16).astype(np.float32) - 32
    return (scale[:, :, None] * q).reshape(n, 256)


TENSORS = {0: ("F32", 1, 4, None), 3: ("Q4_1", 32, 20, q4_1), 6: ("Q5_0", 32, 22, q5_0), 8: ("Q8_0", 32, 34, q8_0),
           12: ("Q4_K", 256, 144, q4_k), 14: ("Q6_K", 256, 210, q6_k)}  # name, values of a block, its bytes, its values


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
                cursor.fail(f"{name!r} as {', '.join(x[0] for x in TENSORS.values())}", f"type {kind}")
            entries[name] = dims, kind, offset
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 8 <= alignment <= 65536 or alignment & (alignment - 1):
            cursor.fail("general.alignment as a power of two from 8 to 65536", alignment)
        start = -(-cursor.at // alignment) * alignment
        self._tensors = {name: self._placed(data, start, name, *entry) for name, entry in entries.items()}

    @staticmethod
    def _placed(data, start, name, dims, kind, offset):
        label, block, block_bytes, _ = TENSORS[kind]
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
        _, _, block_bytes, values = TENSORS[kind]
        if values is None:
            return np.frombuffer(raw, "<f4").reshape(shape)
        with np.errstate(all="ignore"):  # a scale that is no number is the caller's to find in the values
            return values(np.frombuffer(raw, np.uint8).reshape(-1, block_bytes)).reshape(shape)
