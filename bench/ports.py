"""Free ports and the daemon's own metrics."""

import http.client
import socket


def free_port():
    """A port on 127.0.0.1 that was free just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def metric(port, series):
    """The sum of a series at 127.0.0.1:port/metrics; 0 without an answer or a series."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read().decode()
        connection.close()
    except OSError:
        return 0
    lines = (line for line in body.splitlines() if line.startswith(series) and line[len(series)] in " {")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
