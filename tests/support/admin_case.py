"""The admin socket in memory: its site on a server in memory, with requests as bytes."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.admin.site import make_admin_site
from ma_signaling.monitoring import log_writer
from ma_signaling.monitoring.readiness import LoopLag
from tests.support.memory_server import Server


class UnixTransport(StringTransport):
    """A transport with what a Unix socket's transport has in addition."""

    dataBuffer = b""
    _tempDataLen = 0

    def abortConnection(self) -> None:
        self.disconnecting = True


class AdminTestCase(SynchronousTestCase):
    """A server, and its operator."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(log_writer.set_level, "info")
        self.server = Server(guesses_per_minute=2)
        self.hub = self.server.hub
        self.stops = 0
        self.wall = 1_800_000_000.0
        self.followers = Followers(lambda: self.wall)
        self.bans = BanFile(self.hub.bans, self.directory / "bans.json", lambda: self.wall)
        reactor: Any = self.server.clock
        self.site = make_admin_site(
            self.server.factory,
            self.server.readiness,
            LoopLag(reactor),
            self.followers,
            self.bans,
            self.stop,
        )

    def stop(self) -> None:
        self.stops += 1

    def open(self, method: str, target: str) -> tuple[Any, UnixTransport]:
        """Send a request; return the channel and its transport."""
        channel, transport = self.site.buildProtocol(None), UnixTransport()
        self.site.capacity.accept()
        channel.makeConnection(transport)
        channel.dataReceived(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return channel, transport

    def ask(self, method: str, target: str, status: int = 200) -> dict[str, Any]:
        """Send a request; return the JSON of its answer, which must have this ``status``."""
        _, transport = self.open(method, target)
        for _ in range(1000):
            if transport.value():
                break
            self.server.clock.advance(0)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), transport.value()
        answer: dict[str, Any] = json.loads(body)
        return answer
