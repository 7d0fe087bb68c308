#!/usr/bin/env python3
"""Unit files with something wrong in them, for tests/store/test_unit_damage.c. Written with h5py, so that `good` also
shows that the reader does not lean on its own writer. One file a fault; the test says what each must be refused for.

hostile.txt holds them as text: a line "file NAME SIZE", then lines "OFFSET HEX" for the bytes that are not zero.
"""
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

TEXT = h5py.string_dtype()


def good(path):
    with h5py.File(path, "w", libver=("v108", "v108"), meta_block_size=512) as f:
        obs = f.create_group("obs")
        obs.attrs.create("column-order", ["arm", "k"], dtype=TEXT)
        obs.create_dataset("_index", data=["a", "b", "c"], dtype=TEXT)
        obs.create_dataset("arm/codes", data=np.array([0, 1, -1], np.int8))
        obs.create_dataset("arm/categories", data=["finetune", "prompt"], dtype=TEXT)
        obs.create_dataset("k", data=np.array([1, 2, 3], np.int16))
        f.create_dataset("obsm/last.00", data=np.arange(6, dtype=np.float64).reshape(3, 2))
        plumb = f.create_group("uns/plumb")
        plumb["format_version"] = 2
        plumb["complete"] = 1
        plumb["config_json"] = '{"k": 2}'
        log = plumb.create_group("loglik")
        log.create_dataset("choice_indptr", data=np.array([0, 1, 2, 2], np.uint64))
        log.create_dataset("token_indptr", data=np.array([0, 1, 3], np.uint64))
        log.create_dataset("token_ids", data=np.array([1, 2, 3], np.int32))
        log.create_dataset("values", data=np.array([-1, -2, -3], np.float32))
        log.create_dataset("greedy", data=np.array([1, 0, 0], np.uint8))
        log.create_dataset("choice_bytes", data=np.array([1, 2], np.uint32))
        log.create_dataset("choice_characters", data=np.array([1, 2], np.uint32))
        log.create_dataset("score", data=np.array([-1, -5], np.float64))


def replace(f, name, *args, **kwargs):
    del f[name]
    return f.create_dataset(name, *args, **kwargs)


def entry(f, name, value):
    del f["uns/plumb"][name]
    if value is not None:
        f["uns/plumb"][name] = value


def external(f):
    del f["obsm/last.00"]
    f.create_dataset("obsm/last.00", (3, 2), np.float32, external=[("/etc/hostname", 0, 24)])


def virtual(f):
    layout = h5py.VirtualLayout((3, 2), np.float32)
    layout[:] = h5py.VirtualSource("no_such_file.h5", "x", (3, 2))
    del f["obsm/last.00"]
    f.create_virtual_dataset("obsm/last.00", layout)


def columns(f, names):
    f["obs"].attrs.create("column-order", names, dtype=TEXT)


def shared_texts(f):
    """A hundred references to one text of 1 kB: more text than the file holds."""
    index = replace(f, "obs/_index", data=["x" * 1000] + ["y"] * 99, dtype=TEXT)
    return index.id.get_offset(), 16, 100  # a reference takes 16 bytes


FAULTS = {
    "huge_contiguous": lambda f: replace(f, "obsm/last.00", (2**40, 2**30), np.float32),
    "huge_overflow": lambda f: replace(f, "obsm/last.00", (2**62, 2**40), np.float32, chunks=(1, 1)),
    "huge_chunked": lambda f: replace(f, "obsm/last.00", (2**20, 2**20), np.float32, chunks=(64, 64)),
    "never_written": lambda f: replace(f, "obsm/last.00", (3, 2), np.float32),
    "external": external,
    "virtual": virtual,  # needs the 1.10 format
    "matrix_rank": lambda f: replace(f, "obsm/last.00", data=np.zeros(6, np.float32)),
    "matrix_rows": lambda f: replace(f, "obsm/last.00", data=np.zeros((4, 2), np.float32)),
    "matrix_type": lambda f: replace(f, "obsm/last.00", data=np.zeros((3, 2), np.int32)),
    "codes_range": lambda f: replace(f, "obs/arm/codes", data=np.array([0, 2, -1], np.int8)),
    "codes_negative": lambda f: replace(f, "obs/arm/codes", data=np.array([0, 1, -2], np.int8)),
    "codes_length": lambda f: replace(f, "obs/arm/codes", data=np.array([0, 1], np.int8)),
    "column_length": lambda f: replace(f, "obs/k", data=np.array([1, 2, 3, 4], np.int16)),
    "column_compound": lambda f: replace(f, "obs/k", data=np.zeros(3, np.dtype([("a", "i4")]))),
    "column_fixed_text": lambda f: replace(f, "obs/k", data=np.array([b"a", b"b", b"c"])),
    "column_absent": lambda f: columns(f, ["arm", "k", "gone"]),
    "column_twice": lambda f: columns(f, ["arm", "k", "arm"]),
    "column_outside": lambda f: columns(f, ["../uns"]),
    "index_not_utf8": lambda f: replace(f, "obs/_index", data=[b"a", b"\xc3\x28", b"c"], dtype=TEXT),
    "texts_shared": shared_texts,
    "indptr_falls": lambda f: replace(f, "uns/plumb/loglik/choice_indptr", data=np.array([0, 2, 1, 2], np.uint64)),
    "indptr_start": lambda f: replace(f, "uns/plumb/loglik/choice_indptr", data=np.array([1, 1, 2, 2], np.uint64)),
    "indptr_end": lambda f: replace(f, "uns/plumb/loglik/choice_indptr", data=np.array([0, 1, 2, 2**63], np.uint64)),
    "indptr_length": lambda f: replace(f, "uns/plumb/loglik/token_indptr", data=np.array([0, 3], np.uint64)),
    "tokens_length": lambda f: replace(f, "uns/plumb/loglik/values", data=np.array([-1, -2], np.float32)),
    "version": lambda f: entry(f, "format_version", 3),
    "not_complete": lambda f: entry(f, "complete", None),
    "complete_zero": lambda f: entry(f, "complete", 0),
    "complete_text": lambda f: entry(f, "complete", "yes"),
    "config_broken": lambda f: entry(f, "config_json", '{"k": '),
    "config_number": lambda f: entry(f, "config_json", 7),
}


def runs(data, gap=16):
    """(offset, bytes) of what is not zero; the files are mostly zeros."""
    nonzero = np.flatnonzero(np.frombuffer(data, np.uint8))
    for run in np.split(nonzero, np.flatnonzero(np.diff(nonzero) > gap) + 1):
        yield int(run[0]), data[run[0] : run[-1] + 1]


def main():
    lines = [f"# hostile.py, h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, python {sys.version.split()[0]}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unit.h5"
        for name, break_it in {"good": lambda f: None, **FAULTS}.items():
            path.unlink(missing_ok=True)
            good(path)
            with h5py.File(path, "r+", libver=("v108", "v110"), meta_block_size=512) as f:
                repeat = break_it(f)
            data = path.read_bytes()
            if isinstance(repeat, tuple):
                offset, size, n = repeat
                data = data[:offset] + data[offset : offset + size] * n + data[offset + size * n :]
            lines.append(f"file {name} {len(data)}")
            lines += [f"{offset} {chunk.hex()}" for offset, chunk in runs(data)]
    Path(__file__).with_name("hostile.txt").write_text("\n".join(lines) + "\n")


main()
