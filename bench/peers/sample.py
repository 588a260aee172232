"""One sample of {threads, FDs, RSS} with psutil or the Prometheus client: `sample.py psutil|prometheus PID COUNT` prints microseconds of processor time each."""

import sys
import time


def with_psutil(pid):
    import psutil

    process = psutil.Process(pid)

    def look():
        with process.oneshot():  # psutil's own way to read several values at one time
            return process.num_threads(), process.num_fds(), process.memory_info().rss

    return look


def with_prometheus(pid):
    from prometheus_client import CollectorRegistry, ProcessCollector

    collector = ProcessCollector(pid=lambda: pid, registry=CollectorRegistry())
    return lambda: list(collector.collect())


look = {"psutil": with_psutil, "prometheus": with_prometheus}[sys.argv[1]](int(sys.argv[2]))
count = int(sys.argv[3])
look()
began = time.process_time()
for _ in range(count):
    look()
print((time.process_time() - began) * 1e6 / count)
