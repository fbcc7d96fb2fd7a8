"""The heart: everything that arrives goes through here, and nothing in it knows of sockets.

A message's way: ``Hub.received`` hands it to ``Router``, which parses it, charges it to a budget and routes it to
``Registry`` (who is who) or ``Sessions`` (who talks to whom); these send to peers. One synchronous pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count, islice

from ma_signaling import messages
from ma_signaling.errors import BAD_MESSAGE, SERVER_DISCONNECTED, CloseCode, WireError, rate_limited
from ma_signaling.events import Event, Report
from ma_signaling.limits import Allowance, Budget, Limits
from ma_signaling.lookups import Lookups
from ma_signaling.peer import ClientAddress, Clock, Peer
from ma_signaling.registry import Registry
from ma_signaling.routing import Router
from ma_signaling.session import Connection
from ma_signaling.sessions import Sessions
from ma_signaling.settings import Settings
from ma_signaling.traffic import Traffic

LEAVING_SECONDS = 10.0
"""When to come back to a server that is going down."""


class Hub:
    """All connections, homes and sessions of this server."""

    def __init__(self, settings: Settings, clock: Clock, report: Report) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._control = Allowance(settings.control_rate, settings.control_burst)
        self._ids = count(1)
        self._connections: dict[Connection, None] = {}
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._is_leaving = False
        self.limits = Limits(settings)
        self._sessions = Sessions(settings, clock, report)
        self._registry = Registry(settings, clock, report, self._sessions, self)
        self.lookups = Lookups(clock, report, self.limits, self._registry, self._sessions.stories)
        self._router = Router(clock, report, self, self._registry, self._sessions, self.lookups)

    def admit(self, address: ClientAddress) -> float:
        """Make room for a new connection of ``address``; otherwise the seconds after which it may try again."""
        if self._is_leaving:
            return LEAVING_SECONDS
        wait = self.limits.connect(address.key, self._clock.seconds())
        if wait > 0:
            self._report(Event.LIMIT_HIT, limit="connections in a minute")
            return wait
        others = self._by_address.get(address.key, {})
        if 0 < self._settings.connections_per_address <= len(others):
            self._report(Event.LIMIT_HIT, limit="connections of an address")
            idle = next((c for c in others if not c.is_home and not c.is_client), None)
            if idle is None:
                return 1.0
            self.close(idle, CloseCode.TRY_AGAIN_LATER, "Too many connections from this address")
        return 0.0

    def connected(self, peer: Peer, address: ClientAddress) -> Connection:
        """A WebSocket has opened; hand what it brings to ``received``."""
        budget = Budget(self._control, self._clock.seconds())
        connection = Connection(f"c{next(self._ids)}", peer, address, budget)
        self._connections[connection] = None
        self._by_address.setdefault(address.key, {})[connection] = None
        return connection

    def gone(self, connection: Connection, goodbye: bool) -> None:
        """A connection has ended, by the peer's ``goodbye`` or by a break; a second call does nothing."""
        if connection.gone:
            return
        connection.gone = True
        del self._connections[connection]
        others = self._by_address[connection.address.key]
        del others[connection]
        if not others:
            del self._by_address[connection.address.key]
        if connection.session is not None:
            self._sessions.client_left(connection.session, goodbye)
        self._registry.connection_gone(connection, goodbye)

    def pong(self, connection: Connection, payload: bytes) -> None:
        """A WebSocket pong came."""
        if not connection.gone:
            self._registry.pong(connection, payload)

    def close(
        self, connection: Connection, code: CloseCode, reason: str, error: WireError | None = None
    ) -> None:
        """Close a connection, after ``error`` if there is one. Whoever waits for an answer gets one before."""
        if error is None and self._is_waiting(connection):
            error = rate_limited(1)
        if error is not None:
            connection.peer.send(messages.error(error))
        self._report(Event.PEER_CLOSED, connection=connection.id, code=int(code), reason=reason)
        self.gone(connection, goodbye=False)
        connection.peer.close(code, reason)

    def drop(self, connection: Connection) -> None:
        """Cut a connection without a close frame."""
        self.gone(connection, goodbye=False)
        connection.peer.drop()

    def failing(self, connection: Connection) -> None:
        """The WebSocket layer is about to close a connection that broke its rules."""
        if not connection.gone and self._is_waiting(connection):
            connection.peer.send(messages.error(BAD_MESSAGE))

    def say_goodbye(self, most: int) -> bool:
        """This server goes down: close up to ``most`` peers with 1012; returns whether there are more.

        Whoever waits gets an answer, and nobody is told that a peer left: calls live on.
        """
        self._is_leaving = True
        for connection in list(islice(self._connections, most)):
            if self._is_waiting(connection):
                connection.peer.send(messages.error(SERVER_DISCONNECTED))
            connection.gone = True
            del self._connections[connection]
            connection.peer.close(CloseCode.RESTARTING, "Server is restarting")
        return bool(self._connections)

    def received(self, connection: Connection, payload: bytes) -> None:
        """Take one message (UTF-8 JSON) from a connection; whatever is wrong with it is answered."""
        if not connection.gone:
            self._router.route(connection, payload)

    def charge_control_frame(self, connection: Connection) -> bool:
        """Charge a WebSocket ping or pong; False: ignore it."""
        return not connection.gone and self._router.charge_control_frame(connection)

    def snapshot(self, wall: float) -> bytes:
        """What should outlive this process (keyed hashes only); ``wall`` is the time by the calendar."""
        return self._registry.snapshot(wall)

    def restore(self, data: bytes, wall: float) -> None:
        """Go on from a snapshot. Raises ValueError for anything else."""
        self._registry.restore(data, wall)

    def connections_by_role(self) -> dict[str, int]:
        """How many connections are homes, clients, or neither (yet); it looks at each of them."""
        roles = Counter(
            "home" if c.is_home else "client" if c.is_client else "none" for c in self._connections
        )
        return {role: roles[role] for role in ("home", "client", "none")}

    def traffic(self) -> Iterator[tuple[str, Traffic]]:
        """What came, by type of message."""
        return self._router.traffic()

    def counts(self) -> dict[str, object]:
        """The numbers of /health."""
        return {
            "servers": self._registry.online,
            "clients": self._sessions.open,
            "pendingClients": len(self._sessions) - self._sessions.open,
            "rateLimiter": self.limits.counts(),
        }

    @staticmethod
    def _is_waiting(connection: Connection) -> bool:
        """Whether the peer waits for the answer to a connect-request."""
        return connection.session is not None and not connection.session.is_open
