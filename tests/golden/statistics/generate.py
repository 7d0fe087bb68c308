"""Writes statistics.json: values of independent implementations that tests/analysis compares with.

Run: python3 generate.py (numpy, scipy, statsmodels with pandas; the versions used stand in the file). Everything that the program has in
closed form is brute force here: a jackknife really leaves each item out and starts again.
"""
import itertools
import json
import os

import numpy as np
import scipy
import scipy.spatial.distance
import scipy.special
import scipy.stats
import statsmodels
import statsmodels.stats.anova
import statsmodels.stats.multitest
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from statsmodels.stats.proportion import proportion_confint


def section_f():
    i = np.arange(12)[:, None]
    j = np.arange(4)[None, :]
    x = ((7 * i + 3 * j + i**2 * (j + 1)) % 23) - 11 + 0.25 * ((i * j) % 5)
    j = np.arange(3)[None, :]
    y = ((5 * i + 11 * j + 2 * i**2 * (j + 2)) % 29) - 14 + 0.5 * ((i + j) % 3) + 0.8 * x[:, :3]
    return x, y


def hsic1(k, l):
    n = len(k)
    k, l = k.copy(), l.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    return (np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 * (one @ k @ l @ one) / (n - 2)) / (n * (n - 3))


def cka1(x, y):
    k, l = x @ x.T, y @ y.T  # not centred on purpose: HSIC_1 does not need it
    return hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l))


def jackknife(statistic, n):
    """statistic(kept row numbers) -> value; its delete-one standard error."""
    left = np.array([statistic(np.delete(np.arange(n), i)) for i in range(n)])
    return left, float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))


def components(h):
    """h [n, T, p]: ANOVA from its textbook sums."""
    n, t, _ = h.shape
    grand = h.mean((0, 1))
    item = h.mean(1) - grand
    template = h.mean(0) - grand
    rest = h - grand - item[:, None] - template[None]
    ms_i = t * (item**2).sum() / (n - 1)
    ms_t = n * (template**2).sum() / (t - 1)
    ms_r = (rest**2).sum() / ((n - 1) * (t - 1))
    s_i, s_t = (ms_i - ms_r) / t, (ms_t - ms_r) / n
    return {"ms": [ms_i, ms_t, ms_r], "s2": [s_i, s_t, ms_r], "wobble": ms_r / (s_i + ms_r), "shift": s_t / (s_i + s_t + ms_r), "icc": s_i / (s_i + s_t + ms_r)}


def variance(h):
    n, t, _ = h.shape
    out = components(h)
    for name in ("wobble", "shift", "icc"):
        out[name + "_without_item"], out[name + "_se"] = jackknife(lambda keep: components(h[keep])[name], n)
        if t > 2:
            out[name + "_without_template"], out[name + "_template_se"] = jackknife(lambda keep: components(h[:, keep])[name], t)
    return out


def agreement(codes, q):
    """codes [n, T]."""
    n, t = codes.shape

    def one(keep, what):
        table = np.stack([(codes[keep] == j).sum(1) for j in range(q)], 1)
        p_bar = ((table**2).sum(1) - t).mean() / (t * (t - 1))
        share = table.sum(0) / table.sum()
        if what == "flip":
            return 1 - p_bar
        if what == "kappa":
            return fleiss_kappa(table, method="fleiss")
        chance = (share * (1 - share)).sum() / (q - 1)
        return (p_bar - chance) / (1 - chance)

    table, _ = aggregate_raters(codes, n_cat=q)
    out = {"codes": codes, "q": q, "fleiss_statsmodels": fleiss_kappa(table, method="fleiss")}
    for name in ("flip", "kappa", "ac1"):
        out[name] = one(np.arange(n), name)
        out[name + "_se"] = jackknife(lambda keep: one(keep, name), n)[1]
    unanimous = int((codes == codes[:, :1]).all(1).sum())
    out["unanimity"] = [unanimous / n, *proportion_confint(unanimous, n, method="wilson")]
    column = codes[:, 0]
    entropy = lambda keep: scipy.stats.entropy(np.bincount(column[keep], minlength=q), base=2)
    out["entropy"] = [entropy(np.arange(n)), jackknife(entropy, n)[1]]
    return out


