"""The simulated engine against the real one: lines per second, containers per MiB."""

import os
import subprocess
import tempfile
from pathlib import Path

import containers
import noise
from containers import SOCKET, api
from harness import LEAKCHECK
from machine import EXE, end, pss_kib, run_measured, status_kib, wait_until

TITLE = "The simulated engine against the real one"
SECONDS = 150
HOW = """
Written by 55 containers: all write stamped lines of 100 bytes at full speed. Simulated: 400,000 each (about three seconds), from the first start to the last end. Real: for three seconds. One container: it
writes 500,000 lines (real: 300,000) and ends ("written"); then `curl` reads its log from the engine's socket to /dev/null ("read"). Memory of one more container: simulated, the growth of `leakcheck engine` from
1,000 to 10,000 idle containers; real, the PSS of each container's shim and process, and the growth of dockerd and containerd, with 40 idle containers.
"""
FINDINGS = """
The simulated engine limits one container to 600,000 lines a second (`process.rs`), the best rate of the real one, so that a scenario at full speed makes the same load on both. Many containers show what
the engine can do. By `perf`, a line costs 0.2 µs: half for the stamp and for storing the line, half in the kernel for its pages (the real one: 6 µs in dockerd, containerd and shims). Turns longer than 5 ms are
shared by all threads. A call that arrives then waits: beside 55 containers at full speed one `ping` in a hundred took 8 to 11 ms, and the median stays at 0.1 ms. A real container has a shim process
(about 10 MiB) beside its own process; a simulated one is a table entry, without a task while it is idle.
"""
WRITTEN, LINES, MEMORY = "written by 55 containers", "1 container", "memory of a container"
COUNT, IMAGE = 55, "noise:1"
SIMULATED, REAL = "simulated engine", "Docker engine"
NOISE = ["noise", "--run", "bench", "--emitter", "e", "--lines-per-second", "max", "--line-bytes", "100"]


def measure(bench):
    image = containers.ensure_image()
    stage = noise.Stage(bench, image, COUNT)
    real = lambda: {"written": stage.write(noise.WRITERS[LEAKCHECK])["rate"]}
    bench.alternate(WRITTEN, {SIMULATED: lambda: written_by_many(bench, bench.pick(400_000, 100_000)), REAL: real}, rounds=5, least=3, budget=40)
    containers.remove_all()
    bench.alternate(LINES, {SIMULATED: lambda: simulated_lines(bench), REAL: lambda: real_lines(bench, image)}, rounds=5, least=3, budget=60)
    containers.remove_all()
    bench.alternate(MEMORY, {SIMULATED: lambda: simulated_memory(bench), REAL: lambda: real_memory(image)}, rounds=2, least=1)
    bench.goal("lines a second written by 55 containers, over the real engine's", ">=", 10, bench.ratio(WRITTEN, "written", SIMULATED, REAL), "×")
    bench.goal("lines a second read of one, over the real engine's", ">=", 10, bench.ratio(LINES, "read", SIMULATED, REAL), "×")
    bench.goal("containers per MiB, over the real engine's", ">=", 1000, bench.ratio(MEMORY, "containers per MiB", SIMULATED, REAL), "×")


class Engine:
    """`leakcheck engine` on a socket of its own."""

    def __init__(self, bench, count=0):
        self.socket = bench.scratch / "engine.sock"
        self.socket.unlink(missing_ok=True)
        words = [EXE, "engine", "--socket", self.socket, "--containers", count, "--lines-per-second", 0]
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        def answers():
            try:
                return api("GET", "/version", at=str(self.socket))
            except OSError:
                return None

        wait_until(answers, 20, "the simulated engine")
        return self

    def __exit__(self, *_):
        end(self.process)

    def with_image(self):
        """Its socket, once it has IMAGE."""
        at, (name, tag) = str(self.socket), IMAGE.split(":")
        api("POST", f"/images/create?fromSrc=-&repo={name}&tag={tag}", at=at)
        return at


