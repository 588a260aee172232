"""The cost of the harness beside its target: 55 containers, one sample per second."""

import json
import signal
import statistics
import subprocess
import time

from containers import require_engine
from harness import ROOT
from machine import EXE, cpu_s, end, events, status_kib, wait_until

TITLE = "Cost of the harness"
SECONDS = 200
HOW = """
The main job (`scenarios/55-containers.toml`: 55 containers, 800 lines per second, one sample and one scrape per second) on the Docker engine. CPU time (scheduler nanoseconds of each thread) and memory of harness
and target are read from outside while it measures. Then, in the same run, the harness is stopped (SIGSTOP) and continued in turn, and the target's CPU time with and without sampling is compared.
"""
FINDINGS = """
Sampling costs the target its answer to one scrape per second. Reading `/proc` costs only the reader.
"""
CASE = "55 containers at 1 Hz"
WINDOW_S = 4


def measure(bench):
    require_engine()
    out = bench.scratch / f"run-{time.time():.0f}"
    command = [EXE, "run", ROOT / "scenarios/55-containers.toml", "--engine", "docker", "--out", out, "--quiet", "--measure", "20m", "--warm-up", bench.pick("10s", "2s")]
    # The windows without sampling end this run without a verdict of use: it is interrupted, and cleans up after itself.
    harness = subprocess.Popen([str(w) for w in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        begun = lambda: [e for e in events(out) if e["event"] == "phase-began" and e["phase"] == "measure"]
        wait_until(lambda: begun() or harness.poll() is not None, 120, "the measuring phase", every=0.2)
        target = next(e["pid"] for e in events(out) if e["event"] == "target-started")
        steady(bench, harness.pid, target, bench.pick(60, 10))
        effect(bench, harness, target, bench.pick(12, 3))
    finally:
        harness.send_signal(signal.SIGCONT)
        harness.send_signal(signal.SIGINT)
        try:
            harness.wait(60)
        except subprocess.TimeoutExpired:
            end(harness)
    path = next(out.glob("*/*/result.json"), None)
    own = json.loads(path.read_text())["self"] if path else {}
    if own:
        bench.record(CASE, "harness, whole run with report", "peak RSS", [own["max_rss_bytes"] / (1 << 20)], "MiB")
        bench.record(CASE, "harness, whole run with report", "a look at /proc", [own["sample_us"]["median"]], "µs")
        bench.goal("peak RSS, whole run with report", "<", 32, own["max_rss_bytes"] / (1 << 20), "MiB")


def steady(bench, harness, target, seconds):
    """Processor time of both in seconds of an undisturbed minute."""
    shares = {"harness": [], "target": []}
    for _ in range(5):
        before, began = (cpu_s(harness), cpu_s(target)), time.monotonic()
        time.sleep(seconds / 5)
        took = time.monotonic() - began
        shares["harness"].append((cpu_s(harness) - before[0]) / took * 100)
        shares["target"].append((cpu_s(target) - before[1]) / took * 100)
    for who, pid in (("harness", harness), ("target", target)):
        bench.record(CASE, f"{who}, while measuring", "of one core", shares[who], "%")
        bench.record(CASE, f"{who}, while measuring", "peak RSS", [status_kib(pid, "VmHWM") / 1024], "MiB")
    bench.goal("processor, of one core, while measuring", "<", 1, bench.spread(CASE, "harness, while measuring", "of one core"), "%")


def effect(bench, harness, target, pairs):
    """The target's processor time with sampling less that without, in pairs of windows."""
    taken = {"with sampling": [], "without sampling": []}
    for pair in range(pairs):
        for name in list(taken) if pair % 2 else reversed(taken):
            harness.send_signal(signal.SIGCONT if name == "with sampling" else signal.SIGSTOP)
            time.sleep(0.3)
            before, began = cpu_s(target), time.monotonic()
            time.sleep(WINDOW_S)
            taken[name].append((cpu_s(target) - before) / (time.monotonic() - began) * 100)
    for name, values in taken.items():
        bench.record("the target", name, "of one core", values, "%")
    differences = [a - b for a, b in zip(taken["with sampling"], taken["without sampling"])]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    # Student's t, 95 %, for 11 and for 2 degrees of freedom.
    reach = (2.2 if pairs > 3 else 4.3) * error
    bench.note(f"The effect is the mean of {pairs} pairs of windows of {WINDOW_S} s, in brackets its 95 % interval.")
    bench.effect("effect of the sampling on the target's processor time", differences, reach, "% of one core")
