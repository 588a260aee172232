"""The overhead of the fault proxy without faults: calls and a followed log, direct and through the proxy."""

import os
import subprocess
import time

import containers
from containers import SOCKET, UnixConnection, api
from harness import Absent, Spread
from machine import EXE, end, run_measured, wait_until
from simulated import Engine

TITLE = "The fault proxy without faults"
SECONDS = 90
HOW = """
`leakcheck chaos` with an empty script in front of an engine. Latency: one direct connection and one through the proxy alternate for 500 calls each. A round's figure is the median of its calls, and the
added latency is the difference within a round. 20 idle containers make the list. Followed log: a container has written 100,000 lines of 100 bytes, and `curl` follows its log from start to end, to
/dev/null, as fast as the engine reads.
"""
FINDINGS = """
A call through the proxy wakes one more process in each direction; that is its cost, not the work on the bytes. By `strace`, the proxy reads and writes once per direction, for a list of 9 KiB as for a ping. For
the list it has slept 3.5 ms while dockerd works, and a CPU that slept longer wakes later: 0.19 ms instead of 0.08 ms. The simulated engine replays a log at two million lines a second, more than a live log
ever has, so the second copy of each byte shows there. A live log has at most 600,000 lines a second. dockerd writes each line by itself (`strace`: 100,000 writes of 115 bytes). A proxy that is always
ready is woken for every few of them: of 1.5 µs per line, parsing is a twentieth (`perf`), the rest is waking and copying in the kernel. Therefore the proxy pauses for 50 µs after each small piece of a
busy log. That saves two thirds of the wake-ups and a third of the CPU time per line. The thread sleeps, not the task: a task that waits on a timer leaves its socket in epoll, which each line wakes.
"""
DIRECT, PROXY = "direct", "through the proxy"
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
    made = containers.start_many([f"bench-proxy-{os.getpid()}-{i}" for i in range(count)], lambda _: idle, at=at)
    made.append(containers.start(f"bench-proxy-{os.getpid()}-writer", writer, at))
    try:
        wait_until(lambda: not api("GET", f"/containers/{made[-1]}/json", at=at)["State"]["Running"], 60, "the end of writing")
        with FaultProxy(bench, at) as proxy:
            ways = {DIRECT: at, PROXY: str(proxy.socket)}
            of = lambda act: {name: (lambda socket: lambda: act(socket))(socket) for name, socket in ways.items()}
            for path, name in CALLS.items():
                bench.alternate(f"{name}, {engine}", latencies(bench, ways, path), rounds=10, least=4, budget=30)
                bench.goal(f"{name}, {engine}: latency added by the proxy", "<=", 0.1, added(bench, f"{name}, {engine}"), "ms")
            bench.alternate(f"followed log, {engine}", of(lambda socket: followed(socket, made[-1])), rounds=6, least=3, budget=15)
            bench.goal(f"followed log, {engine}: lines per second through the proxy over the required rate", ">=", 0.95, over_need(bench, f"followed log, {engine}"), "×")
    finally:
        containers.remove(made, at=at)


class FaultProxy:
    """`leakcheck chaos` without faults."""

    def __init__(self, bench, upstream):
        self.socket, script = bench.scratch / "proxy.sock", bench.scratch / "faults.toml"
        script.write_text("")
        words = [EXE, "chaos", "--listen", self.socket, "--upstream", upstream, "--script", script]
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        wait_until(self.socket.exists, 20, "the proxy")
        return self

    def __exit__(self, *_):
        end(self.process)


def latencies(bench, ways, path):
    """Both contenders, alternating call by call: the engine's own time varies more from second to second than the proxy adds."""
    pending = {}

    def of(name):
        if name not in pending:
            pending.update(measured(bench, ways, path))
        return pending.pop(name)

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
    pairs = zip(bench.values(case, PROXY, "latency"), bench.values(case, DIRECT, "latency"))
    differences = [proxy - direct for proxy, direct in pairs]
    return Spread.of(differences) if differences else None


def over_need(bench, case):
    """The proxy's rate over the fastest live log, or over the engine's own rate if that is slower; per round."""
    pairs = zip(bench.values(case, PROXY, "rate"), bench.values(case, DIRECT, "rate"))
    ratios = [proxy / min(direct, FASTEST) for proxy, direct in pairs]
    return Spread.of(ratios) if ratios else None


def followed(socket, container):
    url = f"http://engine/containers/{container}/logs?stdout=1&stderr=1&follow=1"
    took_s, _, code = run_measured(["curl", "-sN", "--fail", "--unix-socket", socket, "-o", "/dev/null", url])
    if code != 0:
        raise RuntimeError(f"curl ended with {code}")
    return {"rate": (LINES / took_s, "lines/s")}
