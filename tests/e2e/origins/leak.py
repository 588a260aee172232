"""Opens a socket and a file each 20 ms; keeps the socket, closes the file."""

import socket
import time

kept = []


def handle():
    kept.append(socket.socket())  # the leak
    open(__file__).close()


while True:
    handle()
    time.sleep(0.02)
