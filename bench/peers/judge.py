"""leakcheck's judgement of growth, written with pandas, NumPy and SciPy as one would: `judge.py pandas|numpy|theil-sen FILE.csv LIMIT METRIC...` prints JSON.

The same steps as crates/judge (docs/judge-quality.md), vectorised where NumPy can: read the table; take out bursts (what lies five standard deviations above the lower
percentiles of the three and nine minutes around it, their slope taken off; one pair of windows for each half minute); sixty block medians; some 2,300 explanations
(line, step, kink, warm-up, two steps, step and warm-up) fitted by generalised least squares at ten correlation times; their weights by restricted likelihood and
BIC; the interval of the growth from the mixture of their Student t by `brentq`. `pandas` takes bursts out with pandas'
rolling quantiles, `numpy` with strided windows partitioned by hand. `theil-sen` is what is mostly done instead: Theil-Sen on the block medians.
"""

import json
import sys
import time

began = time.perf_counter()
import numpy as np
import pandas as pd
from scipy import optimize, stats

imported, imported_cpu = time.perf_counter(), time.process_time()

NEAR_S, WIDE_S, STRIDE_S, OUTLIER_SD = 180, 540, 30, 5.0
BLOCKS = 60
TIMES_S = [0.0, 3.0, 8.0, 15.0, 25.0, 40.0, 70.0, 120.0, 200.0, 300.0]


