"""Transports whose protocol changes in flight, between WebSocket and HTTP on the same port."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.protocols.policies import ProtocolWrapper


def neighbour(transport: Any) -> str | None:
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
        waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # noqa: SLF001
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