def written_by_many(bench, each):
    """What all containers together wrote, from the first one's start to the last one's end."""
    with Engine(bench) as engine:
        at = engine.with_image()
        wanted = containers.body(IMAGE, ["/leakcheck", *NOISE, "--lines", str(each - 1)])
        made = containers.start_many([f"bench-many-{i}" for i in range(COUNT)], lambda _: wanted, at=at)
        states = lambda: [api("GET", f"/containers/{container}/json", at=at)["State"] for container in made]
        wait_until(lambda: not any(state["Running"] for state in states()), 60, "the end of writing", every=0.2)
        ended = states()
    span_s = max(seconds(state["FinishedAt"]) for state in ended) - min(seconds(state["StartedAt"]) for state in ended)
    return {"written": (COUNT * each / span_s, "lines/s")}


def simulated_lines(bench):
    with Engine(bench) as engine:
        at = engine.with_image()
        return lines(containers.body(IMAGE, ["/leakcheck", *NOISE]), bench.pick(500_000, 200_000), at)


def real_lines(bench, image):
    return lines(containers.body(image, ["/leakcheck", *NOISE]), bench.pick(300_000, 100_000), SOCKET)


def lines(wanted, count, at):
    """Written by one container, then read by curl."""
    wanted["Cmd"] += ["--lines", str(count - 1)]
    container = containers.start(f"bench-lines-{os.getpid()}", wanted, at)
    try:
        state = lambda: api("GET", f"/containers/{container}/json", at=at)["State"]
        wait_until(lambda: not state()["Running"], 60, "the end of writing")
        ended = state()
        written_s = seconds(ended["FinishedAt"]) - seconds(ended["StartedAt"])
        url = f"http://engine/containers/{container}/logs?stdout=1&stderr=1&timestamps=1"
        with tempfile.TemporaryFile("w+") as output:
            read_s, _, code = run_measured(["curl", "-sN", "--fail", "--unix-socket", at, "-o", "/dev/null", "-w", "%{size_download}", url], stdout=output)
            output.seek(0)
            read = output.read()
        if code != 0 or int(read) < count * len(noise.LINE):
            raise RuntimeError(f"curl ended with {code} after {read} bytes of {count:,} lines")
    finally:
        containers.remove([container], at=at)
    return {"read": (count / read_s, "lines/s"), "written": (count / written_s, "lines/s")}


def seconds(stamp):
    """Seconds of the day of an RFC 3339 time."""
    hours, minutes, rest = stamp.split("T")[1].rstrip("Z").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def simulated_memory(bench):
    sizes = []
    few, many = 1_000, 10_000
    for count in (few, many):
        with Engine(bench, count) as engine:
            sizes.append(status_kib(engine.process.pid, "VmRSS"))
    return per_container((sizes[1] - sizes[0]) / (many - few))


def per_container(kib):
    return {"KiB each": (kib, "KiB"), "containers per MiB": (1024 / kib, "")}


def real_memory(image, count=40):
    daemons = daemons_of(containers.engine_pid())
    before = sum(status_kib(p, "VmRSS") for p in daemons)
    idle = containers.body(image, ["/leakcheck", "noise", "--lines-per-second", "0"])
    made = containers.start_many([f"bench-idle-{os.getpid()}-{i}" for i in range(count)], lambda _: idle)
    try:
        grown = max(0, sum(status_kib(p, "VmRSS") for p in daemons) - before)
        shims = [pss_kib(shim) for shim in shims_of(made)]
        own = [pss_kib(api("GET", f"/containers/{i}/json")["State"]["Pid"]) for i in made]
    finally:
        containers.remove(made)
    return per_container((grown + sum(shims) + sum(own)) / count)


def daemons_of(engine):
    """The engine that listens on the socket and the containerd that it started; one that the system started serves others too."""
    if engine is None:
        return []
    children = (int(pid) for task in Path(f"/proc/{engine}/task").iterdir() for pid in (task / "children").read_text().split())
    return [engine, *(pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "containerd")]


def shims_of(ids):
    """The shim processes of these containers: each has its container's id on its command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "containerd-shim" in words[0] and any(word in ids for word in words):
                found.append(int(process.name))
    return found
