"""What a connection sends beyond its budgets: it is dropped, and the connection closed if that goes on."""

from __future__ import annotations

from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import Closer, closed
from ma_signaling.core.errors import CloseCode, WireError, rate_limited
from ma_signaling.core.events import Event, Report
from ma_signaling.core.peer import Clock
from ma_signaling.core.sliding_window import SlidingWindow
from ma_signaling.core.token_bucket import Budget

MAX_BAD_MESSAGES = 50
"""Unreadable messages within a minute that end a connection."""

MAX_DROPS = 100
"""Messages beyond a budget that end a connection."""


class OverBudget(Exception):
    """Raised for a message that its budget doesn't allow: drop it."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget


class Charges:
    """Charges connections for what isn't charged to a session, and answers what is beyond any budget."""

    def __init__(self, clock: Clock, report: Report, closer: Closer) -> None:
        self._clock = clock
        self._report = report
        self._closer = closer

    def charge(self, connection: Connection) -> None:
        """Charge a connection for one message. Raises ``OverBudget``."""
        if not connection.budget.spend(self._clock.seconds(), 0):
            raise OverBudget(connection.budget)

    def charge_control_frame(self, connection: Connection) -> bool:
        """Charge a WebSocket ping or pong; False: it is over budget, ignore it."""
        try:
            self.charge(connection)
        except OverBudget as over:
            self.exceeded(connection, over.budget)
            return False
        return True

    def unreadable(self, connection: Connection, error: WireError) -> None:
        """Charge a connection for a message that can't be read. Raises ``OverBudget``."""
        now = self._clock.seconds()
        if connection.bad_messages is None:
            connection.bad_messages = SlidingWindow()
        connection.bad_messages.add(now)
        if connection.bad_messages.wait(now, MAX_BAD_MESSAGES) > 0:
            self._closer.end(connection, closed(CloseCode.POLICY, "Too many bad messages", error))
        else:
            self.charge(connection)

    def exceeded(self, connection: Connection, budget: Budget) -> None:
        """Tell a connection that a message of its was dropped, at most once a second, or close it."""
        self._report(Event.LIMIT_HIT, limit="messages")
        now = self._clock.seconds()
        error = rate_limited(budget.wait())
        # One session may cost a home that session's messages, never its connection.
        if budget.drops >= MAX_DROPS and (connection.remote_id is None or budget is connection.budget):
            self._closer.end(connection, closed(CloseCode.RATE_LIMITED, "Rate limited", error))
        elif budget.may_tell(now):
            connection.peer.send(messages.error(error))
