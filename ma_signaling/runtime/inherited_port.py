"""Unix sockets that systemd has opened, and hands to the next server: they stay as they are."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory


class InheritedUnixPort(unix.Port):
    """A Unix socket of somebody else's."""

    # As Twisted has it for other sockets that it takes over.
    _shouldShutdown = False

    @classmethod
    def adopt(cls, reactor: Any, fd: int, factory: IProtocolFactory, backlog: int) -> InheritedUnixPort:
        """Listen on ``fd``."""
        port: InheritedUnixPort = cls._fromListeningDescriptor(reactor, fd, factory)
        port.backlog = backlog
        # Twisted would change the mode of a path, and remove it at the end; a name without a path begins so.
        port._bindPath = b"\0" + port._bindPath
        port.startListening()
        return port


class InheritingReactor:
    """The reactor, for ``systemd:`` endpoints: but for that Unix sockets are each an ``InheritedUnixPort``."""

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
