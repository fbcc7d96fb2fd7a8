"""An operator's actions on connections, done in slices so that no connection waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Set

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ma_signaling.core.access import BadEntry, parse_target
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import closed
from ma_signaling.core.errors import CloseCode
from ma_signaling.core.hub import Hub
from ma_signaling.core.remote_id import named
from ma_signaling.transport.slices import in_slices

KICKED = closed(CloseCode.TRY_AGAIN_LATER, "Closed by the operator")
"""How a kicked connection ends: its peer reconnects by itself, and calls go on."""


class Actions:
    """Kicks, and enforces bans."""

    def __init__(self, hub: Hub, reactor: IReactorTime) -> None:
        self._hub = hub
        self._reactor = reactor

    def kick(self, target: str) -> Deferred[int]:
        """Close the connection of a home, or those of an address; fires with the number of closed ones."""
        return in_slices(self._kick(spellings(target)), self._reactor)

    def enforce(self) -> Deferred[int]:
        """Close connections that bans no longer permit; fires with the number of closed ones."""
        return in_slices(self._hub.enforce_access(), self._reactor)

    def _kick(self, target: Set[str]) -> Iterator[bool]:
        for connection in self._hub.connections():
            is_meant = not connection.gone and _is_meant(connection, target)
            if is_meant:
                self._hub.end(connection, KICKED)
            yield is_meant


def spellings(target: str) -> Set[str]:
    """Return a target as an operator wrote it, and in its canonical form: ``2001:DB8::0`` is ``2001:db8::``."""
    text = target.strip()
    try:
        return {text, parse_target(text)}
    except BadEntry:
        return {text, named(text)}


def is_of_network(target: str) -> bool:
    """Return whether a target is an address or a network: only these have a dot or a colon."""
    return not {".", ":"}.isdisjoint(target)


def _is_meant(connection: Connection, target: Set[str]) -> bool:
    address = connection.address
    names = (address.text, address.key, connection.id, connection.remote_id, connection.claim)
    return not target.isdisjoint(names)
