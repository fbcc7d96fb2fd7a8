"""Sockets that send at once what fits, in place of queueing it for the reactor's next turn.

Twisted's ``write`` queues, asks epoll to be told when the socket takes data, sends in the next turn, and asks no more:
two system calls and a turn for each message, although the socket nearly always has room.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.tcp import Port, Server


class DirectServer(Server):
    """One accepted connection."""

    # Twisted writes the client's address into both, for its own log lines; nobody here reads them.
    logstr = repstr = "a connection"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        del self.logstr, self.repstr

    def write(self, data: bytes) -> None:
        if (
            not self.connected
            or self.dataBuffer
            or self._tempDataLen
            or self.TLS
            or self._writeDisconnected
            or self._writeDisconnecting
        ):
            super().write(data)
            return
        sent = self.writeSomeData(data)
        if not isinstance(sent, int):
            # Broken; what is queued makes the reactor find out by itself, and not within this call.
            super().write(data)
        elif sent < len(data):
            super().write(data[sent:])


def write_directly(port: IListeningPort) -> None:
    """Let the connections that ``port`` accepts from now on send at once, if it is a TCP port."""
    if isinstance(port, Port) and port.transport is Server:
        accepted: Any = DirectServer
        port.transport = accepted
