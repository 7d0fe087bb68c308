#!/usr/bin/env python3
"""Opens unit files with stock h5py and anndata, compares the two views, and holds anndata to what it must not lose:

    check_unit_file.py UNIT.h5            one file: states, rows, provenance; again after write_h5ad
    check_unit_file.py --together A.h5 B.h5 ...   files of one run: names stay unique after anndata.concat

tests/program/damage.sh runs it on a run's files. By hand:

    build/tests/store_test_unit_file --write /tmp/unit.h5 && python3 tests/store/check_unit_file.py /tmp/unit.h5

Exit code 77 when h5py is not installed; without anndata only the h5py half runs, and says so.
"""
import json
import os
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

try:
    import anndata
except ImportError as missing:
    print(f"SKIP: {missing}: the anndata half did not run")
    anndata = None


def walk(file):
    """Every object can be read, and none carries a time or a filter."""

    def visit(name, node):
        if not isinstance(node, h5py.Dataset):
            return
        value = node[()]
        assert node.chunks is None and node.compression is None, name
        print(f"  /{name}: {node.shape} {node.dtype}", dict(node.attrs) if "storage_type" in node.attrs else "")
        assert getattr(value, "shape", ()) == node.shape

    file.visititems(visit)
    info = h5py.h5g.get_objinfo(file["obs"].id)
    assert info.mtime == 0, "an object carries a time"


def scalars(group):
    """The entries of one value: provenance."""
    return {k: v.asstr()[()] if v.dtype.kind == "O" else v[()] for k, v in group.items()
            if isinstance(v, h5py.Dataset) and v.shape == ()}


def check_provenance(found, expected, where):
    for key, value in expected.items():
        assert key in found, f"{where}: {key} is lost"
        assert found[key] == value, (where, key, found[key], value)


def check_rows(obs):
    """Only files of a run have these columns."""
    if "label_index" not in obs:
        return
    for column in ("model", "task", "template", "label"):
        assert obs[column].notna().all(), column
    assert not set(obs["label"]) & {"0", "1"}, "labels are words"
    chosen = obs["prediction_index"] >= 0
    assert (obs["prediction"].notna() == chosen).all() or (obs["label_index"] < 0).all()
    hit = obs["label_index"] == obs["prediction_index"]
    assert (obs["label"].astype(str)[chosen] == obs["prediction"].astype(str)[chosen]).equals(hit[chosen])


def main(path):
    with h5py.File(path, "r") as file:
        expected = scalars(file["uns/plumb"])
        assert expected["complete"] == 1 and expected["format_version"] == 2
        json.loads(expected["config_json"])
        walk(file)
        states = {name: file["obsm"][name][()] for name in file["obsm"]}
    if not anndata:
        return
    data = anndata.read_h5ad(path)
    print(data, data.obs, data.obs.dtypes, sep="\n")
    assert data.X is None and data.n_vars == 0
    for name, values in states.items():
        assert np.array_equal(np.asarray(data.obsm[name]), values, equal_nan=True), name
    check_provenance(data.uns["plumb"], expected, "read_h5ad")
    check_rows(data.obs)
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy.h5ad")
        data.write_h5ad(copy)
        again = anndata.read_h5ad(copy)
    check_provenance(again.uns["plumb"], expected, "write_h5ad")
    assert list(again.obs_names) == list(data.obs_names)


def together(paths):
    parts = [anndata.read_h5ad(path) for path in paths]
    whole = anndata.concat(parts)
    assert whole.obs_names.is_unique and len(whole) == sum(map(len, parts))
    print(len(whole), "rows:", list(whole.obs_names[:3]), "...")


if __name__ == "__main__":
    if sys.argv[1] == "--together":
        together(sys.argv[2:])
    else:
        main(sys.argv[1])