def tau2(c):
    return components(c[:, :, None].astype(float))["s2"][1]


def labels(rng, n, t, m):
    scores = rng.normal(0, 2, (n, t, m))
    gold = rng.integers(0, m, n)
    q = scipy.special.softmax(scores, -1)
    jsd = [np.mean([scipy.spatial.distance.jensenshannon(q[i, a], q[i, b], base=2) ** 2 for a, b in itertools.combinations(range(t), 2)]) for i in range(n)]
    brier = ((q - np.eye(m)[gold][:, None]) ** 2).sum(-1)
    nll = -np.log(np.take_along_axis(q, gold[:, None, None].repeat(t, 1), -1)[..., 0])
    return {"n": n, "t": t, "m": m, "scores": scores.ravel(), "gold": gold, "jsd": jsd, "brier": brier.ravel(), "nll": nll.ravel()}


def crossed(y, groups, high=1.0, low=0.0, ends=1.0):
    """y [S, T, n]: the interval of the mean, straight from stability.md B.6. Pseudo-items are appended as clusters."""
    s, t, n = y.shape
    item, template, draw, value = y.mean((0, 1)), y.mean((0, 2)), y.mean((1, 2)), y.mean()
    ids = sorted(set(groups))
    m, size = len(ids), n / len(ids)
    total, clusters = n + 2 * ends * size, m + 2 * ends
    centre = (item.sum() + ends * size * (low + high)) / total
    sums = np.array([sum(item[i] - centre for i in range(n) if groups[i] == g) for g in ids])
    squares = (sums**2).sum() + ends * ((size * (low - centre)) ** 2 + (size * (high - centre)) ** 2)
    parts = [(clusters / (clusters - 1) * squares / total**2, clusters - 1)]
    if t > 1:
        parts.append((template.var(ddof=1) / t, t - 1))
    if s > 2:
        parts.append((draw.var(ddof=1) / s, s - 1))
    v = sum(p[0] for p in parts)
    upper = [p[0] / (1 - 2 / (9 * p[1]) + scipy.stats.norm.ppf(0.25) * np.sqrt(2 / (9 * p[1]))) ** 3 for p in parts]
    df = sum(upper) ** 2 / sum(u**2 / p[1] for u, p in zip(upper, parts))
    lo, hi = scipy.stats.t.interval(0.95, df, centre, np.sqrt(v))
    these = scipy.stats.t.interval(0.95, parts[0][1], centre, np.sqrt(parts[0][0]))
    p = 2 * scipy.stats.t.sf(abs(centre - 0.5) / np.sqrt(v), df)
    clip = lambda x: min(max(x, low), high)
    return {"y": y.ravel(), "shape": y.shape, "groups": groups, "value": value, "centre": centre, "se": np.sqrt(v), "df": df,
            "lo": clip(lo), "hi": clip(hi), "lo_these": clip(these[0]), "hi_these": clip(these[1]), "p_half": p}


def mean_squares(y):
    """y [S, T, n] by the least-squares ANOVA of statsmodels: saturated but for the last interaction."""
    import pandas as pd
    import statsmodels.formula.api as smf
    s, t, n = y.shape
    d, k, i = np.meshgrid(range(s), range(t), range(n), indexing="ij")
    table = pd.DataFrame({"y": y.ravel(), "d": d.ravel(), "k": k.ravel(), "i": i.ravel()})
    fit = smf.ols("y ~ C(d) + C(k) + C(i) + C(d):C(k) + C(d):C(i) + C(k):C(i)", table).fit()
    anova = statsmodels.stats.anova.anova_lm(fit, typ=1)
    ms = anova["mean_sq"]
    return {"item": ms["C(i)"], "template": ms["C(k)"], "draw": ms["C(d)"], "item_template": ms["C(k):C(i)"], "item_draw": ms["C(d):C(i)"],
            "template_draw": ms["C(d):C(k)"], "rest": ms["Residual"]}


def f_interval(ms, df, error, df_error, cells):
    bound = lambda p: np.sqrt(max(0.0, (ms / scipy.stats.f.ppf(p, df, df_error) - error) / cells))
    return [np.sqrt(max(0.0, (ms - error) / cells)), bound(0.975), bound(0.025)]


