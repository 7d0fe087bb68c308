#!/usr/bin/env python3
"""Golden values of the half types for tests/store/test_half.c: numpy for float16, torch for bfloat16.

Writes half.txt beside itself. Lines "value f32 f16 bf16" in hexadecimal: ties and their neighbours, subnormals, limits,
NaN, infinities. Lines "sweep" and "widen": SHA-256 over 2^20 float32 bit patterns 4099 apart, converted, and over all
65536 float16 patterns, widened. Two rules are plumb's own and applied here on top: what would become infinite is the
largest finite value, and NaN is the quiet NaN with the top bits of its payload.
"""
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch


def narrow(bits):
    x = bits.view(np.float32)
    with np.errstate(all="ignore"):
        f16 = x.astype(np.float16).view(np.uint16).copy()
    bf16 = torch.from_numpy(x.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16).copy()
    sign = ((bits >> 16) & 0x8000).astype(np.uint16)
    for h, infinity, quiet, shift, mask in ((f16, 0x7C00, 0x7E00, 13, 0x3FF), (bf16, 0x7F80, 0x7FC0, 16, 0x7F)):
        over = (h & 0x7FFF) == infinity
        h[over] = sign[over] | (infinity - 1)
        nan = np.isnan(x)
        h[nan] = (sign | quiet | ((bits >> shift) & mask).astype(np.uint16))[nan]
    return f16, bf16


def interesting():
    rng = np.random.default_rng(1)
    out = [0, 0x7F800000, 0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0x7F7FFFFF, 1, 0x007FFFFF, 0x00800000]
    # Every 293rd float16, the tie above it, and the neighbours of the tie; likewise for bfloat16.
    for h in range(0, 0x7C00, 293):
        a = int(np.uint16(h).view(np.float16).astype(np.float32).view(np.uint32))
        b = int(np.uint16(h + 1).view(np.float16).astype(np.float64).astype(np.float32).view(np.uint32)) if h < 0x7BFF else 0x47800000
        tie = int(np.float32((np.uint32(a).view(np.float32).astype(np.float64) + np.uint32(b).view(np.float32)) / 2).view(np.uint32))
        out += [a, tie - 1, tie, tie + 1]
    for h in list(range(0, 0x7F80, 331)) + [0x7F7F]:
        out += [h << 16, (h << 16) + 0x7FFF, (h << 16) + 0x8000, (h << 16) + 0x8001]
    # Around the limits of float16: 65504, 65520, 2^-14, 2^-24, 2^-25.
    for edge in (0x477FE000, 0x477FF000, 0x38800000, 0x33800000, 0x33000000):
        out += [edge - 1, edge, edge + 1]
    out += rng.integers(0, 2**31, 100).tolist()
    bits = np.array(sorted(set(out)), dtype=np.uint32)
    return np.concatenate([bits, bits | np.uint32(0x80000000)])


def main():
    lines = [f"# made by half.py, numpy {np.__version__}, torch {torch.__version__}, python {sys.version.split()[0]}"]
    bits = interesting()
    f16, bf16 = narrow(bits)
    lines += [f"value {b:08x} {f:04x} {g:04x}" for b, f, g in zip(bits, f16, bf16)]
    sweep = (np.arange(2**20, dtype=np.uint64) * 4099 % 2**32).astype(np.uint32)
    f16, bf16 = narrow(sweep)
    lines.append(f"sweep {hashlib.sha256(f16.tobytes()).hexdigest()} {hashlib.sha256(bf16.tobytes()).hexdigest()}")
    # NaN aside: numpy and processors differ in what they make of a signalling one.
    wide = np.arange(0x7C01, dtype=np.uint16).view(np.float16).astype(np.float32)
    lines.append(f"widen {hashlib.sha256(wide.tobytes()).hexdigest()}")
    Path(__file__).with_name("half.txt").write_text("\n".join(lines) + "\n")


main()
