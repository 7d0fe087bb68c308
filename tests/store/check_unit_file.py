#!/usr/bin/env python3
"""Opens a unit file with stock h5py and anndata and compares the two views of it. By hand:

    build/tests/store_test_unit_file --write /tmp/unit.h5 && python3 tests/store/check_unit_file.py /tmp/unit.h5

Exit code 77 when h5py is not installed; without anndata only the h5py half runs, and says so.
"""
import sys

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)


def walk(file):
    """Every object can be read, and none carries a time or a filter."""

    def visit(name, node):
        if not isinstance(node, h5py.Dataset):
            return
        value = node[()]
        assert node.chunks is None and node.compression is None, name
        print(f"  /{name}: {node.shape} {node.dtype}", dict(node.attrs) if "storage_type" in node.attrs else "")
        assert value.shape == node.shape

    file.visititems(visit)
    info = h5py.h5g.get_objinfo(file["obs"].id)
    assert info.mtime == 0, "an object carries a time"


def main(path):
    with h5py.File(path, "r") as file:
        plumb = file["uns/plumb"].attrs
        assert plumb["complete"] == 1 and plumb["format_version"] == 2
        print({k: plumb[k] for k in plumb})
        walk(file)
        states = {name: file["obsm"][name][()] for name in file["obsm"]}
    try:
        import anndata
    except ImportError as missing:
        print(f"SKIP: {missing}: the anndata half did not run")
        return
    data = anndata.read_h5ad(path)
    print(data, data.obs, data.obs.dtypes, sep="\n")
    assert data.X is None and data.n_vars == 0
    for name, values in states.items():
        assert np.array_equal(np.asarray(data.obsm[name]), values, equal_nan=True), name
    print(sorted(data.uns["plumb"]))


if __name__ == "__main__":
    main(sys.argv[1])
