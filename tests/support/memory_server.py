"""A whole server in memory: the real factory on a fake clock, and clients made of frames."""

from __future__ import annotations

import json
import os
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.events import each_of
from ma_signaling.core.hub import Hub
from ma_signaling.core.prover import Prover
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.monitoring.metrics import Metrics
from ma_signaling.monitoring.readiness import Readiness
from ma_signaling.runtime.reload import LiveSettings
from ma_signaling.runtime.service import make_factory
from ma_signaling.transport.timers import TICK_SECONDS

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """Return a client's frame (RFC 6455 section 5.2)."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    size = len(payload)
    if size < 126:
        length = bytes([masked << 7 | size])
    elif size < 65536:
        length = bytes([masked << 7 | 126]) + size.to_bytes(2)
    else:
        length = bytes([masked << 7 | 127]) + size.to_bytes(8)
    if not masked:
        return head + length + payload
    mask = os.urandom(4)
    repeated = (mask * (size // 4 + 1))[:size]
    # As two long numbers: fast, and independent of the server's implementation.
    masked_payload = (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)
    return head + length + mask + masked_payload


class Transport(StringTransport):
    """A transport that can be aborted, and that a test can stop from draining."""

    aborted = False
    protocol: Any = None

    unsent: Any

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True

    def pauseProducing(self) -> None:
        if not self.disconnecting:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            super().resumeProducing()

    def setTcpNoDelay(self, enabled: bool) -> None: ...


class Server:
    """The server side; ``clock`` stands still unless a test advances it."""

    def __init__(self, prover: Prover | None = None, **overrides: Any) -> None:
        self.clock = Clock()
        self.settings = Settings(**{"start_grace": 0, **overrides})
        reactor: Any = self.clock
        metrics = self.metrics = Metrics()
        report = each_of(EventLog(self.settings.log_addresses, reactor), metrics)
        self.hub = Hub(self.settings, reactor, report, Access(), prover=prover)
        self.hub.ice_servers.secret = b"shared with the relay"
        self.readiness = Readiness()
        self.factory = make_factory(self.hub, self.settings, report, reactor, metrics, self.readiness)
        self.factory.keepalive.startService()
        self.factory.deadlines.startService()
        self.live = LiveSettings(self.settings, self.hub, self.factory)

    def advance(self, seconds: float) -> None:
        """Let time pass in the steps of a loop that never lags."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)

    def accept(self, host: str = "192.0.2.1") -> Socket:
        """Return a new TCP connection."""
        return Socket(self, host)

    def connect(self, host: str = "192.0.2.1", headers: bytes = b"") -> Socket:
        """Return a new WebSocket."""
        client = self.accept(host)
        client.send(UPGRADE + headers + b"\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 101 "), client.received
        return client

    def home(self, remote_id: str = "HOME", host: str = "192.0.2.1") -> Socket:
        """Return a registered home."""
        home = self.connect(host)
        home.say(type="register-server", remoteId=remote_id)
        assert home.heard() == [{"type": "registered", "remoteId": remote_id}]
        return home

    def session(self, home: Socket, host: str = "198.51.100.1") -> tuple[Socket, str]:
        """Return a client with an open session, and that session's ID."""
        client = self.connect(host)
        client.say(type="connect-request", remoteId="HOME")
        (announced,) = home.heard()
        home.say(type="session-ready", sessionId=announced["sessionId"])
        assert client.heard()[0]["type"] == "connected"
        return client, announced["sessionId"]

    def counts(self) -> dict[str, Any]:
        """Return the numbers of /health."""
        return self.hub.counts()


class Socket:
    """The client side of one connection."""

    def __init__(self, server: Server, host: str) -> None:
        address = IPv4Address("TCP", host, 50000)
        self.server = server
        self.transport = Transport(peerAddress=address)
        self.transport.protocol = cast("Any", server.factory.buildProtocol(address))
        self.transport.protocol.makeConnection(self.transport)
        self.received = b""

    @property
    def protocol(self) -> Any:
        """Return the transport's current protocol."""
        return self.transport.protocol

    def send(self, data: bytes) -> None:
        """Send bytes to the transport's current protocol; turns of the loop follow."""
        self.transport.protocol.dataReceived(data)
        self.server.clock.advance(0)

    def settle(self) -> None:
        """Let time pass until the server has read all that was sent; beyond a budget, it pauses."""
        while getattr(self.transport.protocol, "is_put_off", False) and not self.transport.disconnecting:
            self.server.advance(TICK_SECONDS)

    def say(self, **message: object) -> None:
        """Send a JSON message."""
        self.send(frame(TEXT, json.dumps(message).encode()))

    def read_head(self) -> bytes:
        """Return the reply to the request: status line and headers."""
        self._drain()
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        return head

    def frames(self) -> list[tuple[int, bytes]]:
        """Return the frames since the last call: opcodes and payloads."""
        self._drain()
        frames = []
        while self.received:
            opcode, size, start = self.received[0] & 15, self.received[1], 2
            if size == 126:
                size, start = int.from_bytes(self.received[2:4]), 4
            elif size == 127:
                size, start = int.from_bytes(self.received[2:10]), 10
            frames.append((opcode, self.received[start : start + size]))
            self.received = self.received[start + size :]
        return frames

    def heard(self) -> list[dict[str, Any]]:
        """Return the JSON messages among ``frames``."""
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == TEXT]

    def close_code(self) -> int | None:
        """Return the code of the close frame among ``frames``, if there is one."""
        codes = [int.from_bytes(payload[:2]) for opcode, payload in self.frames() if opcode == CLOSE]
        return codes[0] if codes else None

    def lose(self, *, clean: bool = False) -> None:
        """End TCP."""
        reason = (
            ConnectionDone() if clean else ConnectionAborted() if self.transport.aborted else ConnectionLost()
        )
        self.transport.protocol.connectionLost(Failure(reason))

    def _drain(self) -> None:
        self.received += self.transport.value()
        self.transport.clear()


class Reply:
    """One HTTP reply, parsed."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status_line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(self.status_line.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def json(self) -> Any:
        return json.loads(self.body)
