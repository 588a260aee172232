"""Follows containers with the Docker SDK for Python, a thread each, as its documentation shows: `docker_follow.py ID...` prints how many lines came."""

import os
import sys
import threading

import docker

engine = docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"), timeout=120)
counts = {}


def follow(name):
    lines = 0
    for piece in engine.containers.get(name).logs(stream=True, follow=True, timestamps=True):
        lines += piece.count(b"\n")
    counts[name] = lines


threads = [threading.Thread(target=follow, args=(name,)) for name in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(counts.values()))
