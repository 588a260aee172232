"""The machine and the programs on it: our executables, the peers' environment, what processes cost."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from harness import ROOT, WORK, Absent, log

# Peers from PyPI, in the versions that the figures were first taken with or newer.
PEERS = ["psutil", "docker", "prometheus-client", "pandas", "scipy"]

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EXE = TARGET / "release" / "leakcheck"
HOT_PATHS = TARGET / "release" / "hot-paths"
VENV = WORK / "venv"


def build():
    """Builds our programs as `cargo build --release` does, with the same features, so that a warm tree takes a second."""
    log("== building")
    subprocess.run(["cargo", "build", "--release", "--quiet", "--workspace", "--bins"], cwd=ROOT, check=True)


def install_peers():
    """Installs the Python peers once, one by one, so that one that cannot be had does not cost the others."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    for name in PEERS:
        if peer_version(name) is None:
            log(f"== installing {name}")
            subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", name], timeout=300, check=False)


def peer_version(name):
    """The installed version of a Python peer, or None."""
    code = f"import importlib.metadata as m; print(m.version('{name}'))"
    out = subprocess.run([VENV / "bin" / "python", "-c", code], capture_output=True, text=True, check=False)
    return out.stdout.strip() or None


def peer(*names):
    """The Python that has these peers.

    Raises Absent if one could not be installed.
    """
    for name in names:
        if peer_version(name) is None:
            raise Absent(f"pip could not install {name}")
    return str(VENV / "bin" / "python")


def facts():
    """What figures depend on."""
    cpu = next((l.split(":", 1)[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name")), "?")
    engine = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "engine": engine.stdout.strip() or "none",
        "python": platform.python_version(),
        "peers": {name: peer_version(name) for name in PEERS},
        "commit": commit.stdout.strip(),
    }


def cpu_s(pid):
    """Processor seconds of a living process: its threads' time on the processor in nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread that has just ended
    return total / 1e9


def status_kib(pid, name):
    """A value of /proc/PID/status in KiB: VmRSS, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def pss_kib(pid):
    """A process's share of memory: pages that several processes have are divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def run_measured(command, **options):
    """Runs a command to its end: (wall seconds, CPU seconds of it and the children that it waited for, exit code)."""
    began = time.monotonic()
    child = subprocess.Popen(command, **options)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, child.returncode


def wait_until(condition, seconds, what, every=0.02):
    """Polls until `condition()` is true and returns what it gave; TimeoutError says what was awaited."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {seconds} s")


def end(child, seconds=15):
    """Ends a child with SIGTERM, and with SIGKILL if it does not obey."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def events(folder):
    """The events of a run folder that is being written."""
    path = next(Path(folder).glob("*/*/events.jsonl"), None)
    lines = path.read_text().splitlines() if path else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            pass  # the line that is being written
    return found