def mover(plus, minus, cells):
    """(sum of mean squares less others)/cells with the MOVER interval of their chi-square intervals; (mean square, df) each."""
    value = (sum(ms for ms, _ in plus) - sum(ms for ms, _ in minus)) / cells
    own = lambda ms, df: (ms * df / scipy.stats.chi2.ppf(0.975, df), ms * df / scipy.stats.chi2.ppf(0.025, df))
    down = sum((ms - own(ms, df)[0]) ** 2 for ms, df in plus) + sum((own(ms, df)[1] - ms) ** 2 for ms, df in minus)
    up = sum((own(ms, df)[1] - ms) ** 2 for ms, df in plus) + sum((ms - own(ms, df)[0]) ** 2 for ms, df in minus)
    return value, value - down**0.5 / cells, value + up**0.5 / cells


def three_way(y):
    s, t, n = y.shape
    m = mean_squares(y)
    e, a, b = m["rest"], m["item_template"], m["template_draw"]
    df_e = (n - 1) * (t - 1) * (s - 1)
    error = a + b - e
    df = error**2 / (a**2 / ((n - 1) * (t - 1)) + b**2 / ((t - 1) * (s - 1)) + e**2 / df_e)
    template = f_interval(m["template"], t - 1, error, df, n * s)
    a = m["item_draw"]
    error = a + b - e
    df = error**2 / (a**2 / ((n - 1) * (s - 1)) + b**2 / ((t - 1) * (s - 1)) + e**2 / df_e)
    draw = f_interval(m["draw"], s - 1, error, df, n * t)
    one = components(y[0].T[:, :, None].astype(float))
    single = f_interval(one["ms"][1], t - 1, one["ms"][2], (n - 1) * (t - 1), n)
    tau2 = [(m["template"] - m["item_template"] - m["template_draw"] + m["rest"]) / (n * s), one["s2"][1]]
    q = {"item": (m["item"], n - 1), "template": (m["template"], t - 1), "draw": (m["draw"], s - 1),
         "item_template": (m["item_template"], (n - 1) * (t - 1)), "item_draw": (m["item_draw"], (n - 1) * (s - 1)),
         "template_draw": (m["template_draw"], (t - 1) * (s - 1)), "rest": (e, df_e)}
    split = [mover([q[k] for k in plus], [q[k] for k in minus], cells) for plus, minus, cells in (
        (("item", "rest"), ("item_template", "item_draw"), s * t), (("template", "rest"), ("item_template", "template_draw"), s * n),
        (("draw", "rest"), ("item_draw", "template_draw"), t * n), (("item_template",), ("rest",), s), (("item_draw",), ("rest",), t),
        (("template_draw",), ("rest",), n), (("rest",), (), 1))]
    return {"split": split, "y": y.ravel(), "shape": y.shape, "mean_squares": m, "template_sd": template, "draw_sd": draw, "template_sd_one_draw": single, "tau2": tau2}


