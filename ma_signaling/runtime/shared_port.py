"""Ports that several processes on one machine share (SO_REUSEPORT): the kernel distributes connections."""

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
"""How long connections that were accepted just before a port closed have for their request: a few round trips."""


class SharedPort(Port):
    """A port on which other processes of the same user may listen as well."""

    is_dual = False
    """Whether an IPv6 port accepts IPv4 as well, whatever the machine's default is."""

    def createInternetSocket(self) -> socket.socket:
        listener: socket.socket = super().createInternetSocket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.is_dual:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return listener

    def connectionLost(self, reason: Failure) -> None:
        # Closing resets connections that wait to be accepted, unless the kernel migrates them (tcp_migrate_req). So
        # they are accepted first; the queue holds at most one more than the backlog.
        self.numberAccepts = self.backlog + 1
        self.doRead()
        super().connectionLost(reason)


class SharingReactor:
    """The reactor for endpoints, which opens each TCP port as a ``SharedPort``."""

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
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - see ``optional_parts``

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)

    def listen_everywhere(self, port: int, factory: IProtocolFactory, backlog: int) -> SharedPort:
        """Listen on every address of this machine, both IPv6 and IPv4 if it has both."""
        is_dual = socket.has_dualstack_ipv6()
        opened = SharedPort(port, factory, backlog, "::" if is_dual else "", self._reactor)
        opened.is_dual = is_dual
        opened.startListening()
        return opened


class SharedPorts(Service):
    """Ports that are closed before any connection is: newcomers go to another process, or wait for the next.

    Stopping also waits for the last accepted connections, so that they are served, and closed like all others.
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
    """Stop listening on all ``ports``, and empty the list."""
    stopping = [maybeDeferred(port.stopListening) for port in ports]
    ports.clear()
    return DeferredList(stopping)
