"""Containers for the bench: an image made of programs of this machine, labelled containers, and their removal.

Whatever is made here carries the label LABEL with this process's id, and `remove_all` removes it by that label alone.
"""

import http.client
import io
import json
import os
import socket
import struct
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from harness import Absent
from machine import EXE

# The engine that the docker CLI talks to.
SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
LABEL = f"leakcheck.bench={os.getpid()}"
IMAGE = f"leakcheck-bench:{os.getpid()}"

# The contenders that write inside containers: GNU yes, and a shell with its loop; sleep keeps a container alive.
PROGRAMS = ["/usr/bin/yes", "/bin/bash", "/usr/bin/sleep"]


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path, timeout=120):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def api(method, path, body=None, at=SOCKET):
    """One bare API call: its JSON, or None."""
    connection = UnixConnection(at)
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: HTTP {answer.status} {data[:200]!r}")
        return json.loads(data) if data.strip() else None
    finally:
        connection.close()


def require_engine():
    """Raises Absent where no Docker engine answers."""
    try:
        return api("GET", "/version")
    except OSError as error:
        raise Absent(f"no Docker engine at {SOCKET}: {error}") from error


def libraries(program):
    """The shared objects that a program is linked with."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    words = [word for line in out.splitlines() for word in line.split() if word.startswith("/")]
    return set(words)


def ensure_image():
    """Makes the bench's image once a process: leakcheck, yes, bash, sleep and what they are linked with."""
    require_engine()
    if docker("images", "-q", IMAGE).strip():
        return IMAGE
    files = {"/leakcheck": str(EXE)} | {program: program for program in PROGRAMS}
    for program in [str(EXE), *PROGRAMS]:
        files |= {path: path for path in libraries(program)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for inside, outside in files.items():
            data = Path(outside).read_bytes()
            entry = tarfile.TarInfo(inside.lstrip("/"))
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    command = ["docker", "import", "-c", f"LABEL {LABEL}", "-", IMAGE]
    subprocess.run(command, input=packed.getvalue(), check=True, capture_output=True, timeout=120)
    return IMAGE


def docker(*words, timeout=120):
    """The docker command: its standard output."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise OSError(f"docker {' '.join(words[:3])}: {done.stderr.strip()[:300]}")
    return done.stdout


def body(image, command, labels=(), binds=()):
    """What the engine is asked for: as confined as leakcheck's own load (crates/runner/src/docker.rs)."""
    key, value = LABEL.split("=")
    return {
        "Image": image,
        "Entrypoint": [command[0]],
        "Cmd": command[1:],
        "Labels": {key: value} | dict(labels),
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": 32 << 20,
            "PidsLimit": 32,
            "Binds": list(binds),
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1000g", "max-file": "1"}},
        },
    }


def start(name, wanted, at=SOCKET):
    """Creates and starts one container; its id."""
    made = api("POST", f"/containers/create?name={quote(name)}", wanted, at)["Id"]
    api("POST", f"/containers/{made}/start", at=at)
    return made


def start_many(names, wanted, in_flight=4, at=SOCKET):
    """Starts a container for each name, `in_flight` calls at one time; their ids in order."""
    with ThreadPoolExecutor(in_flight) as pool:
        return list(pool.map(lambda name: start(name, wanted(name), at), names))


def remove(ids, in_flight=4, at=SOCKET):
    """Removes containers by force."""
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(lambda i: api("DELETE", f"/containers/{i}?force=true&v=true", at=at), ids))


def engine_pid():
    """The process that listens on the socket; None where that is not the engine itself (a socket that systemd opened, a relay)."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(SOCKET)
        pid, _, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    name = Path(f"/proc/{pid}/comm")
    return pid if name.exists() and name.read_text().strip() == "dockerd" else None


def listed(label=LABEL):
    """The ids of all containers with a label."""
    filters = quote(json.dumps({"label": [label]}))
    return [c["Id"] for c in api("GET", f"/containers/json?all=true&filters={filters}")]


def log_file(container):
    """Where the engine keeps a container's log; Absent if we may not read it."""
    path = Path(api("GET", f"/containers/{container}/json")["LogPath"])
    if not os.access(path, os.R_OK):
        raise Absent(f"{path} cannot be read (are you root, and is the engine on this machine?)")
    return path


def remove_all(image=False):
    """Removes every container of this bench, and at the end its image."""
    if not os.path.exists(SOCKET):
        return
    try:
        remove(listed())
        if image:
            for found in docker("images", "-q", "--filter", f"label={LABEL}").split():
                docker("rmi", "-f", found)
    except OSError as error:
        print(f"not everything is removed (label {LABEL}): {error}", flush=True)
