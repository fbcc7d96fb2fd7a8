"""One connection of the generator: TCP, TLS and the part of RFC 6455 that is needed here.

A general WebSocket library would cost more per connection than the servers do, and would be measured instead of them.
These peers speak unfragmented text frames up to 64 KiB, ping, pong and close.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from errno import EALREADY, EINPROGRESS

from benchmarks import texts
from benchmarks.loop import WRITABLE, Loop, Unexpected
from benchmarks.secure import Secure, trusting_context
from ma_signaling.transport.payloads import apply_mask

OPENED = b"(opened)"
GONE = b"(gone)"
REFUSED = b"(refused)"
"""What a peer hears besides messages: the upgrade was accepted; TCP has ended; the upgrade was refused."""

PING = b'{"type":"ping"}'
TEXT_FRAME, CLOSE_FRAME, PING_FRAME, PONG_FRAME = 0x81, 0x88, 0x89, 0x8A
GOODBYE = (1000).to_bytes(2, "big")
CHUNK = 1 << 16

IP_BIND_ADDRESS_NO_PORT = 24
PORTS_OF_AN_ADDRESS = 5000
"""Connections per loopback address of ours: the kernel searches long for a port when most are taken."""

_mask = os.urandom(4)


def frame(kind: int, payload: bytes) -> bytes:
    """Return a masked frame. All frames share one mask, which is as much work for a server as different ones."""
    size = len(payload)
    if size < 126:
        return b"%c%c%b%b" % (kind, 0x80 | size, _mask, apply_mask(payload, _mask))
    return b"%c\xfe%c%c%b%b" % (kind, size >> 8, size & 255, _mask, apply_mask(payload, _mask))


class Place:
    """A running server, as its peers see it: where to connect, and how."""

    def __init__(self, loop: Loop, port: int, *, secure: bool) -> None:
        self.loop = loop
        self.tls = trusting_context() if secure else None
        self._server = ("127.0.0.1", port)
        self._connections = 0

    def connect(self) -> tuple[socket.socket, bool]:
        """Return a new socket, and whether it is connected already; if not, it becomes writable when it is."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # As browsers and Music Assistant do. Otherwise a peer's message would wait for the server's next one.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own = self._connections // PORTS_OF_AN_ADDRESS % 200
        self._connections += 1
        if own:
            connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((f"127.0.0.{1 + own}", 0))
        error = connection.connect_ex(self._server)
        if error == EINPROGRESS:
            # On loopback it is connected by now, unless the server's queue is full; a second call tells.
            error = connection.connect_ex(self._server)
        if error not in {0, EALREADY}:
            connection.close()
            raise OSError(error, os.strerror(error))
        return connection, error == 0


class Peer:
    """One connection. ``hear`` is called with each message, and with OPENED, GONE and REFUSED."""

    HEAD = texts.CLIENT_HEAD

    __slots__ = (
        "_is_open",
        "_is_prepared",
        "_loop",
        "_rest",
        "_says_goodbye",
        "_secure",
        "_socket",
        "address",
        "hear",
    )

    def __init__(self) -> None:
        self.address = texts.address()
        self.hear: Callable[[bytes], None] = surprised
        self._socket: socket.socket | None = None
        self._secure: Secure | None = None
        self._is_prepared = False

    def prepare(self, place: Place) -> None:
        """Do the work for TLS that is possible before connecting, so that less is left while the server is measured."""
        self._secure = Secure(place.tls) if place.tls is not None else None
        self._is_prepared = True

    def connect(self, place: Place) -> None:
        """Connect and request the upgrade; ``hear`` then gets OPENED, GONE or REFUSED."""
        self._loop = place.loop
        self._rest = b""
        self._is_open = self._says_goodbye = False
        self._socket, is_connected = place.connect()
        if not self._is_prepared:
            self.prepare(place)
        self._is_prepared = False
        if is_connected:
            self._loop.watch(self._socket.fileno(), self._readable)
            self._begin()
        else:
            self._loop.watch(self._socket.fileno(), self._connected, WRITABLE)

    def say(self, payload: bytes) -> None:
        """Send a text message."""
        self.write(frame(TEXT_FRAME, payload))

    def say_all(self, payloads: Iterable[bytes]) -> None:
        """Send text messages by one write; with TLS, each is a record of its own."""
        frames = [frame(TEXT_FRAME, payload) for payload in payloads]
        if self._secure is not None:
            frames = [self._secure.encrypt(each) for each in frames]
        self._send(b"".join(frames))

    def say_goodbye(self) -> None:
        """Send a close frame; ``hear`` gets GONE when TCP has ended."""
        self._says_goodbye = True
        self.write(frame(CLOSE_FRAME, GOODBYE))

    def vanish(self) -> None:
        """End TCP immediately; ``hear`` isn't called any more."""
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def write(self, data: bytes) -> None:
        """Send complete frames."""
        if self._secure is not None:
            data = self._secure.encrypt(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # GONE follows
        if sent != len(data):
            raise Unexpected("the server no longer reads")

    def _connected(self) -> None:
        assert self._socket is not None
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end()
            return
        self._loop.change(self._socket.fileno(), self._readable)
        self._begin()

    def _begin(self) -> None:
        if self._secure is None:
            self._send(self.HEAD % self.address.encode())
        else:
            self._send(self._secure.hello)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
        elif self._secure is None:
            self._received(data)
        else:
            self._received_secure(self._secure, data)

    def _received_secure(self, secure: Secure, data: bytes) -> None:
        if not secure.is_ready:
            self._send(secure.shake_hands(data))
            if not secure.is_ready:
                return
            self.write(self.HEAD % self.address.encode())
            data = b""
        data = secure.decrypt(data)
        if data:
            self._received(data)
        if secure.has_ended:
            self._send(secure.end())

    def _received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if not self._is_open:
            data = self._read_head(data)
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2
                if end < start:
                    break
                size = data[start - 2] << 8 | data[start - 1]
            stop = start + size
            if stop > end:
                break
            kind, payload = data[at], data[start:stop]
            at = stop
            if kind != TEXT_FRAME:
                self._control(kind, payload)
            elif payload != PING:
                self.hear(payload)
        self._rest = data[at:]

    def _read_head(self, data: bytes) -> bytes:
        """Read the answer to the upgrade request; return the bytes after it."""
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self._rest = data
        elif head.startswith(b"HTTP/1.1 101 ") and texts.ACCEPT in head:
            self._is_open = True
            self.hear(OPENED)
            return rest
        else:
            self.vanish()
            self.hear(REFUSED)
        return b""

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == PING_FRAME:
            self.write(frame(PONG_FRAME, payload))
        elif kind == CLOSE_FRAME:
            # The server ends TCP once both sides have sent a close frame.
            if not self._says_goodbye:
                self.write(frame(CLOSE_FRAME, payload[:2]))
        else:
            raise Unexpected(f"a frame {kind:#x}: {payload[:200]!r}")

    def _end(self) -> None:
        self.vanish()
        self.hear(GONE)


def surprised(payload: bytes) -> None:
    """Raise ``Unexpected``: a ``hear`` for peers that expect nothing."""
    raise Unexpected(f"nobody asked for {payload[:200]!r}")
