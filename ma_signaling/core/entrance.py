"""Admission of sockets, HTTP requests and WebSockets: each is charged to its address, or refused."""

from __future__ import annotations

from ma_signaling.core.access import Access
from ma_signaling.core.capacity import Capacity, Socket, SocketPlace
from ma_signaling.core.ending import Closer
from ma_signaling.core.errors import FULL, NOT_ALLOWED, RESTARTING, WireError, rate_limited
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.expected_homes import ExpectedHomes
from ma_signaling.core.limits import Limits
from ma_signaling.core.peer import ClientAddress, Clock


class Entrance:
    """Admits or refuses what has yet to become a ``Connection``."""

    def __init__(
        self,
        clock: Clock,
        report: Report,
        access: Access,
        capacity: Capacity,
        limits: Limits,
        expected: ExpectedHomes,
        closer: Closer,
    ) -> None:
        self._clock = clock
        self._report = report
        self._access = access
        self._capacity = capacity
        self._limits = limits
        self._expected = expected
        self._closer = closer

    def accept(self, key: str, socket: Socket) -> SocketPlace | WireError | None:
        """Charge a new socket to the address ``key``; return its place, or the error to refuse it with.

        None: close it unanswered, since its address opens too many, or there is no room even for refusals.
        """
        if self._limits.arrivals.socket(key, self._clock.seconds()) > 0:
            self._report(Event.LIMIT_HIT, limit=Limit.SOCKETS_A_MINUTE)
            return None
        place = self._capacity.take(key, socket, is_returning=self._expected.is_expecting(key))
        if place is None and self._capacity.can_refuse_kindly:
            return self.full(key)
        return place

    def request(self, address: ClientAddress) -> float:
        """Charge an HTTP request and return 0; otherwise return the seconds until ``address`` may make one."""
        if address.is_exempt:
            return 0.0
        wait = self._limits.arrivals.request(address.key, self._clock.seconds())
        if wait > 0:
            self._report(Event.LIMIT_HIT, limit=Limit.REQUESTS_A_MINUTE)
        return wait

    def admit(self, address: ClientAddress, place: SocketPlace | None) -> WireError | None:
        """Return the error to refuse a WebSocket of ``address`` with, or None.

        ``place`` is that of its socket. A trusted proxy's socket has none: it gets one of ``address`` when the
        WebSocket opens, since the handshake may still fail.
        """
        if self._closer.is_draining:
            return RESTARTING
        if not self._access.may_connect(address):
            return NOT_ALLOWED
        now = self._clock.seconds()
        wait = 0.0 if address.is_exempt else self._limits.arrivals.websocket(address.key, now)
        if wait > 0:
            self._report(Event.LIMIT_HIT, limit=Limit.CONNECTIONS_A_MINUTE)
            return rate_limited(self._limits.refusals.add(address.key, now, wait))
        if place is not None or not self._capacity.is_full:
            return None
        is_returning = self._expected.is_expecting(address.key)
        if not self._capacity.has_place(address.key, is_returning=is_returning):
            self._report(Event.LIMIT_HIT, limit=Limit.CONNECTIONS)
            return self.full(address.key)
        return None

    def full(self, key: str | None) -> WireError:
        """Return the error for a connection of the address ``key`` that gets no place (None: a trusted proxy's)."""
        return FULL if key is None else self._limits.refusals.refuse(FULL, key, self._clock.seconds())
