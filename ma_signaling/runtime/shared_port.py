"""Ports that several processes on one machine share (SO_REUSEPORT): the kernel deals connections out among them."""

from __future__ import annotations

import socket
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

LAST_COMERS_SECONDS = 1.0
"""How long those who came to a port just before it closed have to say what they want: a few round trips."""


class SharedPort(Port):
    """A port where other processes of the same user may listen as well, if they all share it."""

    is_dual = False
    """Whether IPv4 comes to it too, being one for IPv6, whatever the machine's default is."""

    def createInternetSocket(self) -> socket.socket:
        listener: socket.socket = super().createInternetSocket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.is_dual:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return listener

    def connectionLost(self, reason: Failure) -> None:
        # Who stands in the queue would be reset with it, unless the kernel is told to pass them on (tcp_migrate_req).
        # The queue holds one more than the backlog, at most.
        self.numberAccepts = self.backlog + 1
        self.doRead()
        super().connectionLost(reason)


class SharingReactor:
    """The reactor, for endpoints; each port that they open by TCP is a ``SharedPort``."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> SharedPort:
        opened = SharedPort(port, factory, backlog, interface, self._reactor)
        opened.startListening()
        return opened

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> SharedPort:
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - as what ``optional_parts`` has

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)

    def listen_everywhere(self, port: int, factory: IProtocolFactory, backlog: int) -> SharedPort:
        """Listen on every address of this machine, IPv6 and IPv4 alike where it has both."""
        is_dual = socket.has_dualstack_ipv6()
        opened = SharedPort(port, factory, backlog, "::" if is_dual else "", self._reactor)
        opened.is_dual = is_dual
        opened.startListening()
        return opened


class SharedPorts(Service):
    """Closes them before anybody is turned away: who comes then goes to another process, or waits for the next.

    And waits for those who came to this one last, so that they are served, and told to come back like everybody else.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self.ports: list[IListeningPort] = []
        self._reactor = reactor

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        had_some = bool(self.ports)
        closing = close(self.ports)
        if had_some:
            closing.addCallback(lambda _: deferLater(self._reactor, LAST_COMERS_SECONDS))
        return closing


def close(ports: list[IListeningPort]) -> Deferred[Any]:
    """Stop listening on all of them, and forget them."""
    stopping = [maybeDeferred(port.stopListening) for port in ports]
    ports.clear()
    return DeferredList(stopping)
