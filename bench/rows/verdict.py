"""Time to a verdict: a clean run, and each case of the self-test."""

import json
import subprocess

from harness import ROOT
from machine import EXE

TITLE = "Time to a verdict"
SECONDS = 400
FASE_S = 30 * 60
HOW = """
The FASE tests measured for a fixed 30 minutes. Here: the main job as CI runs it (55 containers, 90 s measured, rotation every 5 s; on the Docker engine, or the simulated one without Docker), from the start of the
process to its exit; and `leakcheck selftest`, which runs every case, eight at a time, on the simulated engine.
"""
FINDINGS = """
Evidence of a leak comes per rotation, not per minute: rotation every one or two seconds puts half an hour's rotations into one minute. A certain failure ends the run early; a pass takes the whole schedule.
"""
CLEAN, CASES = "a clean run", "self-test cases"
# As .ci/run has it.
SHORT = ["--warm-up", "10s", "--measure", "90s", "--set", "target.rotate_every=5s", "--set", "schedule.extend=90s", "--set", 'limits.rss="max < 256 MiB"',
         "--set", 'limits.tasks=["growth_per_min < 10", "drained <= 2"]', "--set", 'limits.fds=["growth_per_min < 10", "drained <= 2"]']  # fmt: skip
FEW = ["fase-6", "fase-6c", "fase-6h", "memory-only"]


def measure(bench):
    # The quick bench runs the sound case only.
    if not bench.quick:
        clean(bench)
    command = [str(EXE), "selftest", "--json"] + (["--only", ",".join(FEW), "--clean", "0"] if bench.quick else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    result = json.loads(done.stdout)
    for row in result["rows"]:
        # What is refused before it starts, or ends by itself, was certain at no time of the judge's.
        if row["after_s"] is not None:
            of = bench.values(CASES, row["gate"], "time")
            bench.record(CASES, row["gate"], "time", [*of, row["after_s"]], "s")
        if not row["caught"]:
            bench.note(f"{row['gate']} came out as {row['seen']}, not {row['expected']}")
    right = sum(row["caught"] for row in result["rows"])
    times = [row["after_s"] for row in result["rows"] if row["after_s"] is not None]
    bench.note(f"{right} of {len(result['rows'])} cases passed, the slowest after {max(times):.0f} s, the median after {sorted(times)[len(times) // 2]:.0f} s.")
    bench.goal("self-test cases that pass", ">=", 1, right / len(result["rows"]))
    bench.goal("slowest self-test case, over FASE's 30 minutes", "<", 0.1, max(times) / FASE_S, "×")


def clean(bench):
    command = [EXE, "run", ROOT / "scenarios/55-containers.toml", *SHORT, "--out", bench.scratch / "reports", "--json", "--quiet"]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=600, check=False)
    result = json.loads(done.stdout)
    name = f"{result['scenario']}: {result['verdict']}"
    bench.record(CLEAN, name, "time", [result["duration_s"]], "s")
    bench.record(CLEAN, name, "harness's processor time", [result["self"]["cpu_s"]], "s")
    bench.record(CLEAN, name, "harness's peak RSS", [result["self"]["max_rss_bytes"] / (1 << 20)], "MiB")
    bench.goal("a clean run, over FASE's 30 minutes", "<", 0.2, result["duration_s"] / FASE_S if result["verdict"] == "pass" else None, "×")
