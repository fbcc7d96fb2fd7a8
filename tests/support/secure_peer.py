"""A ``SecureServer`` on one end of a socket pair, driven by the test, and OpenSSL in memory on the other end.

The peer's bytes can be cut and spoilt before they are sent.
"""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling.runtime.certificates import Certificates
from ma_signaling.transport.secure_sockets import SecureServer
from tests.support.waiting_reactor import WaitingReactor

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)


@implementer(IHalfCloseableProtocol)
class Heard(Protocol):
    """A protocol that keeps each received piece separately."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.has_read_all = False
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def readConnectionLost(self) -> None:
        self.has_read_all = True

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class CountedSocket:
    """A socket that counts how often it is written to."""

    def __init__(self, sock: socket.socket) -> None:
        self.writes = 0
        self._socket = sock

    def send(self, data: bytes) -> int:
        """Write to it."""
        self.writes += 1
        return self._socket.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class SecurePeer:
    """Both ends of one connection; no bytes move by themselves."""

    def __init__(
        self,
        certificates: Certificates,
        version: int = SSL.TLS1_3_VERSION,
        context: SSL.Context | None = None,
    ) -> None:
        self.reactor = WaitingReactor()
        ours, self.socket = socket.socketpair()
        self.socket.setblocking(False)
        self.wire = CountedSocket(ours)
        self.heard = Heard()
        self.server: Any = SecureServer(
            certificates,
            self.wire,
            self.heard,
            ("192.0.2.1", 1),
            SimpleNamespace(_realPortNumber=1),
            0,
            self.reactor,
        )
        self.heard.makeConnection(self.server)
        context = context or SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        self.tls = SSL.Connection(context)
        self.tls.set_connect_state()
        self.outcome: Any = None
        """How the server has ended the connection, None before."""
        self.received = b""
        """What the server has sent, decrypted."""
        self.records = 0
        """How many times there was something to decrypt."""
        self.is_closed = False
        """Whether the server has sent ``close_notify``."""

    def close(self) -> None:
        """Close both sockets."""
        self.socket.close()
        self.wire.close()

    def flight(self) -> bytes:
        """Return the bytes that the peer has to send."""
        try:
            return self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def deliver(self, data: bytes) -> None:
        """Send bytes as they are, and let the server read them."""
        if data and self.outcome is None:
            self.socket.send(data)
            self.turn()

    def turn(self) -> None:
        """Let the server read once."""
        self.outcome = self.outcome or self.server.doRead()

    def take(self) -> None:
        """Take all that the server has sent. Raises OpenSSL's error for it."""
        try:
            while data := self.socket.recv(1 << 20):
                self.tls.bio_write(data)
        except (BlockingIOError, ConnectionResetError):
            pass
        try:
            self.tls.do_handshake()
            while True:
                self.received += self.tls.recv(1 << 14)
                self.records += 1
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.is_closed = True

    def shake_hands(self) -> None:
        """Complete the handshake."""
        for _ in range(3):
            self.take()
            self.deliver(self.flight())
        self.take()

    def say(self, *messages: bytes) -> bytes:
        """Return the records for some messages, one for each."""
        for message in messages:
            self.tls.send(message)
        return self.flight()
