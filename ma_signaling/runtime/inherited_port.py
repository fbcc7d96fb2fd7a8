"""Unix sockets that systemd has opened, and hands to the next server: they are left unchanged."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory


class InheritedUnixPort(unix.Port):
    """A listening Unix socket that belongs to systemd."""

    # The value that Twisted sets for other adopted sockets.
    _shouldShutdown = False

    @classmethod
    def adopt(cls, reactor: Any, fd: int, factory: IProtocolFactory, backlog: int) -> InheritedUnixPort:
        """Listen on ``fd``."""
        port: InheritedUnixPort = cls._fromListeningDescriptor(reactor, fd, factory)
        port.backlog = backlog
        # Twisted would change the mode of a path, and finally remove it; an abstract name, with a NUL, it leaves.
        port._bindPath = b"\0" + port._bindPath
        port.startListening()
        return port


class InheritingReactor:
    """The reactor for ``systemd:`` endpoints, which adopts Unix sockets as ``InheritedUnixPort``."""

    def __init__(self, reactor: Any, backlog: int) -> None:
        self._reactor = reactor
        self._backlog = backlog

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def adoptStreamPort(self, fd: int, family: int, factory: IProtocolFactory) -> IListeningPort:
        if family == socket.AF_UNIX:
            port: Any = InheritedUnixPort.adopt(self._reactor, fd, factory, self._backlog)
        else:
            port = self._reactor.adoptStreamPort(fd, family, factory)
        adopted: IListeningPort = port
        return adopted
