"""What the wire adds when nothing is broken: a client's calls and a followed log, straight to the engine and through the proxy."""

import os
import subprocess
import time

import containers
from containers import SOCKET, UnixConnection, api
from harness import Absent, Spread
from machine import EXE, end, run_measured, wait_until
from simulated import Engine

TITLE = "The wire without faults"
SECONDS = 90
HOW = """
`leakcheck chaos` with an empty script in front of an engine. Latency: a connection straight and one through the wire are kept and ask in turn, 500 times each; a round's figure is the median of its calls, and what the wire adds is the difference within a round. 20 idle containers are there to be listed.
Followed log: a container has written 100,000 lines of 100 bytes, and `curl` follows its log from the beginning to its end, to /dev/null: as fast as the engine reads, so that a slow wire shows.
"""
FINDINGS = """
A call through the wire wakes one process more on each way: that, and not its work on the bytes, is what it costs. By `strace` the wire reads and writes once on each way, for Docker's list of 9 KiB as for a ping; what differs is that
it has slept for the 3.5 ms that dockerd makes the list, and a processor that has slept that long is slower to wake: 0.19 ms where a ping's is 0.08, a twentieth of the call. (Straight and wire took turns round by round before, and a difference of that size was lost in dockerd's own from second to second.) A log that is read back from the simulated engine comes at more than a live log ever has, two million lines a second,
and the second copy of each byte shows there; a live one is at most 600,000 lines a second (docs/benchmarks.md, the row of the simulated engine), which the wire must carry.
dockerd writes each line of a log by itself (`strace`: 100,000 writes of 115 bytes), and a wire that is always ready to read is woken for every few of them, beside the client that it wakes in turn: of its 1.5 µs a line the
parsing and the clearing of its buffer are a twentieth (`perf`), the rest is the kernel's waking and copying. So a log that comes in small pieces without a pause is left alone for 50 µs (and what the kernel's timer adds to it) after each piece,
and its lines gather in the socket: a third of the wake-ups, and two thirds of the processor time a line. Nothing but a log is ever left alone, and a log only while it is hot. The thread rests and not the task: a task that waits on a
timer leaves its socket in the runtime's epoll, which each line wakes all the same (measured: as many wake-ups as without a rest, or more).
"""
STRAIGHT, WIRE = "straight", "through the wire"
CALLS = {"/_ping": "ping", "/containers/json": "list"}
NOISE = ["/leakcheck", "noise", "--run", "bench", "--emitter", "e", "--lines-per-second", "max", "--line-bytes", "100"]
LINES = 100_000
# What one container writes at best, on either engine (`MAX_AT_A_TURN` of dockersim's process.rs): no live log is faster.
FASTEST = 600_000


def measure(bench):
    with Engine(bench) as engine:
        at = str(engine.socket)
        api("POST", "/images/create?fromSrc=-&repo=noise&tag=1", at=at)
        compare(bench, "simulated engine", at, "noise:1")
    try:
        image = containers.ensure_image()
    except Absent as why:
        bench.absent("Docker engine", str(why))
        return
    compare(bench, "Docker engine", SOCKET, image)
    containers.remove_all()


def compare(bench, engine, at, image):
    """All contenders in front of one engine, which has containers to list."""
    idle = containers.body(image, ["/leakcheck", "noise", "--lines-per-second", "0"])
    writer = containers.body(image, [*NOISE, "--lines", str(LINES)])
    count = bench.pick(20, 5)
    made = containers.start_many([f"bench-wire-{os.getpid()}-{i}" for i in range(count)], lambda _: idle, at=at)
    made.append(containers.start(f"bench-wire-{os.getpid()}-writer", writer, at))
    try:
        wait_until(lambda: not api("GET", f"/containers/{made[-1]}/json", at=at)["State"]["Running"], 60, "the end of writing")
        with Wire(bench, at) as wire:
            ways = {STRAIGHT: at, WIRE: str(wire.socket)}
            of = lambda act: {name: (lambda socket: lambda: act(socket))(socket) for name, socket in ways.items()}
            for path, name in CALLS.items():
                bench.alternate(f"{name}, {engine}", latencies(bench, ways, path), rounds=10, least=4, budget=30)
                bench.goal(f"{name}, {engine}: latency that the wire adds", "<=", 0.1, added(bench, f"{name}, {engine}"), "ms")
            bench.alternate(f"followed log, {engine}", of(lambda socket: followed(socket, made[-1])), rounds=6, least=3, budget=15)
            bench.goal(f"followed log, {engine}: lines a second through the wire over what it must carry", ">=", 0.95, over_need(bench, f"followed log, {engine}"), "×")
    finally:
        containers.remove(made, at=at)


class Wire:
    """`leakcheck chaos` without a fault."""

    def __init__(self, bench, upstream):
        self.socket, script = bench.scratch / "wire.sock", bench.scratch / "faults.toml"
        script.write_text("")
        words = [EXE, "chaos", "--listen", self.socket, "--upstream", upstream, "--script", script]
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        wait_until(self.socket.exists, 20, "the wire")
        return self

    def __exit__(self, *_):
        end(self.process)


def latencies(bench, ways, path):
    """Both contenders, which take turns call by call: an engine's own time for a call differs more from second to second than a wire adds."""
    told = {}

    def of(name):
        if name not in told:
            told.update(measured(bench, ways, path))
        return told.pop(name)

    return {name: (lambda name: lambda: of(name))(name) for name in ways}


def measured(bench, ways, path):
    """The median of many calls on one connection for each way, in milliseconds."""
    connections = {name: UnixConnection(socket) for name, socket in ways.items()}
    times = {name: [] for name in ways}
    try:
        for turn in range(bench.pick(500, 100)):
            for name in list(ways) if turn % 2 else reversed(ways):
                began = time.perf_counter()
                connections[name].request("GET", path)
                connections[name].getresponse().read()
                times[name].append((time.perf_counter() - began) * 1000)
    finally:
        for connection in connections.values():
            connection.close()
    return {name: {"latency": (sorted(of)[len(of) // 2], "ms")} for name, of in times.items()}


def added(bench, case):
    """The spread of the differences, round by round."""
    pairs = zip(bench.values(case, WIRE, "latency"), bench.values(case, STRAIGHT, "latency"))
    differences = [wire - straight for wire, straight in pairs]
    return Spread.of(differences) if differences else None


def over_need(bench, case):
    """The wire's rate over the fastest log that is live, or the engine's own where that is slower; round by round."""
    pairs = zip(bench.values(case, WIRE, "rate"), bench.values(case, STRAIGHT, "rate"))
    ratios = [wire / min(straight, FASTEST) for wire, straight in pairs]
    return Spread.of(ratios) if ratios else None


def followed(socket, container):
    url = f"http://engine/containers/{container}/logs?stdout=1&stderr=1&follow=1"
    took_s, _, code = run_measured(["curl", "-sN", "--fail", "--unix-socket", socket, "-o", "/dev/null", url])
    if code != 0:
        raise RuntimeError(f"curl ended with {code}")
    return {"rate": (LINES / took_s, "lines/s")}
