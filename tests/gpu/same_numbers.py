"""same_numbers.py RUN OTHER: the unit files of two runs of one experiment hold the same items, log-likelihoods and states
up to rounding (the runs' devices differ, and with them the units' ids). Prints the largest differences."""
import glob, sys

import h5py
import numpy as np

LIMIT = 2e-4  # float32 on both; values of a few units, sums of some hundred products


def units(folder):
    """config without what names the device -> file"""
    found = {}
    for path in glob.glob(folder + "/units/*.h5"):
        with h5py.File(path) as file:
            found[file["uns/plumb"].attrs["config_json"]] = path
    return found


def cell(config, words=("device_class", "compute_type")):
    import json

    return json.dumps({k: v for k, v in json.loads(config).items() if k not in words}, sort_keys=True)


ours, others = [{cell(c): p for c, p in units(folder).items()} for folder in sys.argv[1:3]]
assert ours and ours.keys() == others.keys(), f"{len(ours)} and {len(others)} units, {len(ours.keys() & others.keys())} in common"
worst = {"loglik": 0.0, "states": 0.0}
for key, path in ours.items():
    with h5py.File(path) as a, h5py.File(others[key]) as b:
        if "uns/plumb/loglik/values" in a:
            x, y = a["uns/plumb/loglik/values"][:], b["uns/plumb/loglik/values"][:]
            worst["loglik"] = max(worst["loglik"], float(np.abs(x - y).max()))
        for name in a["obsm"]:
            x, y = a["obsm"][name][:].astype("f8"), b["obsm"][name][:].astype("f8")
            if x.size and np.isfinite(y).any():
                worst["states"] = max(worst["states"], float(np.nanmax(np.abs(x - y)) / np.nanmax(np.abs(y))))
print(worst)
sys.exit(any(not v <= LIMIT for v in worst.values()))
