"""A log collector on Docker's own Python SDK (https://pypi.org/project/docker/), as one is written in an afternoon:
a thread follows each container and appends its lines to one file.

usage: collect.py FILE [LABEL]; the engine is DOCKER_HOST's or the default socket.
"""

import os
import sys
import threading

import docker

client = docker.from_env()
followed = set()
guard = threading.Lock()


def follow(container, out):
    """Appends every line of a container to the file, whole: a frame may end within a line."""
    rest = b""
    for piece in container.logs(stream=True, follow=True):
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        os.write(out, whole + newline)
    os.write(out, rest)


def begin(container, out):
    with guard:
        if container.id in followed:
            return
        followed.add(container.id)
    name = f"follow-{container.short_id}"
    threading.Thread(target=follow, args=[container, out], name=name, daemon=True).start()


def main():
    out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    chosen = {"label": sys.argv[2]} if len(sys.argv) > 2 else {}
    # Asked for first, so that a container that starts during the list is not missed.
    events = client.events(decode=True, filters={"type": "container", "event": "start", **chosen})
    for container in client.containers.list(filters=chosen):
        begin(container, out)
    print("following", flush=True)
    for event in events:
        try:
            begin(client.containers.get(event["id"]), out)
        except docker.errors.NotFound:
            pass


if __name__ == "__main__":
    main()
