"""A port that several processes share: the kernel's part."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.listening import BACKLOG
from ma_signaling.runtime.shared_port import LAST_COMERS_SECONDS, SharedPort, SharedPorts, SharingReactor
from ma_signaling.transport.sockets import DirectServer, prepare
from tests.support.server_process import STARTS_WITHIN


class Still(Clock):
    """A reactor whose turns are the test's: sockets are real, and nothing looks at them by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Any] = []

    def close(self) -> None:
        for transport in self.accepted:
            transport.abortConnection()
        self.advance(0)

    def addReader(self, reader: object) -> None:
        """Nobody reads."""

    addWriter = removeReader = removeWriter = addReader


class Greeter(Protocol):
    """Says something to whoever is accepted."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"direct" if isinstance(transport, DirectServer) else b"usual")
        # Nothing but the reactor would close it, and that stands still.
        transport.reactor.accepted.append(transport)


def greeters() -> Any:
    factory = Factory.forProtocol(Greeter)
    factory.noisy = False
    return factory


class SharedPortTest(SynchronousTestCase):
    """Sockets and their options."""

    def setUp(self) -> None:
        self.reactor: Any = Still()
        self.addCleanup(self.reactor.close)
        self.sharing = SharingReactor(self.reactor)

    def connect(self, host: str, port: SharedPort) -> socket.socket:
        """A connection that the kernel has accepted, and nobody else yet."""
        client = socket.create_connection((host, port.getHost().port), STARTS_WITHIN)
        self.addCleanup(client.close)
        return client

    def test_everywhere(self) -> None:
        """As long a queue and as many addresses as a port that isn't shared; and another one beside it."""
        port = self.sharing.listen_everywhere(0, greeters(), BACKLOG)
        # Of a listening socket, tcpi_sacked is the length that its queue may have (linux/tcp.h).
        information = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        assert struct.unpack_from("=I", information, 28) == (BACKLOG,)
        beside = self.sharing.listen_everywhere(port.getHost().port, greeters(), BACKLOG)
        for host in ("127.0.0.1", "::1"):
            self.connect(host, port)
        for each in (port, beside):
            each.stopListening()
        self.reactor.advance(0)

    def test_who_stands_in_the_queue_is_served(self) -> None:
        """Closing the socket would reset them. And those who came last have a moment to say what they want."""
        port = self.sharing.listenTCP(0, greeters(), interface="127.0.0.1")
        prepare(port, 90)
        clients = [self.connect("127.0.0.1", port) for _ in range(20)]
        ports = SharedPorts(self.reactor)
        ports.ports.append(port)
        stopping = ports.stopService()
        clients += [self.connect("127.0.0.1", port) for _ in range(20)]
        self.reactor.advance(0)
        assert {client.recv(9) for client in clients} == {b"direct"}
        self.assertNoResult(stopping)
        self.reactor.advance(LAST_COMERS_SECONDS)
        self.successResultOf(stopping)

    def test_nothing_to_wait_for(self) -> None:
        self.successResultOf(SharedPorts(self.reactor).stopService())
