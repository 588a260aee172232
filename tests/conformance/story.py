"""What Docker's Python SDK sees of a container's life, as text: `story.py IMAGE`, on the engine of DOCKER_HOST."""

import sys
import threading

import docker
from docker.errors import APIError, NotFound

image = sys.argv[1]
label = {"leakcheck.run": image}
client = docker.from_env(version="1.41", timeout=60)


def say(what, value):
    print(f"{what}: {value}", flush=True)


say("ping", client.ping())
say("api", client.version()["ApiVersion"])
script = "echo first; echo second >&2; sleep 0.5; echo third; sleep 5; exit 3"
logs = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
config = docker.types.LogConfig(type=logs["Type"], config=logs["Config"])
made = client.containers.create(image, ["sh", "-c", script], name=f"{image}-sdk", labels=label, network_mode="none", log_config=config)
say("created", (made.name, made.status, made.labels))

seen, listening = [], threading.Event()
events = client.events(decode=True, filters={"label": f"leakcheck.run={image}", "type": "container"}, since=1)


def listen():
    for event in events:
        seen.append(event["Action"])
        listening.set()
        if event["Action"] == "destroy":
            return


listener = threading.Thread(target=listen, daemon=True)
listener.start()
listening.wait(60)
made.start()
# From before its end to its end.
followed = b"".join(made.logs(stream=True, follow=True, stdout=True, stderr=True))
say("followed", sorted(followed.decode().splitlines()))
say("waited", made.wait(timeout=60)["StatusCode"])
made.reload()
say("ended", (made.status, made.attrs["State"]["ExitCode"]))
say("standard error", made.logs(stdout=False, stderr=True))
say("tail", made.logs(tail=1))
say("stamped", [line.split(b" ", 1)[1] for line in made.logs(timestamps=True).splitlines()])
found = client.containers.list(all=True, filters={"label": f"leakcheck.run={image}"})
say("listed", [(one.name, one.status, one.image.tags) for one in found])
made.rename(f"{image}-sdk-too")
made.restart(timeout=1)
made.pause()
made.reload()
say("paused", made.status)
made.unpause()
made.kill()
say("killed", made.wait(timeout=60)["StatusCode"])
made.remove()
listener.join(60)
# A busy Docker hears of the pause after the unpause, takes it for a new one, and tells both again (its containerd's events are late).
told = [action for place, action in enumerate(seen) if action not in ("pause", "unpause") or action not in seen[:place]]
say("events", [action for action in told if action != "destroy"][-12:])
for what, ask in {
    "nobody": lambda: client.containers.get("leakcheck-nobody"),
    "no image": lambda: client.containers.create("leakcheck-no-such-image"),
}.items():
    try:
        ask()
    except (APIError, NotFound) as error:
        say(what, (type(error).__name__, error.status_code, error.explanation))
