"""The hub of this server, where all messages of peers arrive. It knows nothing of sockets.

A message's way: ``Hub.received`` hands it to ``Router``, which parses it, charges it to a budget and routes it to
``Registry`` (who is who) or ``Sessions`` (who talks to whom); these send to peers. One synchronous pass.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.access import Access
from ma_signaling.core.bans import Bans
from ma_signaling.core.capacity import UNLIMITED, Capacity, SocketPlace
from ma_signaling.core.connection import Connection, Role, SilentConnections
from ma_signaling.core.ending import MAKE_WAY, RESTART, Ending, Meaning, closed
from ma_signaling.core.entrance import Entrance
from ma_signaling.core.errors import NOT_ALLOWED, REMOTE_ID_TAKEN, CloseCode
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.core.limits import Limits
from ma_signaling.core.lookups import Lookups
from ma_signaling.core.message_charges import Charges, Traffic, control_allowance
from ma_signaling.core.other_nodes import Elsewhere
from ma_signaling.core.peer import ClientAddress, Clock, LocalPeer
from ma_signaling.core.prover import Prover, Unavailable
from ma_signaling.core.registry import Registry
from ma_signaling.core.router import Router
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session import SessionState
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.token_bucket import Budget

NO_LONGER_ALLOWED = closed(CloseCode.POLICY, NOT_ALLOWED.text, NOT_ALLOWED, meaning=Meaning.GOODBYE)
"""How a connection ends that the access lists no longer permit."""


class Hub:
    """All connections, homes and sessions of this server."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        access: Access,
        wall: Callable[[], float] = time.time,
        elsewhere: Elsewhere | None = None,
        prover: Prover | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._control = control_allowance(settings)
        self._ids = count(1)
        elsewhere = elsewhere or Elsewhere()
        self._cluster_counts = elsewhere.counts
        self._connections: dict[Connection, None] = {}
        self._silent = SilentConnections()
        self.is_draining = False
        """Whether this server is going down: it accepts no connection, no registration and no session."""
        self.prover: Prover = prover or Unavailable("off")
        self.access = access
        self.bans = Bans(clock, access)
        self.capacity = capacity or Capacity(UNLIMITED)
        self.limits = Limits(settings)
        self.ice_servers = IceServers(settings)
        self.sessions = Sessions(
            settings, clock, report, self.limits, self.ice_servers, wall, elsewhere.relay
        )
        self.registry = Registry(
            settings,
            clock,
            report,
            access,
            self.sessions,
            self,
            elsewhere.announcements,
            elsewhere.claims,
            self.prover,
        )
        self.entrance = Entrance(
            clock, report, access, self.capacity, self.limits, self.registry.expected, self
        )
        self._contests = self.registry.contests.by_remote_id
        self.lookups = Lookups(
            settings, clock, report, self.limits, self.registry, access, self.sessions, self, elsewhere
        )
        self._charges = Charges(clock, report, self)
        self._router = Router(
            clock, report, self, self.registry, self.sessions, self.lookups, self._charges, elsewhere.relay
        )
        self.received = self._router.route
        """Handle one message (UTF-8 JSON) from a connection; an invalid one is answered with an error."""
        self.received_some = self._router.route_some
        """Handle one or more of several messages that arrived together, from the first on; return how many."""
        self.not_taken = self._router.not_taken
        """Tell a client that its home, on another node, had no room for its message."""

    def reconfigure(self) -> None:
        """Apply changed settings; existing budgets stay as they are."""
        self._control = control_allowance(self._settings)
        self.sessions.reconfigure()

    def connected(
        self, peer: LocalPeer, address: ClientAddress, place: SocketPlace | None = None
    ) -> Connection:
        """Add a connection whose WebSocket has opened; pass its messages to ``received``."""
        now = self._clock.seconds()
        connection = Connection(f"c{next(self._ids)}", peer, address, Budget(self._control, now), now)
        connection.place = place or self.capacity.take(address.key, peer, is_returning=True)
        connection.silent = self._silent
        self._connections[connection] = None
        max_silent = 0 if address.is_exempt else self._settings.silent_connections_per_address
        oldest = self._silent.add(connection, max_silent)
        if oldest is not None:
            self._report(Event.LIMIT_HIT, limit=Limit.SILENT_CONNECTIONS)
            self.end(oldest, MAKE_WAY)
        return connection

    def end(self, connection: Connection, how: Ending) -> None:
        """End a connection. Further calls for the same one do nothing."""
        if connection.gone:
            return
        connection.gone = True
        error = how.error or (how.error_if_waiting if self._is_waiting(connection) else None)
        if error is REMOTE_ID_TAKEN:
            error = self.limits.refusals.refuse(error, connection.address.key, self._clock.seconds())
        if how.meaning is not Meaning.RESTART and not connection.is_remote:
            self._say_why(connection, how)
        try:
            if error is not None:
                connection.peer.send(messages.error(error))
        finally:
            self._end(connection, how)

    def cutting(self, connection: Connection, reason: str) -> None:
        """Note why the transport is about to cut a connection; ``end`` follows."""
        if not connection.gone:
            connection.why = reason
            is_told = self._has_line(connection)
            self._report(Event.PEER_DROPPED, connection=connection.id, reason=reason, told=is_told)

    def _say_why(self, connection: Connection, how: Ending) -> None:
        connection.why = how.why or connection.why
        if how.code is not None:
            is_told = how.is_told or self._has_line(connection)
            code = int(how.code)
            self._report(
                Event.PEER_CLOSED, connection=connection.id, code=code, reason=how.reason, told=is_told
            )

    def _has_line(self, connection: Connection) -> bool:
        """Return whether a home or an open session ends with a connection, whose log line then says why."""
        session = self.sessions.by_client.get(connection)
        is_open = session is not None and session.state is SessionState.OPEN
        return is_open or connection.remote_id is not None

    def _end(self, connection: Connection, how: Ending) -> None:
        try:
            self._remove(connection, how.meaning)
        finally:
            if how.code is not None:
                connection.peer.close(how.code, how.reason)
            elif how.is_cut:
                connection.peer.drop()

    def _remove(self, connection: Connection, meaning: Meaning) -> None:
        """Remove a connection from all tables, and end or park what depends on it."""
        if not connection.is_remote:
            del self._connections[connection]
            self._silent.discard(connection)
            if connection.place is not None:
                connection.place.release()
        session = self.sessions.by_client.get(connection)
        try:
            if session is not None:
                self.sessions.client_gone(session, meaning)
        finally:
            self.registry.connection_gone(connection, meaning)

    def pong(self, connection: Connection, payload: bytes) -> None:
        """Handle a WebSocket pong: it may answer a probe."""
        if not connection.gone:
            contest = self._contests.get(connection.remote_id or "")
            if contest is not None:
                contest.probe.pong(payload)

    def connections(self) -> list[Connection]:
        """Return all connections to this node: those that wait for a verdict, then all others; the eldest first.

        So whoever ends them in this order gives no Remote ID to one that is about to end.
        """
        return sorted(self._connections, key=lambda connection: connection.claim is None)

    def enforce_access(self) -> Iterator[bool]:
        """End what ``access`` no longer permits, step by step; each step yields whether it closed a connection."""
        for connection in self.connections():
            is_over = not connection.gone and not self._may_stay(connection)
            if is_over:
                self.end(connection, NO_LONGER_ALLOWED)
            yield is_over
        for home in self.registry.homes():
            self.registry.enforce_access(home)
            yield False

    def drain(self, max_closed: int) -> bool:
        """Close up to ``max_closed`` connections with 1012 for a restart; return whether there are more.

        The first call answers all clients that wait; from then on no connection, registration or session is accepted.
        No peer is told that another one left, so calls live on.
        """
        first = () if self.is_draining else (self.sessions.drain, self.registry.drain)
        self.is_draining = True
        closing = list(islice(self._connections, max_closed))
        run_all((*first, *(partial(self.end, connection, RESTART) for connection in closing)))
        return bool(self._connections)

    def deliver(self, home: Connection, session_id: str, kind: str, payload: bytes, places: bytes) -> None:
        """Send a client a message of a home on another node. Raises ``Refused`` with the error for the home."""
        if not home.gone:
            self._router.deliver(home, session_id, kind, payload, places)

    def deliver_all(self, home: Connection, session_id: str, candidates: list[bytes], places: bytes) -> None:
        """Send a client ICE candidates of a home on another node."""
        if not home.gone:
            self._router.deliver_all(home, session_id, candidates, places)

    def charge_control_frame(self, connection: Connection) -> bool:
        """Charge a connection for a WebSocket ping or pong; return False if the frame is to be ignored."""
        return not connection.gone and self._charges.charge_control_frame(connection)

    def connections_by_role(self) -> dict[str, int]:
        """Count the connections by role; the cost grows with their number."""
        roles = Counter(connection.role for connection in self._connections)
        return {role.value: roles[role] for role in Role}

    def traffic(self) -> Iterator[tuple[str, Traffic]]:
        """Yield the received messages and bytes by message type."""
        return self._router.traffic()

    def own_counts(self) -> dict[str, int]:
        """Return the numbers of homes and sessions of this node."""
        return {
            "servers": self.registry.online,
            "clients": self.sessions.opening.open,
            "pendingClients": len(self.sessions) - self.sessions.opening.open,
        }

    def counts(self) -> dict[str, object]:
        """Return the numbers of ``/health``."""
        return {
            **self.own_counts(),
            "rateLimiter": self.limits.counts(),
            **self._cluster_counts(),
        }

    def _may_stay(self, connection: Connection) -> bool:
        return self.access.may_connect(connection.address) and all(
            self.access.may_register(remote_id)
            for remote_id in (connection.remote_id, connection.claim)
            if remote_id
        )

    def _is_waiting(self, connection: Connection) -> bool:
        """Return whether a client waits for the answer to its ``connect-request``."""
        session = self.sessions.by_client.get(connection)
        return session is not None and session.state is not SessionState.OPEN
