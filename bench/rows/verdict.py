"""How long until there is a verdict: a clean run, and each replica of the record."""

import json
import subprocess

from harness import ROOT
from machine import EXE

TITLE = "Time to a verdict"
SECONDS = 400
FASE_S = 30 * 60
HOW = """
The FASE tests measured for a fixed 30 minutes. Here: the main job as CI runs it (55 containers on the Docker engine, or the simulated one where there is none; 90 s measured, streams rotated every 5 s), from the start
of the process to its exit; and `leakcheck selftest`, which runs each replica of a defect of the record and the sound ones, eight side by side, on the simulated engine.
"""
FINDINGS = """
A leak shows by rotation, not by minute: rotating every second or two instead of every half minute puts the half hour's rotations into one minute. A fail that is certain ends the run early; a pass runs its full length.
"""
CLEAN, REPLICAS = "a clean run", "replicas of the record"
# As .ci/run has it.
SHORT = ["--warm-up", "10s", "--measure", "90s", "--set", "target.rotate_every=5s", "--set", "schedule.extend=90s", "--set", 'limits.rss="max < 256 MiB"',
         "--set", 'limits.tasks=["growth_per_min < 10", "drained <= 2"]', "--set", 'limits.fds=["growth_per_min < 10", "drained <= 2"]']  # fmt: skip
FEW = ["fase-6", "fase-6c", "fase-6h", "memory-only"]


def measure(bench):
    # The quick bench leaves it at the sound one among the replicas.
    if not bench.quick:
        clean(bench)
    command = [str(EXE), "selftest", "--json"] + (["--only", ",".join(FEW), "--clean", "0"] if bench.quick else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    told = json.loads(done.stdout)
    for row in told["rows"]:
        # What is refused before it starts, or ends by itself, was certain at no time of the judge's.
        if row["after_s"] is not None:
            of = bench.values(REPLICAS, row["gate"], "time")
            bench.record(REPLICAS, row["gate"], "time", [*of, row["after_s"]], "s")
        if not row["caught"]:
            bench.note(f"{row['gate']} came out as {row['seen']}, not {row['expected']}")
    right = sum(row["caught"] for row in told["rows"])
    times = [row["after_s"] for row in told["rows"] if row["after_s"] is not None]
    bench.note(f"{right} of {len(told['rows'])} rows came out as they must, the slowest after {max(times):.0f} s, the median after {sorted(times)[len(times) // 2]:.0f} s.")
    bench.goal("rows of the self-test that come out as they must", ">=", 1, right / len(told["rows"]))
    bench.goal("slowest replica, over FASE's 30 minutes", "<", 0.1, max(times) / FASE_S, "×")


def clean(bench):
    command = [EXE, "run", ROOT / "scenarios/55-containers.toml", *SHORT, "--out", bench.scratch / "reports", "--json", "--quiet"]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=600, check=False)
    result = json.loads(done.stdout)
    name = f"{result['scenario']}: {result['verdict']}"
    bench.record(CLEAN, name, "time", [result["duration_s"]], "s")
    bench.record(CLEAN, name, "harness's processor time", [result["self"]["cpu_s"]], "s")
    bench.record(CLEAN, name, "harness's peak RSS", [result["self"]["max_rss_bytes"] / (1 << 20)], "MiB")
    bench.goal("a clean run, over FASE's 30 minutes", "<", 0.2, result["duration_s"] / FASE_S if result["verdict"] == "pass" else None, "×")