def without_bursts(t, v):
    """Which samples do not lie far above the level of the windows around them; one pair of windows serves half a minute."""
    if NEAR_S > (t[-1] - t[0]) / 3:
        return np.ones(len(v), bool)
    every = np.median(np.diff(t))
    near, wide, stride = (int(s / every) for s in (NEAR_S, WIDE_S, STRIDE_S))
    padded = np.pad(v, wide // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, wide)[::stride]
    quartile = lambda part: np.partition(part, part.shape[1] // 4, axis=1)[:, part.shape[1] // 4]
    half = wide // 2
    slope = (quartile(windows[:, -half:]) - quartile(windows[:, :half])) / half
    flat = windows - slope[:, None] * (np.arange(wide) - (wide - 1) / 2)
    highest = np.maximum(level(flat), level(flat[:, (wide - near) // 2 : (wide + near) // 2]))
    which = np.minimum((np.arange(len(v)) + stride // 2) // stride, len(windows) - 1)
    return v - slope[which] * (np.arange(len(v)) - which * stride) <= highest[which]


def without_bursts_rolling(t, v):
    """The same with pandas' own rolling windows, one for each sample."""
    if NEAR_S > (t[-1] - t[0]) / 3:
        return np.ones(len(v), bool)
    every = np.median(np.diff(t))
    series = pd.Series(v)
    highest = []
    for seconds in (NEAR_S, WIDE_S):
        windows = series.rolling(int(seconds / every), center=True, min_periods=9)
        fifth, twentieth = windows.quantile(0.05), windows.quantile(0.2)
        sd = (twentieth - fifth) / (1.6449 - 0.8416)
        highest.append(twentieth + 0.8416 * sd + OUTLIER_SD * np.maximum(sd, 1.4826 / 2))
    return (series <= np.maximum(*highest)).to_numpy()


def level(windows):
    """What is no outlier: five standard deviations above a normal level, both taken from the fifth and the twentieth percentile."""
    n = windows.shape[1] - 1
    fifth, twentieth = round(0.05 * n), round(0.2 * n)
    ordered = np.partition(windows, (fifth, twentieth), axis=1)
    sd = (ordered[:, twentieth] - ordered[:, fifth]) / (1.6449 - 0.8416)
    return ordered[:, twentieth] + 0.8416 * sd + OUTLIER_SD * np.maximum(sd, 1.4826 / 2)


def designs(length_s):
    """Added columns of every explanation, stacked by how many they are, with the number of members of each kind."""
    x = (np.arange(BLOCKS) + 0.5) / BLOCKS
    steps = np.array([(np.arange(BLOCKS) >= at).astype(float) for at in range(1, BLOCKS)])
    kinks = np.array([np.maximum(x - edge / BLOCKS, 0) for edge in range(3, BLOCKS - 4)])
    taus = np.geomspace(length_s / 120, max(163.0, length_s / 6), 22)
    warm_ups = np.exp(-x * length_s / taus[:, None])
    one = [(k[:, :, None], len(k)) for k in (steps, kinks, warm_ups)]
    first, second = np.triu_indices(len(steps), 1)
    pairs = np.stack([steps[first], steps[second]], axis=2)
    few = warm_ups[::3]
    mixed = np.stack([np.repeat(steps, len(few), axis=0), np.tile(few, (len(steps), 1))], axis=2)
    return x, [(np.zeros((1, BLOCKS, 0)), 1), *one, (pairs, len(pairs)), (mixed, len(mixed))]


def whitened(phi, columns):
    """Prais-Winsten along axis -2."""
    out = columns.copy()
    out[..., 1:, :] -= phi * columns[..., :-1, :]
    out[..., 0, :] *= np.sqrt(1 - phi * phi)
    return out


def fits(y, length_s):
    """Growth, its error, degrees of freedom and log weight of every explanation at every correlation."""
    x, kinds = designs(length_s)
    base = np.stack([np.ones(BLOCKS), x], axis=1)
    found = []
    for time_s in TIMES_S:
        phi = np.exp(-length_s / BLOCKS / time_s) if time_s else 0.0
        target = whitened(phi, (y - y.mean())[:, None])[:, 0]
        for added, members in kinds:
            q = added.shape[2]
            plain = np.concatenate([np.broadcast_to(base, (len(added), BLOCKS, 2)), added], axis=2)
            design = whitened(phi, plain)
            gram = np.einsum("kni,knj->kij", design, design)
            sign, log_det = np.linalg.slogdet(gram)
            good = (sign > 0) & (log_det > np.log(1e-12))
            gram, design, log_det = gram[good], design[good], log_det[good]
            inverse = np.linalg.inv(gram)
            beta = np.einsum("kij,knj,n->ki", inverse, design, target)
            residual = target - np.einsum("kni,ki->kn", design, beta)
            dof = BLOCKS - 2 - q
            variance = np.maximum((residual**2).sum(axis=1), BLOCKS / 12 * (1 - phi) ** 2) / dof
            log_weight = (
                -0.5 * dof * np.log(variance) - 0.5 * log_det + 0.5 * np.linalg.slogdet(np.einsum("kni,knj->kij", plain[good], plain[good]))[1]
                + 0.5 * np.log(1 - phi * phi) - 0.5 * q * np.log(BLOCKS) - np.log(members)
            )
            found.append((beta[:, 1], np.sqrt(variance * inverse[:, 1, 1]), np.full(len(beta), dof), log_weight))
    growth, error, dof, weight = (np.concatenate(part) for part in zip(*found))
    weight = np.exp(weight - weight.max())
    heavy = weight > np.exp(-20)
    return growth[heavy], error[heavy], dof[heavy], weight[heavy] / weight[heavy].sum()


def quantile(share, growth, error, dof, weight):
    below = lambda at: (weight * stats.t.cdf((at - growth) / error, dof)).sum() - share
    wide = 60 * error.max() + np.ptp(growth) + 1e-9
    return optimize.brentq(below, growth.min() - wide, growth.max() + wide, rtol=1e-4)


def assess(t, v, limit, without):
    keep = without(t, v)
    length_s = (t[-1] - t[0]) * len(t) / (len(t) - 1)
    block = np.minimum(((t - t[0]) / length_s * BLOCKS).astype(int), BLOCKS - 1)
    y = pd.Series(v[keep]).groupby(block[keep]).median().to_numpy()
    mixture = fits(y, length_s)
    per_min = 60.0 / length_s
    low, middle, high = (quantile(share, *mixture) * per_min for share in (0.05, 0.5, 0.95))
    return {"estimate": middle, "low": low, "high": high, "outcome": "pass" if high < limit else "fail" if low >= limit else "inconclusive"}


def usual(t, v):
    length_s = t[-1] - t[0]
    block = np.minimum(((t - t[0]) / length_s * BLOCKS).astype(int), BLOCKS - 1)
    y = pd.Series(v).groupby(block).median().to_numpy()
    slope, _, low, high = stats.theilslopes(y, np.arange(BLOCKS) * length_s / BLOCKS / 60)
    return {"estimate": slope, "low": low, "high": high}


which, path, limit, metrics = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]
table = pd.read_csv(path)
read = time.perf_counter()
t = table["t_s"].to_numpy()
values = {m: table[m].to_numpy(float) for m in metrics}
if which == "theil-sen":
    judged = {m: usual(t, v) for m, v in values.items()}
else:
    without = {"pandas": without_bursts_rolling, "numpy": without_bursts}[which]
    judged = {m: assess(t, v, limit, without) for m, v in values.items()}
ended = time.perf_counter()
print(json.dumps({"judged": judged, "import_s": imported - began, "read_s": read - imported, "judge_s": ended - read, "import_cpu_s": imported_cpu, "cpu_s": time.process_time() - imported_cpu}))
