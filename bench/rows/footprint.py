"""Cold start to the first container, size of the executable, dependencies."""

import datetime
import os
import subprocess
import time
import tomllib

import containers
from containers import LABEL, api, listed
from harness import LEAKCHECK, ROOT, Absent
from machine import EXE, end, wait_until

TITLE = "Footprint"
SECONDS = 40
HOW = """
Time from the start of the process until the engine reports that the first container runs: `leakcheck run` (reads its scenario, finds its image, opens its target) and `docker run -d`; and `leakcheck run`
when its load image must be built first. Dependencies: packages in Cargo.lock that the build of the executable reaches (normal and build dependencies, all platforms), counted in the same way for lading.
"""
# github.com/DataDog/lading, tag v0.33.0 (9500bfab9c71): its Cargo.lock has 500 packages, of which `closure` reaches these.
LADING_VERSION, LADING_PACKAGES = "0.33.0", 465
FINDINGS = f"""
lading (DataDog's load generator, the nearest relative) publishes neither the size of its executable nor a start time, only its lock file: {LADING_PACKAGES} packages in version {LADING_VERSION}.
It needs protoc to build; leakcheck needs nothing but Rust.
"""
CASE = "cold start to the first container"

SCENARIO = """
name = "start"
[engine]
kind = "docker"
[[load]]
name = "first"
containers = 1
[target]
kind = "pid"
pid = {pid}
[schedule]
warm_up = "1s"
measure = "10m"
[limits]
fds = "max < 100000"
"""


def measure(bench):
    image = containers.ensure_image()
    ours(bench)  # makes the image, if it is not there
    plain = lambda: docker_run(image)
    bench.alternate(CASE, {LEAKCHECK: lambda: ours(bench), "docker run -d": plain}, rounds=9, least=3, budget=25)
    bench.alternate(CASE, {"leakcheck, image to be made": lambda: ours(bench, fresh=True)}, rounds=3, least=1)
    bench.record("size", LEAKCHECK, "executable", [EXE.stat().st_size / (1 << 20)], "MiB")
    bench.record("size", LEAKCHECK, "packages", [packages()], "")
    bench.record("size", f"lading {LADING_VERSION}", "packages", [LADING_PACKAGES], "")
    bench.goal("cold start to the first container, over `docker run`", "<=", 1.1, bench.ratio(CASE, "time", LEAKCHECK, "docker run -d"), "×")
    bench.goal("packages in the build, over lading's", "<", 1, packages() / LADING_PACKAGES, "×")


def docker_run(image):
    began = time.time()
    container = containers.docker("run", "-d", "--label", LABEL, "--network", "none", image, "/leakcheck", "noise", "--lines-per-second", "0").strip()
    try:
        return {"time": (started(container) - began, "s")}
    finally:
        containers.remove([container])


def ours(bench, fresh=False):
    """The time of `leakcheck run`; `fresh` first removes the image of this very executable (others may be in use)."""
    scenario = bench.scratch / "start.toml"
    scenario.write_text(SCENARIO.format(pid=os.getpid()))
    out = bench.scratch / f"run-{time.time_ns()}"
    if fresh and (image := bench_image(bench)):
        try:
            containers.docker("rmi", image)
        except OSError as why:
            raise Absent(f"the load image is in use by others: {why}") from why
    words = [str(w) for w in (EXE, "run", scenario, "--out", out, "--quiet")]
    began = time.time()
    harness = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        folder = wait_until(lambda: next(out.glob("*/*"), None), 20, "the run's folder", every=0.01)
        label = f"leakcheck.run={folder.name}"
        container = wait_until(lambda: next(iter(listed(label)), None), 30, "the first container")
        taken = started(container) - began
        bench.image = api("GET", f"/containers/{container}/json")["Config"]["Image"]
    finally:
        harness.send_signal(subprocess.signal.SIGINT)
        try:
            harness.wait(30)
        except subprocess.TimeoutExpired:
            end(harness)
    return {"time": (taken, "s")}


def bench_image(bench):
    return getattr(bench, "image", None)


def started(container):
    """The start time that the engine reports, in seconds of the epoch."""
    state = wait_until(lambda: running(container), 30, "the container's start")
    whole, fraction = state["StartedAt"].rstrip("Z").split(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction}")


def running(container):
    """Its state once it runs; the engine lists a container a moment before it can be looked at."""
    try:
        state = api("GET", f"/containers/{container}/json")["State"]
    except OSError:
        return None
    return state if state["Running"] else None


def packages():
    return closure(ROOT, "leakcheck", [*ROOT.glob("crates/*"), ROOT / "fixtures/leaky-targets"])


def closure(root, start, members):
    """How many packages of Cargo.lock the normal and build dependencies of `start` reach."""
    lock = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    own = dict(wanted_by(folder) for folder in members)
    find = lambda spec: next(p for p in lock if p["name"] == spec.split()[0] and p["version"] in (*spec.split()[1:2], *([p["version"]] if " " not in spec else [])))
    seen, todo = set(), [find(start)]
    while todo:
        package = todo.pop()
        if (key := (package["name"], package["version"])) in seen:
            continue
        seen.add(key)
        # The lock file does not say which dependencies of a member are for its tests only; its manifest does.
        wanted = own.get(package["name"])
        todo += [find(d) for d in package.get("dependencies", []) if wanted is None or d.split()[0] in wanted]
    return len(seen)


def wanted_by(folder):
    """A member's name and the names of its normal and build dependencies."""
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    tables = [manifest, *manifest.get("target", {}).values()]
    named = [item for table in tables for kind in ("dependencies", "build-dependencies") for item in table.get(kind, {}).items()]
    names = {d.get("package", k) if isinstance(d, dict) else k for k, d in named if not (isinstance(d, dict) and d.get("optional"))}
    return manifest["package"]["name"], names
