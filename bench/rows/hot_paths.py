"""Hot paths: nanoseconds of CPU time, and instructions by callgrind."""

import re
import shutil
import subprocess

from harness import Absent
from machine import HOT_PATHS

TITLE = "Hot paths"
SECONDS = 60
HOW = """
`bench/hot-paths` repeats one code path. The scheduler gives its CPU time, callgrind its instructions: the difference between a run with twice the repetitions and a run with the repetitions, so that start and
preparation cancel out. Instructions do not depend on the load of the machine and can be compared over commits.
"""
FINDINGS = """
The numbers of a stamp are written without `format!`, and its checksum uses the CPU's own instruction.
"""
# What, repetitions for the clock, repetitions under callgrind (fifty times slower).
PATHS = {
    "sample": ("a look at a process in /proc", 50_000, 500),
    "exposition": ("a scrape of 165 series, 3 wanted", 5_000, 50),
    "line_check": ("the check of a delivered line", 500_000, 10_000),
    "stamp": ("a stamped line of 100 bytes", 1_000_000, 10_000),
    "judge": ("the judgement of a main job (3 growth limits, 360 rows)", 40, 2),
}


def measure(bench):
    for path, (what, clock, under_callgrind) in PATHS.items():
        bench.alternate("hot path", {what: lambda: timed(path, clock)}, rounds=7, least=3)
        try:
            bench.record("hot path", what, "instructions", [instructions(bench, path, under_callgrind)], "")
        except Absent as why:
            bench.absent("callgrind", str(why))


def timed(path, count):
    out = subprocess.run([HOT_PATHS, path, str(count)], capture_output=True, text=True, check=True, timeout=60).stdout
    return {"time": (float(out.split()[0]), "ns")}


def instructions(bench, path, count):
    if shutil.which("valgrind") is None:
        raise Absent("valgrind is not installed")
    once, twice = (counted(bench, path, n) for n in (count, 2 * count))
    return (twice - once) / count


def counted(bench, path, count):
    out = bench.scratch / f"callgrind.{path}"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(HOT_PATHS), path, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise Absent(f"callgrind ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return int(found.group(1))
