"""What an operator does to connections: in slices, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from time import perf_counter

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import closed
from ma_signaling.core.errors import CloseCode
from ma_signaling.core.hub import Hub

SLICE_SECONDS = 0.005
"""What is done of it in one turn of the loop."""

STEP = 20
"""Connections between two looks at the clock."""

KICKED = closed(CloseCode.TRY_AGAIN_LATER, "Closed by the operator")
"""How a connection ends that was kicked: its peer comes back by itself, and calls go on."""


class Actions:
    """Kicks, and enforces bans."""

    def __init__(self, hub: Hub, reactor: IReactorTime) -> None:
        self._hub = hub
        self._reactor = reactor

    def kick(self, target: str) -> Deferred[int]:
        """Close the connection of a home, or those of an address; fires with how many were closed."""
        wanted = target.strip()
        name = wanted.upper()

        def kick_one(connection: Connection) -> bool:
            is_meant = wanted in (
                connection.address.text,
                connection.address.key,
                connection.id,
            ) or name in (
                connection.remote_id,
                connection.claim,
            )
            if connection.gone or not is_meant:
                return False
            self._hub.end(connection, KICKED)
            return True

        return self._each(kick_one)

    def enforce(self) -> Deferred[int]:
        """Close whoever may not be connected any more; fires with how many were closed."""
        return self._each(self._hub.enforce_access_of).addCallback(self._enforced)

    def _enforced(self, count: int) -> int:
        self._hub.registry.enforce_access()
        return count

    def _each(self, call: Callable[[Connection], bool]) -> Deferred[int]:
        remaining = iter(self._hub.connections())
        done: Deferred[int] = Deferred()
        self._slice(remaining, call, 0, done)
        return done

    def _slice(
        self,
        remaining: Iterable[Connection],
        call: Callable[[Connection], bool],
        count: int,
        done: Deferred[int],
    ) -> None:
        until = perf_counter() + SLICE_SECONDS
        while perf_counter() < until:
            batch = list(islice(remaining, STEP))
            if not batch:
                done.callback(count)
                return
            try:
                count += sum(map(call, batch))
            except Exception:  # noqa: BLE001 - whoever asked is told, and not left waiting
                done.errback()
                return
        self._reactor.callLater(0, self._slice, remaining, call, count, done)
