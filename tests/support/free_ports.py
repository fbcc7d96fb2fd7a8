"""Ports for servers that tests and benchmarks start."""

from __future__ import annotations

import socket
from contextlib import suppress
from itertools import cycle
from random import SystemRandom

# Below the ports that the system gives to connections, and at random, so that parallel runs hardly collide.
_ports = cycle(SystemRandom().sample(range(10_000, 32_000), 22_000))


def free_port() -> int:
    """Return a TCP port on which nobody listens, a different one each time."""
    for port in _ports:
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", port))
            break
    return port