def planted_study(rng, s, t, n, per_cluster):
    z = (0.4 + rng.normal(0, 0.5, (1, 1, n // per_cluster)).repeat(per_cluster, 2) + rng.normal(0, 0.5, (1, 1, n)) + rng.normal(0, 0.4, (1, t, 1))
         + rng.normal(0, 0.4, (s, 1, 1)) + rng.normal(0, 0.3, (s, t, 1)) + rng.normal(0, 0.6, (s, t, n)))
    return (z > 0).astype(int)


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def main():
    rng = np.random.default_rng(20250101)
    x, y = section_f()
    left, se = jackknife(lambda keep: cka1(x[keep], y[keep]), 12)
    planted = rng.normal(0, 1.5, (30, 1, 5)) + rng.normal(0, 0.7, (1, 9, 5)) + rng.normal(0, 1, (30, 9, 5)) + 40
    planted = planted.astype(np.float32).astype(float)
    codes = rng.choice(3, (40, 5), p=[0.6, 0.3, 0.1])
    codes[: 25, 1:] = codes[: 25, :1]
    correct = (rng.random((60, 9)) < 0.5 + 0.3 * rng.random((60, 1)) - 0.15 * rng.random((1, 9))).astype(int)
    out = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
        "wilson": [[k, n, *proportion_confint(k, n, method="wilson")] for k, n in ((0, 10), (10, 10), (103, 200), (1, 7), (400, 800))],
        "normal": [[p, scipy.stats.norm.ppf(p)] for p in (0.025, 0.5, 0.9, 0.975, 0.9995)],
        "student": [[p, df, scipy.stats.t.ppf(p, df)] for p in (0.025, 0.9, 0.975) for df in (1, 2, 6, 11, 199, 799, 20000)],
        "cka_f": {"value": cka1(x, y), "se": se, "left_out": left},
        "planted": {"shape": planted.shape, "values": planted.ravel(), **variance(planted)},
        "agreement": agreement(codes, 3),
        "template": {"n": 60, "t": 9, "correct": correct.ravel(), "tau2": tau2(correct)},
        "labels": labels(rng, 7, 4, 3),
    }
    rng = np.random.default_rng(20261129)
    y = planted_study(rng, 4, 5, 24, 3)
    mixed = [0, 0, 0, 1, 1, 2] * 4
    ones = np.ones((3, 4, 10), int)
    out["f"] = [[p, a, b, scipy.stats.f.ppf(p, a, b)] for p in (0.025, 0.5, 0.975) for a, b in ((1, 1), (3, 117.5), (7, 5600), (15, 9.25))]
    out["student_tail"] = [[x, df, scipy.stats.t.sf(x, df)] for x in (0.0, 0.3, 2.2, 9.0) for df in (1, 2.5, 40, 7e5)]
    out["crossed"] = [
        crossed(y, list(range(24))),
        crossed(y, [i // 3 for i in range(24)]),
        crossed(y, [i // 6 * 3 + mixed[i] for i in range(24)]),
        crossed(y[:2], [i // 3 for i in range(24)]),
        crossed(y[:1, :1], list(range(24))),
        crossed(ones, list(range(10))),
        crossed(y - planted_study(rng, 4, 5, 24, 3), [i // 3 for i in range(24)], low=-1.0, ends=0.5),
    ]
    out["three_way"] = three_way(y)
    beta = lambda mean, v: float(scipy.stats.beta.stats(mean * (mean * (1 - mean) / v - 1), (1 - mean) * (mean * (1 - mean) / v - 1), moments="k"))
    out["quartile"] = [[df, df / scipy.stats.chi2.ppf(0.25, df)] for df in (1, 2, 3.5, 9, 400)]
    out["beta_kurtosis"] = [[mean, v, beta(mean, v)] for mean in (0.03, 0.5, 0.9) for v in (1e-4, 0.003, 0.02)]
    ps = [0.04, 0.001, 0.3, 0.011, 0.04, 0.9, 0.02, 1.0]
    out["multiplicity"] = {"p": ps, "holm": statsmodels.stats.multitest.multipletests(ps, method="holm")[1],
                           "bh": statsmodels.stats.multitest.multipletests(ps, method="fdr_bh")[1]}
    from statsmodels.stats.contingency_tables import cochrans_q
    test = cochrans_q(correct)
    out["cochran"] = [test.statistic, test.pvalue]
    out["chi_square_tail"] = [[x, df, scipy.stats.chi2.sf(x, df)] for df in (1, 3, 8.5, 40) for x in (0.02, 2.5, 9.0, 55.0, 300.0)]
    out["chi_square"] = [[p, df, scipy.stats.chi2.ppf(p, df)] for df in (1, 2, 9, 76.5, 2850, 120000, 4e7) for p in (0.025, 0.25, 0.975)]
    from statsmodels.stats.power import TTestPower
    out["power"] = [[d, n, TTestPower().power(d, n, 0.05)] for d, n in ((0.0, 12), (0.3, 40), (0.5, 8), (1.2, 5), (0.08, 900))]
    from statsmodels.stats.contingency_tables import mcnemar
    out["mcnemar"] = [[b, c, mcnemar([[5, b], [c, 9]], exact=True).pvalue] for b, c in ((1, 8), (12, 30), (4, 4), (0, 3), (300, 360))]
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "statistics.json"), "w") as f:
        json.dump(plain(out), f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
