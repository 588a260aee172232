"""Load generation: stamped lines against `yes` and a shell loop, with 1 and with 55 containers."""

import os
import re
import time

import containers
from harness import LEAKCHECK
from machine import wait_until

TITLE = "Load: lines per second into the engine"
SECONDS = 160
HOW = """
Containers wait for a file in a shared folder and then write lines of 100 bytes for three seconds, as fast as the engine accepts them: `leakcheck noise --lines-per-second max` with a stamp and a checksum per
line, GNU `yes`, and a shell loop of `echo`. Lines are counted in the engine's own log files, between their first and last timestamp.
"""
FINDINGS = """
The engine is the bottleneck for writers that fill the pipe, which `yes` and `leakcheck noise` do and the shell does not. Rounds differ with the machine: 0.83 to 1.16 times the lines of `yes` on an idle one. An earlier
version was behind `yes` by 5 % (0.945 to 0.963). Stamp and checksum cost 62 ns of CPU time per line with 55 containers, against some 2.5 µs in the engine. The lines themselves (`yes` with a stamped line:
1.01), the size of the executable (0.98) and the size of a write (0.92 to 0.98) did not explain it. Since the common prefix of an emitter's lines is built and summed once, and a write is 16 KiB of whole lines,
13 rounds gave 0.974.
"""
ONE, MANY = "1 container", "55 containers"
WRITE_S = 3
LINE = "y" * 100

WRITERS = {
    LEAKCHECK: f"/leakcheck noise --run bench --emitter $HOSTNAME --lines-per-second max --line-bytes {len(LINE)}",
    "yes": f"/usr/bin/yes {LINE}",
    "shell loop": f"eval 'while :; do echo {LINE}; done'",
}

# At each number the script of that number is run; the next one is awaited in sleep.
WAITING = "i=1; while :; do until [ -e /gate/$i ]; do /usr/bin/sleep 0.2; done; . /gate/$i; i=$((i+1)); done"


def measure(bench):
    image = containers.ensure_image()
    # A round of many differs more from the next than one of a single container.
    for case, count, share in ((ONE, 1, 0.3), (MANY, 55, 0.6)):
        stage = Stage(bench, image, count)
        contenders = {name: (lambda writer: lambda: stage.write(writer))(writer) for name, writer in WRITERS.items()}
        bench.alternate(case, contenders, rounds=6, least=3, budget=SECONDS * share)
        containers.remove_all()
        bench.goal(f"lines a second over those of `yes`, {case}", ">=", 0.95, bench.ratio(case, "rate", LEAKCHECK, "yes"), "×")


class Stage:
    """Containers at a gate."""

    def __init__(self, bench, image, count):
        self.gate = bench.scratch / f"gate-{os.getpid()}-{count}"
        self.gate.mkdir(parents=True)
        self.number = 0
        wanted = lambda name: containers.body(image, ["/bin/bash", "-c", WAITING], binds=[f"{self.gate}:/gate:ro"])
        names = [f"bench-noise-{os.getpid()}-{count}-{i}" for i in range(count)]
        self.logs = [containers.log_file(i) for i in containers.start_many(names, wanted)]

    def write(self, writer):
        """One round: what all containers together wrote, over the time from the first line to the last."""
        self.number += 1
        passed = self.gate / "next"
        passed.write_text(f"{writer} & p=$!; /usr/bin/sleep {WRITE_S}; kill $p; wait $p\n")
        passed.rename(self.gate / str(self.number))
        time.sleep(WRITE_S)
        self.await_silence()
        read = [of for of in map(read_log, self.logs) if of]
        for log in self.logs:
            os.truncate(log, 0)  # the engine appends
        lines = sum(n for n, _, _ in read)
        span_s = (max(last for _, _, last in read) - min(first for _, first, _ in read)) / 1e9
        return {"rate": (lines / span_s, "lines/s"), "containers": (len(read), "")}

    def await_silence(self):
        seen = []

        def silent():
            seen.append(sum(log.stat().st_size for log in self.logs))
            return len(seen) > 1 and seen[-1] > 0 and seen[-1] == seen[-2]

        wait_until(silent, 60, "the end of writing", every=0.5)


def read_log(path):
    """Lines, first and last time stamp (nanoseconds of the day) of a json-file log; None if it is empty."""
    lines = 0
    with path.open("rb") as log:
        first = log.readline()
        if not first:
            return None
        while piece := log.read(1 << 22):
            lines += piece.count(b"\n")
        log.seek(max(0, log.tell() - 4096))
        last = log.read().splitlines()[-1]
    return lines + 1, nanoseconds(first), nanoseconds(last)


def nanoseconds(record):
    hours, minutes, seconds, fraction = re.search(rb'"time":"[^T]+T(\d+):(\d+):(\d+)\.?(\d*)Z"', record).groups()
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 10**9 + int(fraction.ljust(9, b"0"))
