"""A real NATS server, nodes that meet through it, and a way to cut one of them off."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.free_ports import free_port
from tests.support.server_process import STARTS_WITHIN, STOPS_WITHIN, ServerProcess

BUFFER = 64 * 1024


class NatsServer:
    """`nats-server` on a free port, which stays the same when it is started again."""

    def __init__(self, configuration: str = "") -> None:
        """Take a configuration file's content."""
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._directory = Path(tempfile.mkdtemp(prefix="ma-signaling-nats-"))
        self._configuration = self._directory / "nats.conf"
        self._configuration.write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it listens."""
        program = Path(sys.executable).parent / "nats-server"
        command = [str(program), "-a", "127.0.0.1", "-p", str(self.port), "-c", str(self._configuration)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"nats-server does not listen\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOPS_WITHIN)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def configure(self, configuration: str) -> None:
        """Let it read another configuration."""
        self._configuration.write_text(configuration)
        os.kill(self.pid, signal.SIGHUP)

    def log(self) -> str:
        """Return its output."""
        return (self._directory / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


class Cable:
    """A TCP proxy to a port on this machine, which can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new ones through."""
        self._is_cut = True
        self._end()

    def mend(self) -> None:
        """Let new connections through."""
        self._is_cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_cut = True
        self._listener.close()
        self._end()

    def _end(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket()
            # A small buffer, so that a sender notices when its receiver doesn't read.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            try:
                far.connect(("127.0.0.1", self._to))
            except OSError:
                near.close()
                far.close()
                continue
            if self._is_cut:
                near.close()
                far.close()
                continue
            self._pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        one.close()


def node(nats_url: str, *options: str, reactor: str = "epoll") -> ServerProcess:
    """Return a node, not started yet, on which no peer meets the limits of an address."""
    unlimited = ["--lookups-per-minute", "0", "--connections-per-minute", "0", "--guesses-per-minute", "0"]
    unlimited += ["--silent-connections-per-address", "0"]
    return ServerProcess(
        "--nats-url", nats_url, *unlimited, *options, twistd_options=[f"--reactor={reactor}"]
    )


def obstacle(server: ServerProcess) -> str | None:
    """Return why a node isn't ready, as `/ready` says."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    answer: dict[str, str] = json.loads(reply.partition(b"\r\n\r\n")[2])
    return answer.get("reason")


def wait_until(condition: object, what: str, within: float = 15.0) -> None:
    """Poll `condition()` until it is true."""
    assert callable(condition)
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.05)


def wait_for_nodes(nodes: Sequence[ServerProcess], within: float = 15.0) -> None:
    """Wait until each node knows all others."""

    def all_known() -> bool:
        return all(each.get("/health")["cluster"]["nodes"] == len(nodes) for each in nodes)

    wait_until(all_known, "nodes that know each other", within)
