"""The judge on a million samples against the same procedure in pandas and SciPy."""

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
A CSV file of 1,000,000 rows (one a second, 11 days), `t_s,fds`, with noise, bursts and no leak. `leakcheck judge FILE --limit 'fds: growth_per_min < 1'` is timed as a
whole process. The peer (`bench/peers/judge.py`) is the same procedure: bursts taken out by rolling quantiles, sixty block medians, 2,300 explanations under ten correlation times by generalised least squares,
the interval from their mixture of Student t; in pandas and SciPy, and with its windows strided and partitioned by hand in NumPy. It is timed with its imports, as one who runs it waits for it, and without them, as a notebook that has them already; with the reading of the file in both. "Theil–Sen" is
what is mostly done instead (`scipy.stats.theilslopes`) and answers less: no steps, warm-ups or correlation.
"""
FINDINGS = """
The goal supposed that Python would be the slow side, but nearly all of the procedure is compiled code there too: `read_csv`, rolling quantiles, batched linear algebra. By callgrind, leakcheck's 970 million instructions (4.4 thousand million at first) are
for 47 % the rows of the CSV file, which all processors read, 220 instructions for a cell: a row of a table in which nothing is quoted is read in one pass, and only one with which something is wrong is cut into cells. Any other table is read by the `csv` crate. For 29 % they are the windows from which bursts are taken
out (`judge/src/despike.rs`: two for each half minute), and the rest is what is asked of each column (its step, its highest and lowest value, its gaps), its series and its block medians; the fits are a thousandth. A window is selected only where counts of it leave open whether its samples lie below the ceiling, which
is so for one in seven, mostly for its bursts, and the three times wider one only where the narrow one does not decide. Beside the instructions, a third of the processor time is the kernel's: it copies the file and hands out 65 MB in pages. A column's series, its spacing and the rows that are judged are found once and shared.
Against a pandas that is imported already, twenty times as fast would be the time in which leakcheck does little more than read the file. At the sizes that a run has (360 rows) a judgement takes milliseconds, and pandas needs longer than that to be imported.
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
        told = json.loads(done.stdout)
        outcomes[which] = told["judged"]["fds"].get("outcome", "only a slope")
        time_s = told["read_s"] + told["judge_s"]
        whole = {"imports and all": (time_s + told["import_s"], "s"), "imports' CPU": (told["import_cpu_s"], "s")}
        return {"time": (time_s, "s"), "CPU": (told["cpu_s"], "s"), "of it reading": (told["read_s"], "s")} | whole

    contenders = {LEAKCHECK: ours} | {name: (lambda which: lambda: python(which))(which) for name, which in PEERS.items()}
    bench.alternate(CASE, contenders, rounds=5)
    bench.note("Outcomes: " + ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items()) + ".")
    rolling, by_hand, _ = PEERS
    bench.goal("time in pandas + SciPy, imports and all, over leakcheck's", ">=", 20, bench.ratio(CASE, "imports and all", rolling, LEAKCHECK), "×")
    bench.goal("time in pandas + SciPy once they are imported, over leakcheck's whole process", ">=", 20, bench.ratio(CASE, "time", rolling, LEAKCHECK), "×")
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
