"""Judging a million samples, against the same procedure in pandas and SciPy."""

import json
import os
import statistics
import subprocess
from pathlib import Path

from harness import LEAKCHECK
from machine import EXE, peer, run_measured

TITLE = "Judging a million samples"
SECONDS = 75
HOW = """
A CSV file of 1,000,000 rows (one per second, 11 days), `t_s,fds`, with noise, bursts and no leak. `leakcheck judge FILE --limit 'fds: growth_per_min < 1'` is timed as a whole process. The peer
(`bench/peers/judge.py`) implements the same procedure: bursts removed by rolling quantiles, sixty block medians, 2,300 models under ten correlation times by generalised least squares, and the interval from
the mixture of Student t distributions. One variant uses pandas and SciPy, the other strided windows in NumPy. Both are timed with and without their imports. "Theil–Sen" (`scipy.stats.theilslopes`) is the
common simple rule; it knows no steps, warm-ups or correlation.
"""
FINDINGS = """
Nearly all of the procedure is compiled code in Python too: `read_csv`, rolling quantiles, batched linear algebra. Most of leakcheck's time goes into reading the file and into the windows that remove bursts; the model
fits are a thousandth. At the size of a run (360 rows) a judgement takes milliseconds, less than the import of pandas.
"""
CASE = "a million samples"
PEERS = {"pandas + SciPy": "pandas", "the same, NumPy strided by hand": "numpy", "Theil–Sen on block medians": "theil-sen"}
SCRIPT = Path(__file__).resolve().parent.parent / "peers" / "judge.py"
LIMIT = "fds: growth_per_min < 1"


def measure(bench):
    rows = bench.pick(1_000_000, 1_000_000)
    table = write_table(bench.scratch / "samples.csv", rows)
    outcomes = {}

    def ours():
        wall, cpu, code = run_measured([EXE, "judge", table, "--limit", LIMIT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        outcomes[LEAKCHECK] = {0: "pass", 1: "fail"}.get(code, "no verdict")
        return {"time": (wall, "s"), "CPU": (cpu, "s"), "imports and all": (wall, "s")}

    def python(which):
        # A kernel chosen by hand in the environment would slow NumPy down.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        command = [peer("pandas", "scipy"), SCRIPT, which, table, "1", "fds"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
        result = json.loads(done.stdout)
        outcomes[which] = result["judged"]["fds"].get("outcome", "only a slope")
        time_s = result["read_s"] + result["judge_s"]
        whole = {"imports and all": (time_s + result["import_s"], "s"), "imports' CPU": (result["import_cpu_s"], "s")}
        return {"time": (time_s, "s"), "CPU": (result["cpu_s"], "s"), "of it reading": (result["read_s"], "s")} | whole

    contenders = {LEAKCHECK: ours} | {name: (lambda which: lambda: python(which))(which) for name, which in PEERS.items()}
    bench.alternate(CASE, contenders, rounds=5)
    bench.note("Outcomes: " + ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items()) + ".")
    rolling, by_hand, _ = PEERS
    bench.goal("time in pandas + SciPy, imports and all, over leakcheck's", ">=", 8, bench.ratio(CASE, "imports and all", rolling, LEAKCHECK), "×")
    bench.goal("time in pandas + SciPy once they are imported, over leakcheck's whole process", ">=", 4, bench.ratio(CASE, "time", rolling, LEAKCHECK), "×")
    for name, words in ((rolling, "pandas + SciPy"), (by_hand, "NumPy strided by hand")):
        if both := bench.ratio(CASE, "CPU", name, LEAKCHECK):
            imports = statistics.median(bench.values(CASE, name, "imports' CPU")) / bench.spread(CASE, LEAKCHECK, "CPU").median
            bench.note(f"In processor time, {words} takes {both.median:.1f} × leakcheck's; as a whole process, imports and all, {both.median + imports:.1f} ×.")


def write_table(path, rows):
    """The same noise each time (a linear congruential generator), a burst every ten minutes."""
    state = 1
    with path.open("w") as out:
        out.write("t_s,fds\n")
        for second in range(rows):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            value = 70 + (state >> 61) + (40 if second % 600 < 20 else 0)
            out.write(f"{second}.0,{value}\n")
    return path
