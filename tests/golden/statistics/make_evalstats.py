"""evalstats.json: what the PyPI package evalstats gives where it has the closed forms that plumb has.

Run: python3 make_evalstats.py (evalstats with its requirements; the version used stands in the file). Wilson's interval of a share,
Student's of a mean (plumb's crossed interval of items alone, and of wordings alone), Holm's and Benjamini and Hochberg's p-values.
Its other intervals (score intervals of paired shares, bootstraps, mixed models) are other methods than plumb's.
"""

import importlib.metadata
import json
import os

import numpy as np
from evalstats.core.resampling import t_interval_ci_1d, wilson_ci
from evalstats.core.stats_utils import correct_pvalues


def main():
    rng = np.random.default_rng(29)
    p = np.round(np.append(rng.random(12) ** 3, [0.04, 0.04]), 6)
    means = [np.round(rng.normal(0.7, 0.2, n), 6) for n in (2, 5, 40)]
    out = {
        "version": importlib.metadata.version("evalstats"),
        "wilson": [[k, n, *wilson_ci(k, n, 0.05)] for k, n in ((0, 15), (15, 15), (3, 40), (571, 600))],
        "mean": [{"values": list(v), "interval": list(map(float, t_interval_ci_1d(v, 0.05)))} for v in means],
        "p": list(p),
        "holm": list(map(float, correct_pvalues(p, "holm"))),
        "bh": list(map(float, correct_pvalues(p, "fdr_bh"))),
    }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "evalstats.json"), "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
