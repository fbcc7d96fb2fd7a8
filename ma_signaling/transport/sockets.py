"""Sockets and transports, beyond what Twisted offers.

Twisted's ``write`` queues the data, registers the socket with epoll, sends in the next turn, and unregisters it: two
system calls and a turn for each message, although the socket nearly always has room. A ``DirectServer`` sends what fits
immediately. A busy peer's messages arrive several at a time, and mostly go to one other peer: the output that follows
from one read is sent by one system call for each peer (``Cork``).
"""

from __future__ import annotations

import socket
from fcntl import ioctl
from functools import cached_property
from sys import byteorder
from termios import FIONREAD, TIOCOUTQ
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

KERNEL_BYTES = 64 * 1024
"""How many bytes the kernel takes for a peer beyond those in flight (TCP_NOTSENT_LOWAT)."""

UNREAD_BYTES = 128 * 1024
"""How many unread bytes of a peer the kernel keeps (SO_RCVBUF); it doubles this, for its own use."""


class Cork:
    """While the cork is in, connections collect their output."""

    def __init__(self) -> None:
        self.is_in = False
        self.collecting: list[DirectServer] = []

    def put_in(self) -> None:
        """Let connections collect output; ``pull`` must follow before control returns to the reactor."""
        self.is_in = True

    def pull(self) -> None:
        """Let every connection send what it has collected."""
        self.is_in = False
        collecting, self.collecting = self.collecting, []
        for connection in collecting:
            connection.send_collected()


cork = Cork()
"""One for the process, which has one reactor, in one thread."""


class _Ignored:
    """An attribute that Twisted sets in each connection for its own log lines, which aren't used here."""

    def __get__(self, connection: DirectServer | None, owner: type[DirectServer]) -> str:
        return "a connection"

    def __set__(self, connection: DirectServer, value: object) -> None: ...


class DirectServer(tcp.Server):
    """An accepted connection, which sends what fits immediately, and counts what it receives."""

    logstr: Any = _Ignored()
    repstr: Any = _Ignored()
    sessionno: Any = _Ignored()
    _collected: list[bytes] | None = None
    is_read = True
    """Whether the reactor reads its socket: not while the protocol pauses it, nor once it is to be closed."""

    def __init__(self, *arguments: Any) -> None:
        # All attributes that a connection ever sets are set here. CPython has one table of names for all objects of a
        # class, to which it adds no name once some thirty objects were made. An object that needs another name gets a
        # table of its own, as large as the rest of the object.
        self.received = 0
        """How many bytes were read."""
        self._is_reading = False
        self.producer = None
        self.streamingProducer = False
        super().__init__(*arguments)
        del self._tempDataBuffer

    @cached_property
    def _tempDataBuffer(self) -> list[bytes]:  # type: ignore[override]
        """Twisted's queue of recent writes; made when needed, since each idle home would hold an empty list."""
        return []

    def write(self, data: bytes) -> None:
        if self._collected is not None:
            self._collected.append(data)
        elif cork.is_in and self.connected and not self._is_waiting():
            self._collected = [data]
            cork.collecting.append(self)
        else:
            self._send(data)

    def stopReading(self) -> None:
        self.is_read = False
        super().stopReading()

    def startReading(self) -> None:
        if not self.is_read:
            del self.is_read
        super().startReading()

    def unread(self) -> int:
        """Return how many unread bytes its socket holds."""
        return self._ask_kernel(FIONREAD)

    def unsent(self) -> int:
        """Return how many bytes are queued here or in the kernel, or not yet acknowledged by the peer's kernel."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen + self._ask_kernel(TIOCOUTQ)

    def doRead(self) -> Any:
        # Twisted's, in fewer calls: every event passes here.
        try:
            data = self.socket.recv(self.bufferSize)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return CONNECTION_LOST
        self._is_reading = True
        outcome = self._dataReceived(data)
        self._is_reading = False
        if self.disconnecting and outcome is None and self.connected and not self._aborting:
            if not self._is_waiting():
                return CONNECTION_DONE
            self.stopReading()
            self.startWriting()
        return outcome

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return CONNECTION_DONE
        self.received += len(data)
        self.protocol.dataReceived(data)
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        if self.disconnecting and not self._is_waiting():
            # ``doRead`` has ended it, not the peer: protocols for half-closed peers needn't hear of it.
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def loseConnection(self) -> None:
        self.send_collected()
        if self._is_reading and self.connected and not self._is_waiting():
            # No further turn is needed: ``doRead`` returns CONNECTION_DONE, and the reactor closes the socket.
            self.disconnecting = 1
        else:
            super().loseConnection()

    def send_collected(self) -> None:
        """Send the collected output, if there is any."""
        if self._collected is not None:
            self._send(self.take_collected())

    def take_collected(self) -> bytes:
        """Return the collected output, which the caller must send."""
        if self._collected is None:
            return b""
        data = b"".join(self._collected)
        del self._collected
        return data

    def _ask_kernel(self, request: int) -> int:
        return int.from_bytes(ioctl(self.fileno(), request, bytes(4)), byteorder) if self.connected else 0

    def _is_waiting(self) -> bool:
        """Return whether output is queued, or the connection is in a state that only Twisted's own code handles."""
        return bool(
            self.dataBuffer
            or self._tempDataLen
            or self.TLS
            or self._writeDisconnected
            or self._writeDisconnecting
        )

    def _send(self, data: bytes) -> None:
        """Send what fits immediately, and queue the rest."""
        try:
            sent = self.socket.send(data) if self.connected and not self._is_waiting() else 0
        except OSError:
            # Full or broken: with data queued the reactor finds out by itself, and not within this call.
            sent = 0
        if sent < len(data):
            super().write(data[sent:])


