"""The cost of a followed stream in the capture daemon: descriptors, tasks and memory at 55, 1,000 and 10,000 streams."""

import shutil
import subprocess

from harness import Absent
from machine import EXE, end, fds, status_kib, wait_until
from ports import free_port, metric

TITLE = "Capture: what a stream costs"
SECONDS = 70
HOW = """
`leakcheck engine --containers N` (simulated, so that thousands fit) with idle containers, and `leakcheck capture` on its socket, measured one second after all N streams are followed. The slope from 55 to 10,000 is the
cost of one stream.
"""
FINDINGS = """
The memory of a stream is its task, its socket's registration and its position. No buffer is held while the stream is silent.
"""
CASES = [55, 1_000, 10_000]


def measure(bench):
    sizes = bench.pick(CASES, CASES[:2])
    for count in sizes:
        bench.alternate(f"{count:,} streams", {"leakcheck capture": lambda: followed(bench, count)}, rounds=3, least=1)
    first, last = f"{sizes[0]:,} streams", f"{sizes[-1]:,} streams"
    for measure_name, bound, unit in (("descriptors", 1, ""), ("tasks", 1, ""), ("RSS", 16, "KiB")):
        ends = [bench.spread(case, "leakcheck capture", measure_name) for case in (first, last)]
        slope = round((ends[1].median - ends[0].median) / (sizes[-1] - sizes[0]), 4) if all(ends) else None
        bench.goal(f"{measure_name} for each further stream", "<=", bound, slope, unit)


def followed(bench, count):
    socket, port, output = bench.scratch / "engine.sock", free_port(), bench.scratch / "delivered"
    socket.unlink(missing_ok=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    engine = subprocess.Popen([str(w) for w in (EXE, "engine", "--socket", socket, "--containers", count, "--lines-per-second", 0)], **quiet)
    daemon = None
    try:
        wait_until(socket.exists, 20, "the simulated engine")
        command = [EXE, "capture", "--docker-host", f"unix://{socket}", "--output", output, "--listen", f"127.0.0.1:{port}"]
        daemon = subprocess.Popen([str(w) for w in command], **quiet)
        active = lambda: metric(port, "log_capturer_container_streams_active") >= count
        try:
            wait_until(active, 90, f"{count} streams", every=0.2)
        except TimeoutError as error:
            raise Absent(f"{error} (limit of open files?)") from error
        await_rest(daemon.pid)
        return {
            "descriptors": (fds(daemon.pid), ""),
            "tasks": (metric(port, "log_capturer_tasks"), ""),
            "RSS": (status_kib(daemon.pid, "VmRSS"), "KiB"),
        }
    finally:
        if daemon:
            end(daemon)
        end(engine)
        shutil.rmtree(output, ignore_errors=True)


def await_rest(pid):
    """Waits until descriptors stay what they are for a second: the scrape's own connection is gone a moment later."""
    seen = []

    def at_rest():
        seen.append(fds(pid))
        return len(seen) > 1 and seen[-1] == seen[-2]

    wait_until(at_rest, 10, "descriptors at rest", every=1)
