"""relay answers GET /job by asking a slow backend over a connection of its own; standard library only.

With LEAK=1 it has a leak that Python daemons have: what is remembered for each job under way is forgotten when the job
succeeds, and only then. Every fourth job fails, and its connection stays open for as long as the process lives.
"""

import itertools
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEAK = bool(os.environ.get("LEAK"))

# Connections of jobs under way, so that they could be listed or cancelled.
under_way = {}
numbers = itertools.count(1)


def backend(listener):
    """Answers every job but each fourth, which it refuses by closing the connection. One thread, one job at a time."""
    while True:
        connection, _ = listener.accept()
        with connection:
            number = int(connection.recv(64) or b"0")
            if number % 4:
                connection.sendall(b"done\n")


def job(address):
    """The backend's answer, or None if it refused."""
    number = next(numbers)
    connection = socket.create_connection(address, timeout=5)
    under_way[number] = connection
    try:
        connection.sendall(str(number).encode())
        answer = connection.recv(64)
        if not answer:
            raise ConnectionError(f"job {number} was refused")
    except OSError:
        if not LEAK:
            forget(number)
        return None
    forget(number)
    return answer


def forget(number):
    under_way.pop(number).close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"ok\n"
        if self.path == "/job":
            body = job(self.server.backend) or b"try again later\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """No line for each request."""


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=backend, args=[listener], name="backend", daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.backend = listener.getsockname()
    server.serve_forever()


if __name__ == "__main__":
    main()
