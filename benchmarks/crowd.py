"""Idle homes in a process of their own, since one process doesn't have enough descriptors for all peers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.homes import Home, all_arrive
from benchmarks.loop import Loop
from benchmarks.servers import NotReady, Server
from benchmarks.websocket import Place

READY = b"all have arrived"


class Crowd:
    """A context manager that keeps ``count`` idle homes connected to a server."""

    def __init__(self, server: Server, count: int) -> None:
        self._count = count
        command = [sys.executable, "-m", "benchmarks.crowd", str(server.port), str(count)]
        self._command = [*command, "TLS"] if server.tls else command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Crowd:
        """Return once all homes have arrived. Raises ``NotReady`` if they can't."""
        self._process = subprocess.Popen(
            self._command, cwd=Path(__file__).parent.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        if self._process.stdout.read(len(READY)) != READY:
            self.__exit__()
            raise NotReady(f"{self._count:,} homes could not arrive")
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


def hold(port: int, count: int, *, secure: bool) -> None:
    """Let homes arrive, write ``READY`` to stdout, and keep them connected until the parent process has ended."""
    parent = os.getppid()
    loop = Loop()
    all_arrive(Place(loop, port, secure=secure), [Home() for _ in range(count)])
    os.write(1, READY)
    while os.getppid() == parent:
        loop.pause(1)


if __name__ == "__main__":
    hold(int(sys.argv[1]), int(sys.argv[2]), secure=sys.argv[3:] == ["TLS"])
