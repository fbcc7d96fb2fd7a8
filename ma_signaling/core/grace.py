"""Loss and grace: what becomes of a home's sessions when it loses its connection, and when it gets another one.

The rules are those of *Loss and grace* and *Takeover* in docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ma_signaling.config.settings import Settings
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import Closer
from ma_signaling.core.errors import SERVER_NOT_FOUND
from ma_signaling.core.events import Event, Report
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.other_nodes import Announcements
from ma_signaling.core.peer import Clock
from ma_signaling.core.proofs import Proofs
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session import Session, SessionState
from ma_signaling.core.session_trace import End
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.suspended_sessions import Suspension


class Grace:
    """Homes that are expected back, and the sessions that wait for them or for their proofs."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        sessions: Sessions,
        closer: Closer,
        proofs: Proofs,
        announcements: Announcements,
        ask_holder: Callable[[Connection, str], object],
        drop: Callable[[Home], None],
    ) -> None:
        """``ask_holder`` asks a connection for proof, charged to an address key; ``drop`` forgets a home."""
        self._settings = settings
        self._clock = clock
        self._report = report
        self._sessions = sessions
        self._announcing = sessions.announcing
        self._closer = closer
        self._proofs = proofs
        self._announcements = announcements
        self._ask_holder = ask_holder
        self._drop = drop
        self._suspension = Suspension(clock, sessions, self.ask, self._wait_is_over)

    # A connection has come

    def returned(self, home: Home, *, is_first: bool, has_proved: bool) -> None:
        """Begin a home's sessions anew with its new connection; answered ones go on, or wait for its proof.

        ``is_first``: the home was being looked up; ``has_proved``: the connection has proved that it holds the key.
        """
        connection, sessions = home.connection, self._sessions.of(home)
        assert connection is not None
        if not sessions:
            # The case of nearly every home that registers.
            self._suspension.forget(home)
            self._sessions.offers_delivered(home.flush())
            return
        can_prove = self._proofs.can_be_had(home.remote_id)
        is_same = connection.id == home.former
        suspended: set[str] = set()

        def go_on(session: Session) -> None:
            if session.answered_by is None:
                self._announcing.home_connected(session, is_first=is_first)
            elif (
                has_proved
                or (is_same and session.id not in home.suspended)
                or (not can_prove and connection.address.is_surely(session.answered_by))
            ):
                self._announcing.resume(session, connection.address)
            else:
                suspended.add(session.id)
                self._announcing.suspend(session)

        try:
            run_all(partial(go_on, session) for session in sessions)
        finally:
            self._suspension.suspend(home, suspended)
            self._sessions.offers_delivered(home.flush())
            if suspended:
                self.ask(home)

    def proved(self, home: Home, connection: Connection) -> None:
        """Resume the sessions that waited for the proof of this home's connection."""
        suspended = [session for session in self._sessions.of(home) if session.id in home.suspended]
        try:
            run_all(partial(self._announcing.resume, session, connection.address) for session in suspended)
        finally:
            self._suspension.forget(home)
            self._sessions.offers_delivered(home.flush())

    def ask(self, home: Home) -> None:
        """Ask a home's connection for proof, since sessions wait for it."""
        connection = home.connection
        if connection is None or not self._proofs.can_be_had(home.remote_id):
            return
        if connection.is_remote:
            self._announcements.wait_for_proof(home)
        else:
            self._ask_holder(connection, connection.address.key)

    def _wait_is_over(self, home: Home) -> None:
        """Give up a home that was kept only for sessions that waited, now that none does."""
        if home.state is HomeState.AWAY and home.timer is None:
            self.give_up(home)

    # A connection has gone

    def begin(self, home: Home, *, is_elsewhere: bool) -> None:
        """Begin the grace time of a home; ``is_elsewhere``: its last connection was to another node."""
        if not self._closer.is_draining:
            # The node of the last connection logs how the grace time ends.
            expired = self.over if is_elsewhere else self._expired
            home.timer = self._clock.callLater(self._settings.grace, expired, home)
        run_all(partial(self._announcing.await_home, session) for session in self._sessions.of(home))

    def await_first(self, home: Home, seconds: float) -> None:
        """Wait ``seconds`` for a home that hasn't come since this server started, or whose node is missing."""
        home.stop_timer()
        home.timer = self._clock.callLater(seconds, self.give_up, home)
        self._be_away(home, HomeState.AWAY)

    def await_elsewhere(self, home: Home) -> None:
        """Wait for a home that was looked up, while another node expects it back."""
        self._be_away(home, HomeState.AWAY_ELSEWHERE)

    def _be_away(self, home: Home, state: HomeState) -> None:
        is_found = home.state is HomeState.LOOKED_UP
        home.state, home.askers = state, None
        tell = self._announcing.home_found_away if is_found else self._announcing.await_home
        run_all(partial(tell, session) for session in self._sessions.of(home))

    def _expired(self, home: Home) -> None:
        self._report(Event.HOME_EXPIRED, remote_id=home.remote_id)
        self.over(home)

    def over(self, home: Home, *, ends_parked: bool = False) -> None:
        """End the grace time. Answered sessions are kept in silence, since the calls are probably up.

        Parked requests have their own deadline, since the home may still come in time. With ``ends_parked`` they end,
        too: there is no grace time (the setting is 0).
        """
        home.timer = None
        sessions = self._sessions.of(home)
        self._suspension.suspend(home, [each.id for each in sessions if each.answered_by is not None])
        ended = [
            each
            for each in sessions
            if each.answered_by is None and (ends_parked or each.state is SessionState.OPEN)
        ]
        try:
            run_all(partial(self._sessions.home_left, session, End.HOME_LOST) for session in ended)
        finally:
            if not home.suspended:
                self.give_up(home)

    def give_up(self, home: Home) -> None:
        """Expect a home no longer: new requests fail immediately, and prolong nothing."""
        home.timer = None
        if any(session.state is not SessionState.OPEN for session in self._sessions.of(home)):
            home.state = HomeState.GIVEN_UP
            # A second longer than any parked request waits.
            home.timer = self._clock.callLater(self._settings.park + 1, self.give_up, home)
            self._announcements.dropped(home)
        else:
            self.dissolve(home, End.HOME_LOST)

    def dissolve(self, home: Home, end: End) -> None:
        """End a home's sessions, since it has said goodbye; suspended ones go on waiting for another holder's proof."""
        sessions = self._sessions.of(home)
        if not sessions:
            # The case of nearly every home that leaves.
            self._suspension.forget(home)
            self._drop(home)
            home.forget_messages()
            return
        ended = [session for session in sessions if session.id not in home.suspended]
        is_over = len(ended) == len(sessions)
        try:
            if is_over:
                self._suspension.forget(home)
                self._drop(home)
            else:
                # The home that they wait for could not register until now: it gets the whole waiting time.
                self._suspension.suspend(home, home.suspended)
        finally:
            ends = (partial(self._sessions.home_left, session, end) for session in ended)
            run_all((*ends, *((home.forget_messages,) if is_over else ())))

    def end_early(self, home: Home) -> None:
        """End the grace time of a home now, if it is in one."""
        if home.state is HomeState.AWAY and home.timer is not None:
            home.stop_timer()
            self.over(home)

    def disallow(self, home: Home) -> None:
        """Forget a home that is away and may no longer register; its sessions end as if it were unknown or lost."""
        home.stop_timer()
        if home.state is HomeState.LOOKED_UP:
            failures = (
                partial(self._sessions.fail, session, SERVER_NOT_FOUND, End.UNKNOWN_HOME)
                for session in self._sessions.of(home)
            )
            run_all((*failures, partial(self._drop, home)))
            return
        # Not AWAY, or ``_wait_is_over`` would give up the home before its open sessions have ended.
        home.state = HomeState.GIVEN_UP
        try:
            if home.suspended:
                self._suspension.expire(home)
        finally:
            opened = [each for each in self._sessions.of(home) if each.state is SessionState.OPEN]
            try:
                run_all(partial(self._sessions.home_left, session, End.HOME_LOST) for session in opened)
            finally:
                self.give_up(home)

    def cancel(self, home: Home) -> None:
        """Stop waiting for a home or its proof, without ending or resuming any session."""
        home.stop_timer()
        self._suspension.stop(home)
