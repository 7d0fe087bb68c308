"""same_numbers.py RUN OTHER: the unit files of two runs of one experiment hold the same items, log-likelihoods and states
up to rounding. Prints the largest differences and how many
matrices were compared."""
import glob, os, sys

import h5py
import numpy as np

LIMIT = 2e-4  # float32 on both; values of a few units, sums of some hundred products


def units(folder):
    """A unit's id, which holds no device -> its file."""
    return {os.path.basename(path): path for path in glob.glob(folder + "/units/*.h5")}


def difference(x, y, scale):
    """A number on one side where the other has NaN is as far apart as can be."""
    x, y = x.astype("f8"), y.astype("f8")
    if x.shape != y.shape or (np.isnan(x) != np.isnan(y)).any():
        return np.inf
    known = ~np.isnan(y)
    if not known.any():
        return 0.0
    return float(np.abs(x - y)[known].max() / (np.abs(y)[known].max() if scale else 1.0))


ours, others = (units(folder) for folder in sys.argv[1:3])
assert ours and ours.keys() == others.keys(), f"{len(ours)} and {len(others)} units, {len(ours.keys() & others.keys())} in common"
found = {"loglik": [], "states": []}
for key, path in ours.items():
    with h5py.File(path) as a, h5py.File(others[key]) as b:
        if "uns/plumb/loglik/values" in a:
            found["loglik"].append(difference(a["uns/plumb/loglik/values"][:], b["uns/plumb/loglik/values"][:], False))
        assert a["obsm"].keys() == b["obsm"].keys(), path
        for name in a["obsm"]:
            found["states"].append(difference(a["obsm"][name][:], b["obsm"][name][:], True))
print({k: f"{max(v, default=np.inf):.1e} in {len(v)}" for k, v in found.items()})
sys.exit(not all(v and max(v) <= LIMIT for v in found.values()))
