"""A process that holds as many file descriptors as asked for and waits: `holder.py COUNT` prints `ready` and lives until its input ends."""

import os
import resource
import sys

wanted = int(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
while len(os.listdir("/proc/self/fd")) - 1 < wanted:
    for _ in range(wanted - len(os.listdir("/proc/self/fd")) + 1):
        os.dup(0)
print("ready", flush=True)
sys.stdin.read()