class DirectUnixServer(DirectServer, unix.Server):
    """A connection accepted by a Unix socket, from a proxy on this machine."""


def prepare(port: IListeningPort, silence_seconds: float) -> None:
    """Make the connections that ``port`` accepts from now on direct ones, if it is one of Twisted's own ports.

    They inherit options of the listening socket: the kernel keeps only so much for a peer that doesn't read, so that
    the rest is seen here, and gives up a peer that acknowledges nothing for ``silence_seconds``.
    """
    kept: Any = port
    if isinstance(port, tcp.Port) and kept.transport is tcp.Server:
        kept.transport = DirectServer
        for option, value in (
            (socket.TCP_NODELAY, 1),
            (socket.TCP_NOTSENT_LOWAT, KERNEL_BYTES),
            (socket.TCP_USER_TIMEOUT, int(silence_seconds * 1000)),
        ):
            kept.socket.setsockopt(socket.IPPROTO_TCP, option, value)
        kept.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    elif isinstance(port, unix.Port) and kept.transport is unix.Server:
        kept.transport = DirectUnixServer


def peer_address(transport: Any) -> str | None:
    """Return the IP address at the other end of a transport, None for a Unix socket."""
    host: str | None = getattr(transport.getPeer(), "host", None)
    return host


def unsent(transport: Any, estimate: int) -> int:
    """Return how many bytes wait to be sent, or ``estimate`` if a transport doesn't know.

    Twisted reports when more than 64 KiB wait and when none do, and nothing in between.
    """
    count = getattr(_socket_of(transport), "unsent", None)
    return estimate if count is None else int(count())


def received_and_unread(transport: Any) -> int | None:
    """Return how many bytes a transport will have received once everything that its socket holds now is read.

    None if the socket holds nothing, or that is unknown.
    """
    server = _socket_of(transport)
    unread = server.unread() if isinstance(server, DirectServer) else 0
    return server.received + unread if unread else None


def has_received(transport: Any, count: int) -> bool:
    """Return whether a transport has received ``count`` bytes, or can't, since its socket isn't read."""
    server = _socket_of(transport)
    if not isinstance(server, DirectServer) or not server.connected:
        return True
    return server.received >= count or not server.is_read


def _socket_of(transport: Any) -> Any:
    """Return the transport of the socket itself, below TLS and the PROXY protocol."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


def hand_over(protocol: Any, successor: IProtocol) -> None:
    """Let ``successor`` go on with a protocol's transport; the caller passes on what was received already."""
    transport = protocol.transport
    if isinstance(transport, ProtocolWrapper):
        # TLS or the PROXY protocol is between the protocol and the socket.
        transport.wrappedProtocol = successor
    else:
        transport.protocol = successor
    successor.makeConnection(transport)
