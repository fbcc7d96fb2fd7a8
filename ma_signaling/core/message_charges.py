"""Counting and charging of received messages: beyond a budget they are dropped; a flood closes the connection."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import Closer, closed
from ma_signaling.core.errors import CloseCode, WireError, rate_limited
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.peer import Clock
from ma_signaling.core.sliding_window import SlidingWindow
from ma_signaling.core.token_bucket import REMEMBERED_DROPS, Allowance, Budget

MAX_BAD_MESSAGES = 50
"""Unreadable messages within a minute after which a connection is closed."""

MAX_DROPS = REMEMBERED_DROPS
"""Messages dropped within a minute after which a connection is closed."""

MAX_PAUSE = 0.3
"""The longest pause in reading after a drop, in seconds: with longer ones a flood would never reach ``MAX_DROPS``."""

SPARE_OF_ONE = Allowance(20, 200, 64 * 1024, 512 * 1024)
"""What one home may send beyond its sessions' budgets, whatever others do, before its reading is paused."""

SPARE_OF_ALL = Allowance(5000, 20_000, 4 * 2**20, 16 * 2**20)
"""What all homes together may send beyond that: dropping so much takes 4 % of a processor."""


class OverBudget(Exception):
    """Raised for a message beyond its budget: it is dropped."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget


class Tally:
    """A number of messages and bytes."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0


class Traffic:
    """Received messages of one type, from homes and from all other connections."""

    __slots__ = ("from_clients", "from_homes")

    def __init__(self) -> None:
        self.from_homes = Tally()
        self.from_clients = Tally()

    def count(self, is_home: bool, size: int, number: int = 1) -> None:
        """Count ``number`` messages of ``size`` bytes in all."""
        tally = self.from_homes if is_home else self.from_clients
        tally.messages += number
        tally.bytes += size


class Charges:
    """Charges connections for what isn't charged to a session, and handles messages beyond a budget."""

    def __init__(self, clock: Clock, report: Report, closer: Closer) -> None:
        self._clock = clock
        self._report = report
        self._closer = closer
        self._spare = Budget(SPARE_OF_ALL, clock.seconds())

    def charge(self, connection: Connection) -> None:
        """Charge a connection for one message. Raises ``OverBudget``."""
        if not connection.budget.spend(self._clock.seconds(), 0):
            raise OverBudget(connection.budget)

    def charge_late(self, connection: Connection, size: int) -> None:
        """Charge a connection for ``size`` bytes that come too late for their session. Raises ``OverBudget``.

        A home's reading is only paused: it may be answering what a guest sent before leaving.
        """
        now = self._clock.seconds()
        if connection.remote_id is not None:
            wait = self._wait_of_home(connection, now, size)
            if wait > 0:
                connection.peer.pause_reading(wait)
        elif not connection.budget.spend(now, size, 0):
            raise OverBudget(connection.budget)

    def charge_control_frame(self, connection: Connection) -> bool:
        """Charge a connection for a WebSocket ping or pong; return False if the frame is to be ignored."""
        try:
            self.charge(connection)
        except OverBudget as over:
            self.exceeded(connection, over.budget, 0, is_silent=not connection.hears_errors)
            return False
        return True

    def unreadable(self, connection: Connection, error: WireError) -> None:
        """Charge a connection for an unreadable message, or close it after too many. Raises ``OverBudget``."""
        now = self._clock.seconds()
        if connection.bad_messages is None:
            connection.bad_messages = SlidingWindow()
        connection.bad_messages.add(now)
        if connection.bad_messages.wait(now, MAX_BAD_MESSAGES) > 0:
            sent = error if connection.hears_errors else None
            self._closer.end(connection, closed(CloseCode.POLICY, "Too many bad messages", sent))
        else:
            self.charge(connection)

    def exceeded(self, connection: Connection, budget: Budget, size: int, *, is_silent: bool) -> None:
        """Handle that a message of ``size`` bytes was dropped; its connection is told so at most once a second.

        Reading is paused for a while, since parsing costs time too; after too many drops the connection is closed.
        Neither holds for a home beyond a session's budget, since its other sessions would suffer: its reading is paused
        only once all that it sends beyond budgets is too much. ``is_silent``: send no ``error``, which would do harm.
        """
        self._report(Event.LIMIT_HIT, limit=Limit.MESSAGES)
        now = self._clock.seconds()
        budget.dropped(now)
        error = rate_limited(budget.wait())
        # A session beyond its budget costs a home that session's messages, never its connection.
        if connection.remote_id is not None and budget is not connection.budget:
            wait = self._wait_of_home(connection, now, size)
        elif budget.has_dropped(now, MAX_DROPS):
            self._closer.end(
                connection, closed(CloseCode.RATE_LIMITED, "Rate limited", None if is_silent else error)
            )
            return
        else:
            wait = min(budget.wait(), MAX_PAUSE)
        if wait > 0:
            connection.peer.pause_reading(wait)
        if not is_silent and budget.may_tell(now):
            connection.peer.send(messages.error(error))

    def _wait_of_home(self, home: Connection, now: float, size: int) -> float:
        """Return for how many seconds to pause the reading of a home whose message was dropped; 0: don't."""
        if home.spare is None:
            home.spare = Budget(SPARE_OF_ONE, now)
        if home.spare.spend(now, size) or self._spare.spend(now, size):
            return 0.0
        return home.spare.wait()


def control_allowance(settings: Settings) -> Allowance:
    """Return what a connection may send outside of sessions. Only messages for ended sessions are charged by bytes."""
    return Allowance(
        settings.control_rate,
        settings.control_burst,
        settings.message_bytes_rate,
        settings.message_bytes_burst,
    )
