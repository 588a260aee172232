"""How fast the load writes into the engine: stamped noise against `yes` and a shell's loop, 1 and 55 containers."""

import os
import re
import time

import containers
from harness import LEAKCHECK
from machine import wait_until

TITLE = "Noise: lines a second into the engine"
SECONDS = 160
HOW = """
Containers wait at a gate (a file in a folder that they share) and then write lines of 100 bytes for three seconds, as fast as the engine takes them: `leakcheck noise --lines-per-second max` with
a stamp and a checksum on each line, GNU `yes`, and a loop of a shell's `echo`. Lines are counted in the engine's own log files, and the time is that between its first
and its last time stamp there.
"""
FINDINGS = """
The engine is the bottleneck for whoever writes whole pipes full at one time, which `yes` and the noise do and the shell does not. What differs from round to round is the machine: single rounds of 55 containers gave from
0.83 to 1.16 times the lines of `yes` on a quiet one, and 0.59 to 2.5 times beside other programs. In the median of 11 and more rounds each, the noise was behind `yes` by 5 % (0.945 to 0.963). Of that, by the
control groups' processor time, 2 % of the machine are the stamp and the checksum: 62 ns of the writer's for a line under 55 containers (43 ns alone), against some 2.5 µs in the engine. What it was not: the lines themselves (`yes` with a stamped line: 1.01), the
start of a larger executable (`yes` behind a `leakcheck --version`: 0.98), the size of a write (4 KiB 0.92; 8, 16, 32 and 64 KiB 0.94 to 0.98). Since what all lines of an emitter begin with is put together and summed once, and a write is 16 KiB that end with a whole line (less to keep in the processor's cache), 13 rounds gave 0.974. A larger pipe would
even the rounds out, and is not asked for: the kernel counts all pipes of a user together, and 55 containers would take the room of everybody's.
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
