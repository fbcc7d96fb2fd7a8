"""Loss and grace: what becomes of a home's sessions when its connection is lost, and when another one holds it.

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
    """The homes that are expected back, and the sessions that wait for one or for its proof."""

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
        """``ask_holder`` asks a connection for proof, on account of an address; ``drop`` forgets a home."""
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
        """Begin the sessions of a home anew with its connection; those that were answered go on, or wait.

        ``is_first``: until now it was looked up; ``has_proved``: its connection holds the key.
        """
        connection, sessions = home.connection, self._sessions.of(home)
        assert connection is not None
        if not sessions:
            # Nearly every home that registers.
            self._suspension.forget(home)
            home.flush()
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
            home.flush()
            if suspended:
                self.ask(home)

    def proved(self, home: Home, connection: Connection) -> None:
        """Let the sessions go on that waited for the proof of this home's connection."""
        suspended = [session for session in self._sessions.of(home) if session.id in home.suspended]
        try:
            run_all(partial(self._announcing.resume, session, connection.address) for session in suspended)
        finally:
            self._suspension.forget(home)
            home.flush()

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
        """No session of a home waits any more: a home that is kept for them alone is forgotten."""
        if home.state is HomeState.AWAY and home.timer is None:
            self.give_up(home)

    # A connection has gone

    def begin(self, home: Home, *, is_elsewhere: bool) -> None:
        """Wait for a home's next connection; ``is_elsewhere``: the latest one was another node's."""
        if not self._closer.is_draining:
            # How a grace ends is told by the node on which it was begun.
            expired = self.over if is_elsewhere else self._expired
            home.timer = self._clock.callLater(self._settings.grace, expired, home)
        run_all(partial(self._announcing.home_lost, session) for session in self._sessions.of(home))

    def await_first(self, home: Home, seconds: float) -> None:
        """Wait so many seconds for a home that has not come since this server started, or from a node that is gone."""
        home.stop_timer()
        home.timer = self._clock.callLater(seconds, self.give_up, home)
        self._be_away(home, HomeState.AWAY)

    def await_elsewhere(self, home: Home) -> None:
        """Wait for a home that was looked up, as long as another node expects it back."""
        self._be_away(home, HomeState.AWAY_ELSEWHERE)

    def _be_away(self, home: Home, state: HomeState) -> None:
        is_found = home.state is HomeState.LOOKED_UP
        home.state, home.askers = state, None
        told = self._announcing.home_found_away if is_found else self._announcing.home_lost
        run_all(partial(told, session) for session in self._sessions.of(home))

    def _expired(self, home: Home) -> None:
        self._report(Event.HOME_EXPIRED, remote_id=home.remote_id)
        self.over(home)

    def over(self, home: Home, *, has_begun: bool = True) -> None:
        """The grace time is over. Answered sessions are kept in silence, for the calls are probably up.

        Requests that are parked have their own deadline: the home may still come in time. Unless the grace time
        ``has_begun``, none is: whoever waits is told at once.
        """
        home.timer = None
        sessions = self._sessions.of(home)
        self._suspension.suspend(home, [each.id for each in sessions if each.answered_by is not None])
        ended = [
            each
            for each in sessions
            if each.answered_by is None and (each.state is SessionState.OPEN or not has_begun)
        ]
        try:
            run_all(partial(self._sessions.home_left, session, End.HOME_LOST) for session in ended)
        finally:
            if not home.suspended:
                self.give_up(home)

    def give_up(self, home: Home) -> None:
        """Expect a home no longer: whoever asks for it from now on is told at once, and prolongs nothing."""
        home.timer = None
        if any(session.state is not SessionState.OPEN for session in self._sessions.of(home)):
            home.state = HomeState.GIVEN_UP
            # A second more than any of them has.
            home.timer = self._clock.callLater(self._settings.park + 1, self.give_up, home)
            self._announcements.dropped(home)
        else:
            self.dissolve(home, End.HOME_LOST)

    def dissolve(self, home: Home, end: End) -> None:
        """A home has said goodbye, or as good as; sessions that wait for another holder's proof wait anew."""
        sessions = self._sessions.of(home)
        if not sessions:
            # Nearly every home that leaves.
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
                # The home that they wait for was kept out until now: it gets as long as after a grace time.
                self._suspension.suspend(home, home.suspended)
        finally:
            told = (partial(self._sessions.home_left, session, end) for session in ended)
            run_all((*told, *((home.forget_messages,) if is_over else ())))

    def end(self, home: Home) -> None:
        """Let the grace time of a home be over now, if it isn't yet."""
        if home.state is HomeState.AWAY and home.timer is not None:
            home.stop_timer()
            self.over(home)

    def cut_short(self, home: Home) -> None:
        """A home that is away may not come back: its sessions end, and who waits for it hears what others would."""
        home.stop_timer()
        if home.state is HomeState.LOOKED_UP:
            told = (
                partial(self._sessions.fail, session, SERVER_NOT_FOUND, End.UNKNOWN_HOME)
                for session in self._sessions.of(home)
            )
            run_all((*told, partial(self._drop, home)))
            return
        # So that nothing waits on when those have ended that wait for its proof.
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
        """Wait for nothing any more, and end nothing: what waits for a proof isn't delivered without one."""
        home.stop_timer()
        self._suspension.stop(home)
