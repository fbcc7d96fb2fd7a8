"""Transports whose protocol changes in flight, between WebSocket and HTTP on the same port."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.protocols.policies import ProtocolWrapper


def neighbour(transport: Any) -> str | None:
    """The IP address at the other end of a transport, None for a Unix socket."""
    host: str | None = getattr(transport.getPeer(), "host", None)
    return host


def hand_over(protocol: Any, successor: IProtocol) -> None:
    """Let ``successor`` go on with a protocol's transport; what was received already is for the caller to pass on."""
    transport = protocol.transport
    if isinstance(transport, ProtocolWrapper):
        # TLS, or the PROXY protocol, stands between the protocol and the socket.
        transport.wrappedProtocol = successor
    else:
        transport.protocol = successor
    successor.makeConnection(transport)
