"""Routing of messages to the handler of their type, which charges a budget, then acts or refuses.

The handlers of messages within sessions are in ``forwarding``, all others here. A new message type needs a handler, and
its answer in ``messages``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from ma_signaling.core import messages, remote_id
from ma_signaling.core.candidate_runs import CandidateRuns
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.ending import Closer
from ma_signaling.core.errors import (
    ALREADY_CLIENT,
    ALREADY_SERVER,
    BLOCKED,
    SERVER_DISCONNECTED,
    SERVER_NOT_FOUND,
    Refused,
    unknown_type,
)
from ma_signaling.core.events import Event, Report
from ma_signaling.core.forwarding import Forwarding, hears
from ma_signaling.core.lookups import BLOCKED_NOW, Lookups
from ma_signaling.core.message_charges import Charges, OverBudget, Traffic
from ma_signaling.core.messages import Message
from ma_signaling.core.other_nodes import Relay
from ma_signaling.core.peer import Clock
from ma_signaling.core.registry import Registry
from ma_signaling.core.session_trace import End
from ma_signaling.core.sessions import Sessions

_Handler = Callable[[Connection, Message, bytes], None]


class Router:
    """Handles the messages of all connections."""

    def __init__(
        self,
        clock: Clock,
        report: Report,
        closer: Closer,
        registry: Registry,
        sessions: Sessions,
        lookups: Lookups,
        charges: Charges,
        relay: Relay,
    ) -> None:
        self._report = report
        self._closer = closer
        self._registry = registry
        self._sessions = sessions
        self._lookups = lookups
        self._charges = charges
        self._charge = charges.charge
        self._contests = registry.contests.by_remote_id
        forwarding = Forwarding(clock, report, sessions, charges, relay)
        self.deliver = forwarding.deliver
        self.not_taken = forwarding.not_taken
        handlers: dict[str, _Handler] = {
            "offer": forwarding.forward,
            "answer": forwarding.forward,
            "ice-candidate": forwarding.forward,
            "session-ready": forwarding.session_ready,
            "register-server": self._register_server,
            "connect-request": self._connect_request,
            "ping": self._ping,
            "pong": self._pong,
        }
        self._routes = {type: (handler, Traffic()) for type, handler in handlers.items()}
        traffic = self._routes["ice-candidate"][1]
        runs = CandidateRuns(clock, sessions, self._contests, traffic, relay)
        self._take_run, self._deliver_run = runs.take, runs.deliver
        self._other: tuple[_Handler, Traffic] = (self._unknown, Traffic())

    def route_some(self, connection: Connection, payloads: list[bytes]) -> int:
        """Handle messages from the start of ``payloads``; return how many: one, or a run of candidates."""
        taken, message = self._take_run(connection, payloads) if len(payloads) > 1 else (0, None)
        if taken and message is None:
            return taken
        self.route(connection, payloads[taken], message)
        return taken + 1

    def route(self, connection: Connection, payload: bytes, message: Message | None = None) -> None:
        """Handle one message (UTF-8 JSON) from a connection; an invalid one is answered with an error.

        ``message`` is the parsed ``payload``, if it was parsed already.
        """
        if connection.gone:
            return
        if self._contests and connection.remote_id in self._contests:
            self._contests[connection.remote_id].probe.message()
        kind = ""
        try:
            try:
                if message is None:
                    message = messages.parse(payload)
            except Refused as refused:
                self._other[1].count(connection.remote_id is not None, len(payload))
                self._charges.unreadable(connection, refused.error)
                raise
            kind = message["type"]
            handle, traffic = self._routes.get(kind, self._other)
            # ``Traffic.count`` inlined, for speed.
            tally = traffic.from_clients if connection.remote_id is None else traffic.from_homes
            tally.messages += 1
            tally.bytes += len(payload)
            handle(connection, message, payload)
        except Refused as refused:
            if hears(connection, kind):
                connection.peer.send(messages.error(refused.error))
            else:
                self._report(Event.MESSAGE_DROPPED, reason=refused.error.code)
        except OverBudget as over:
            is_silent = not hears(connection, kind)
            self._charges.exceeded(connection, over.budget, len(payload), is_silent=is_silent)

    def deliver_all(self, home: Connection, session_id: str, candidates: list[bytes], places: bytes) -> None:
        """Send a client candidates of a home on another node; ``places`` has one byte for each."""
        if self._deliver_run(home, session_id, candidates, places):
            return
        for candidate, place in zip(candidates, places, strict=True):
            with suppress(Refused):
                self.deliver(home, session_id, "ice-candidate", candidate, bytes((place,)))

    def traffic(self) -> Iterator[tuple[str, Traffic]]:
        """Yield the traffic by message type; "other" has unknown types and unreadable messages."""
        for type, (_, traffic) in self._routes.items():
            yield type, traffic
        yield "other", self._other[1]

    def _unknown(self, connection: Connection, message: Message, payload: bytes) -> None:
        self._charge(connection)
        raise Refused(unknown_type(message["type"]))

    def _ping(self, connection: Connection, message: Message, payload: bytes) -> None:
        self._charge(connection)
        connection.peer.send(messages.PONG)

    def _pong(self, connection: Connection, message: Message, payload: bytes) -> None:
        self._charge(connection)

    def _register_server(self, connection: Connection, message: Message, payload: bytes) -> None:
        self._charge(connection)
        if connection.role is Role.CLIENT:
            raise Refused(ALREADY_CLIENT)
        spelling = remote_id.normalise(message.get("remoteId"))
        name = remote_id.canonical(spelling)
        if (connection.claim or connection.remote_id) not in (None, name):
            self._lookups.change(connection.address)
        connection.spelling = spelling if spelling != name else None
        self._registry.register(connection, name, messages.ice_servers(message))

    def _connect_request(self, connection: Connection, message: Message, payload: bytes) -> None:
        self._charge(connection)
        if connection.role is Role.HOME:
            raise Refused(ALREADY_SERVER)
        name = remote_id.wanted(message.get("remoteId"))
        try:
            home = self._lookups.find(connection.address, name)
        except Refused as refused:
            if refused.error is not BLOCKED:
                raise
            self._closer.end(connection, BLOCKED_NOW)
            return
        session = self._sessions.by_client.get(connection)
        if session is not None:
            self._sessions.leave(session, End.CLIENT_ASKED_AGAIN)
        if home is None:
            raise Refused(SERVER_NOT_FOUND)
        if self._closer.is_draining:
            raise Refused(SERVER_DISCONNECTED)
        self._sessions.request(connection, home)
