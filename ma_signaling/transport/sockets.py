"""What connections do with their sockets and transports beyond what Twisted offers.

Twisted's ``write`` queues, asks epoll to be told when the socket takes data, sends in the next turn, and asks no more:
two system calls and a turn for each message, although the socket nearly always has room. A ``DirectServer`` sends at
once what fits. A busy peer's messages come several at a time, and mostly go to one other: what one read brings is sent
by one system call for each peer (``Cork``).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Port, Server
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure


class Cork:
    """While it is in, connections collect what they are to send."""

    def __init__(self) -> None:
        self.is_in = False
        self.collecting: list[DirectServer] = []

    def put_in(self) -> None:
        """Let connections collect; ``pull`` must follow before the reactor goes on."""
        self.is_in = True

    def pull(self) -> None:
        """Let every connection send what it has collected."""
        self.is_in = False
        collecting, self.collecting = self.collecting, []
        for connection in collecting:
            connection.send_collected()


cork = Cork()
"""The process's own: it has one reactor, in one thread."""


class DirectServer(Server):
    """One accepted connection."""

    # Twisted writes the client's address into both, for its own log lines; nobody here reads them.
    logstr = repstr = "a connection"
    _collected: list[bytes] | None = None
    _is_reading = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        del self.logstr, self.repstr

    def write(self, data: bytes) -> None:
        if self._collected is not None:
            self._collected.append(data)
        elif not self.connected or self._is_waiting():
            super().write(data)
        elif cork.is_in:
            self._collected = [data]
            cork.collecting.append(self)
        else:
            self._send(data)

    def doRead(self) -> Any:
        self._is_reading = True
        outcome = super().doRead()
        self._is_reading = False
        if self.disconnecting and outcome is None and self.connected and not self._aborting:
            if not self._is_waiting():
                return CONNECTION_DONE
            self.stopReading()
            self.startWriting()
        return outcome

    def readConnectionLost(self, reason: Failure) -> None:
        if self.disconnecting and not self._is_waiting():
            # What ``doRead`` ended, not the peer: protocols that outlive their peer's last byte needn't hear of it.
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def loseConnection(self) -> None:
        self.send_collected()
        if self._is_reading and self.connected and not self._is_waiting():
            # The reactor need not come back for it: it closes what a read ends with CONNECTION_DONE.
            self.disconnecting = 1
        else:
            super().loseConnection()

    def send_collected(self) -> None:
        """Send what was collected, if there is anything."""
        if self._collected is not None:
            data = b"".join(self._collected)
            del self._collected
            self._send(data)

    def _is_waiting(self) -> bool:
        """Whether something waits to be sent first, or is done of which this class knows little."""
        return bool(
            self.dataBuffer
            or self._tempDataLen
            or self.TLS
            or self._writeDisconnected
            or self._writeDisconnecting
        )

    def _send(self, data: bytes) -> None:
        try:
            sent = self.socket.send(data) if self.connected else 0
        except OSError:
            # Full, or broken; what is queued makes the reactor find out by itself, and not within this call.
            sent = 0
        if sent < len(data):
            super().write(data[sent:])


def write_directly(port: IListeningPort) -> None:
    """Let the connections that ``port`` accepts from now on send at once, if it is a TCP port."""
    if isinstance(port, Port) and port.transport is Server:
        accepted: Any = DirectServer
        port.transport = accepted


def peer_address(transport: Any) -> str | None:
    """The IP address at the other end of a transport, None for a Unix socket."""
    host: str | None = getattr(transport.getPeer(), "host", None)
    return host


def unsent(transport: Any, estimate: int) -> int:
    """How many bytes wait to be sent, ``estimate`` where a transport doesn't know.

    Twisted says when more than 64 KiB wait and when none do, and nothing in between.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    try:
        waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # noqa: SLF001 - nothing public says it
    except AttributeError:
        return estimate
    return waiting


def hand_over(protocol: Any, successor: IProtocol) -> None:
    """Let ``successor`` go on with a protocol's transport; what was received already is for the caller to pass on."""
    transport = protocol.transport
    if isinstance(transport, ProtocolWrapper):
        # TLS, or the PROXY protocol, stands between the protocol and the socket.
        transport.wrappedProtocol = successor
    else:
        transport.protocol = successor
    successor.makeConnection(transport)
