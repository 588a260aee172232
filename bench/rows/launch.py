"""Starting and removing 55 containers."""

import os
import subprocess
import time

import containers
from containers import LABEL, listed
from harness import LEAKCHECK
from machine import EXE, end, events, wait_until

TITLE = "Launch and removal of 55 containers"
SECONDS = 150
COUNT = 55
HOW = """
55 idle containers of one image, with equal limits and no network: `leakcheck run` (its events tell when the launch began and when all ran) and `leakcheck clean`; `xargs -P8 docker run -d` and `xargs -P8 docker
rm -f`; `docker-compose up --scale` and `down`; and bare API calls with 4 in flight (create and start; forced DELETE).
"""
FINDINGS = """
Nearly all of the time is the engine's: for each container containerd starts a shim, and runc three times. Four calls in flight fill two cores (295 ms per container with one, 162 with four, 147 with eight). `docker
run` adds a client process per container. A removal is `runc delete` and an unmount; the number of calls in flight (2, 4, 8, 16) made no difference beyond the spread of the rounds.
"""
CASE = "55 containers"
XARGS, COMPOSE, BARE = "xargs -P8 docker", "docker-compose", "bare API, 4 in flight"


def measure(bench):
    image = containers.ensure_image()
    contenders = {
        LEAKCHECK: lambda: ours(bench, image),
        XARGS: lambda: xargs(image),
        COMPOSE: lambda: compose(bench, image),
        BARE: lambda: bare(image),
    }
    bench.alternate(CASE, contenders, rounds=5, least=3)
    for what in ("launch", "removal"):
        bench.goal(f"{what} over `xargs -P8`", "<=", 0.8, bench.ratio(CASE, what, LEAKCHECK, XARGS), "×")
        bench.goal(f"{what} over the bare API", "<=", 1.1, bench.ratio(CASE, what, LEAKCHECK, BARE), "×")


def times(launch, removal):
    return {"launch": (launch, "s"), "removal": (removal, "s")}


def clocked(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def expect(count, label):
    if (found := len(listed(label))) != count:
        raise RuntimeError(f"{found} containers with {label}, not {count}")


IDLE = ["/leakcheck", "noise", "--lines-per-second", "0"]

SCENARIO = """
name = "launch"
[engine]
kind = "docker"
[[load]]
name = "idle"
containers = {count}
image = "{image}"
command = {command}
[target]
kind = "pid"
pid = {pid}
[schedule]
warm_up = "1s"
measure = "10m"
[limits]
fds = "max < 100000"
"""


def ours(bench, image):
    """From the journal; the harness is then killed, so that nothing but `leakcheck clean` removes."""
    out = bench.scratch / f"run-{time.time_ns()}"
    scenario = bench.scratch / "launch.toml"
    command = str(IDLE).replace("'", '"')
    scenario.write_text(SCENARIO.format(count=COUNT, image=image, command=command, pid=os.getpid()))
    words = [str(w) for w in (EXE, "run", scenario, "--out", out, "--quiet")]
    harness = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    run = None
    try:
        launched = lambda: [e for e in events(out) if e["event"] == "launched"]
        wait_until(lambda: launched() or harness.poll() is not None, 90, "55 containers", every=0.05)
        if harness.poll() is not None:
            raise RuntimeError(f"leakcheck run ended: {harness.stderr.read()[-500:]}")
        recorded = events(out)
        run = next(e["run_id"] for e in recorded if e["event"] == "run-started")
        began = next(e["t_s"] for e in recorded if e["event"] == "phase-began" and e["phase"] == "launch")
        launch = launched()[0]["t_s"] - began
        expect(COUNT, f"leakcheck.run={run}")
        harness.kill()
        harness.wait()
        removal = clocked(lambda: subprocess.run([EXE, "clean", "--run", run], check=True, capture_output=True, timeout=60))
        expect(0, f"leakcheck.run={run}")
    finally:
        end(harness)
        if run:
            containers.remove(listed(f"leakcheck.run={run}"))
    return times(launch, removal)


def confined():
    return ["--label", LABEL, "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "32m",
            "--pids-limit", "32", "--log-driver", "json-file", "--log-opt", "max-size=1000g", "--log-opt", "max-file=1"]  # fmt: skip


def shell(script):
    subprocess.run(["bash", "-c", script], check=True, capture_output=True, timeout=120)


def xargs(image):
    run = " ".join(["docker run -d", *confined(), image, *IDLE])
    launch = clocked(lambda: shell(f"seq {COUNT} | xargs -P8 -I_ {run}"))
    expect(COUNT, LABEL)
    removal = clocked(lambda: shell(f"docker ps -aq --filter label={LABEL} | xargs -P8 -n1 docker rm -f -v"))
    expect(0, LABEL)
    return times(launch, removal)


COMPOSE_FILE = """
version: "2.4"
services:
  load:
    image: {image}
    command: {command}
    labels: ["{label}"]
    network_mode: none
    read_only: true
    cap_drop: [ALL]
    security_opt: [no-new-privileges]
    mem_limit: 32m
    pids_limit: 32
    logging: {{driver: json-file, options: {{max-size: "1000g", max-file: "1"}}}}
"""


def compose(bench, image):
    file = bench.scratch / "docker-compose.yml"
    file.write_text(COMPOSE_FILE.format(image=image, command=str(IDLE).replace("'", '"'), label=LABEL))
    words = ["docker-compose", "-p", f"leakcheck-bench-{os.getpid()}", "-f", str(file)]
    call = lambda *more: subprocess.run([*words, *more], check=True, capture_output=True, timeout=180)
    launch = clocked(lambda: call("up", "-d", "--scale", f"load={COUNT}"))
    expect(COUNT, LABEL)
    removal = clocked(lambda: call("down", "--timeout", "0"))
    expect(0, LABEL)
    return times(launch, removal)


def bare(image):
    made = []
    names = [f"bench-bare-{os.getpid()}-{i}" for i in range(COUNT)]
    launch = clocked(lambda: made.extend(containers.start_many(names, lambda _: containers.body(image, IDLE), 4)))
    expect(COUNT, LABEL)
    removal = clocked(lambda: containers.remove(made, 4))
    expect(0, LABEL)
    return times(launch, removal)
