"""Reading container logs: lines per second and CPU time per line, with 1 and with 55 containers."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import containers
from containers import LABEL, SOCKET, api
from harness import LEAKCHECK, Absent
from machine import EXE, cpu_s, end, peer, run_measured, wait_until
from ports import free_port, metric

TITLE = "Capture: throughput and processor time"
SECONDS = 220
HOW = """
Containers have written stamped lines of 93 bytes: one container 400,000, or 55 containers 8,000 each. Then each contender reads their logs with timestamps. `curl` reads the bytes of
the API to /dev/null and decodes nothing. `docker logs -f` separates the streams, to /dev/null. The Docker SDK for Python follows each container in a thread and counts lines.
`leakcheck capture` follows, checks, and writes NDJSON to a file, or discards (`--sink discard`). curl, docker and the SDK read containers that have ended, so that they end too. capture
reads running ones, and its rate counts from its first lines to its last. CPU time is that of the reader (all processes). "engine's CPU" is dockerd's in the same time for the same lines,
and "own over engine's" is their ratio. Contenders alternate within each round.
"""
FINDINGS = """
The engine is the bottleneck. It decodes its JSON log and writes one HTTP chunk per line (7 to 12 µs of CPU time). Every reader is bounded by that, and on two cores a reader's own CPU time
lowers the rate.
"""
ONE, MANY = "1 container", "55 containers"


def measure(bench):
    image = containers.ensure_image()
    lines = bench.pick(400_000, 100_000)
    for case, count, each in ((ONE, 1, lines), (MANY, 55, lines // 50)):
        stage = written(bench, image, case, count, each)
        bench.alternate(case, contenders(bench, stage), rounds=5 if count == 1 else 4, least=3, budget=SECONDS / 2)
        containers.remove_all()
    for case in (ONE, MANY):
        if case == ONE:
            bench.goal("own processor time over the engine's for the same lines, as fast as the engine takes them", "<=", 0.5, bench.spread(case, LEAKCHECK, SHARE), "×")
        note_ratios(bench, case)
        for name in (LEAKCHECK, DISCARD):
            bench.goal(f"lines a second over curl's, {case}{'' if name == LEAKCHECK else ', discarding'}", ">=", 0.95, bench.ratio(case, "rate", name, "curl"), "×")
        bench.goal(f"processor time for a line over that of `docker logs -f`, {case}", "<", 1, bench.ratio(case, "CPU", LEAKCHECK, "docker logs -f"), "×")


DISCARD = "leakcheck, discarding"
SHARE = "own over engine's"


def note_ratios(bench, case):
    """Both sides of the goals in plain figures."""
    rates = [bench.spread(case, name, "rate") for name in (LEAKCHECK, "curl")]
    costs = [bench.spread(case, LEAKCHECK, measure) for measure in ("CPU", "engine's CPU")]
    if all(rates):
        bench.note(f"{case}: {rates[0].median:,.0f} lines/s, and {rates[1].median:,.0f} by `curl` in the same rounds.")
    if all(costs):
        bench.note(f"{case}: {costs[0].median:.2f} µs of own processor time for a line, and {costs[1].median:.2f} µs of the engine's.")


def engine_cpu_s():
    """Processor seconds of the engine that listens on the socket, ended threads included; None where it is no process of ours to look at."""
    found = containers.engine_pid()
    if found is None:
        return None
    fields = Path(f"/proc/{found}/stat").read_text().rsplit(") ", 1)[1].split()
    # utime and stime, fields 14 and 15 of proc_pid_stat(5); what follows the name begins with field 3.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stage:
    """Containers whose logs are written: some that ended, and as many that still run."""

    def __init__(self, ended, living, label, lines):
        self.ended, self.living, self.label, self.lines = ended, living, label, lines


def written(bench, image, case, count, each):
    """Containers that have written `each` lines."""
    label = f"{LABEL}-{count}"
    key, value = "leakcheck.bench.living", label.split("=")[1]
    noise = f"/leakcheck noise --run bench --emitter e --lines-per-second max --line-bytes 92 --lines {each - 1}"
    ended = lambda name: containers.body(image, ["/bin/bash", "-c", noise])
    living = lambda name: containers.body(image, ["/bin/bash", "-c", f"{noise}; exec sleep 3600"], {key: value}.items())
    names = [f"bench-{value}-{i}" for i in range(count)]
    first = containers.start_many([f"{n}-ended" for n in names], ended)
    second = containers.start_many([f"{n}-living" for n in names], living)
    for container in first:
        wait_until(lambda: not api("GET", f"/containers/{container}/json")["State"]["Running"], 60, f"{case}: writing", every=0.1)
    whole = f"e o {each} ".encode()
    for container in second:
        wait_until(lambda: whole in log_end(container), 60, f"{case}: writing", every=0.1)
    bench.note(f"{case}: {each:,} lines each.")
    return Stage(first, second, f"{key}={value}", each * count)


def log_end(container):
    connection = containers.UnixConnection(SOCKET)
    connection.request("GET", f"/containers/{container}/logs?stdout=1&stderr=1&tail=1")
    return connection.getresponse().read()


def contenders(bench, stage):
    def rates(wall, cpu):
        return {"rate": (stage.lines / wall, "lines/s"), "CPU": (cpu * 1e6 / stage.lines, "µs/line")}

    def with_engine(measure):
        """A contender, with what the engine spent meanwhile."""
        before = engine_cpu_s()
        measured = measure()
        if before is not None and (spent := engine_cpu_s() - before) > 0:
            measured["engine's CPU"] = (spent * 1e6 / stage.lines, "µs/line")
            measured[SHARE] = (measured["CPU"][0] / measured["engine's CPU"][0], "×")
        return measured

    def side_by_side(command):
        """One process for each container, all at one time; a shell waits for them, and their processor time is counted with its own."""
        script = " & ".join(command(c) for c in stage.ended) + " & wait"
        wall, cpu, code = run_measured(["bash", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if code != 0:
            raise Absent(f"{command('ID')} ended with {code}")
        return rates(wall, cpu)

    def sdk():
        began = time.monotonic()
        command = [peer("docker"), str(containers.Path(__file__).parent.parent / "peers" / "docker_follow.py"), *stage.ended]
        wall, cpu, code = run_measured(command, stdout=subprocess.DEVNULL)
        if code != 0:
            raise Absent(f"the SDK's follower ended with {code} after {time.monotonic() - began:.0f} s")
        return rates(wall, cpu)

    query = "stdout=1&stderr=1&timestamps=1&follow=1"
    return {
        LEAKCHECK: lambda: with_engine(lambda: capture(bench, stage, [])),
        "curl": lambda: with_engine(lambda: side_by_side(lambda c: f"curl -sN --unix-socket {SOCKET} -o /dev/null 'http://engine/containers/{c}/logs?{query}'")),
        "docker logs -f": lambda: side_by_side(lambda c: f"docker logs -f -t {c}"),
        "Docker SDK for Python": sdk,
        DISCARD: lambda: with_engine(lambda: capture(bench, stage, ["--sink", "discard"])),
    }


def capture(bench, stage, more):
    """The daemon from its first lines to its last; its processor time from its start."""
    output, port = bench.scratch / "delivered", free_port()
    command = [EXE, "capture", "--label", stage.label, "--output", output, "--listen", f"127.0.0.1:{port}", *more]
    daemon = subprocess.Popen([str(w) for w in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        read = lambda: metric(port, "log_capturer_lines_total")
        first = wait_until(read, 20, "the daemon's first lines", every=0.005)
        began = time.monotonic()
        wait_until(lambda: read() >= stage.lines, 60, "the daemon's last line", every=0.02)
        wall = time.monotonic() - began
        cpu = cpu_s(daemon.pid)
    finally:
        end(daemon)
        shutil.rmtree(output, ignore_errors=True)
    return {"rate": ((stage.lines - first) / wall, "lines/s"), "CPU": (cpu * 1e6 / stage.lines, "µs/line")}
