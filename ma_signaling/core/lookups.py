"""Lookups of Remote IDs, by ``connect-request`` or ``/api/check``: who may ask, and what counts as a guess."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.ending import Closer, closed
from ma_signaling.core.errors import (
    BLOCKED,
    NOT_ALLOWED,
    SERVER_NOT_FOUND,
    CloseCode,
    Refused,
    WireError,
    rate_limited,
)
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.limits import Limits
from ma_signaling.core.other_nodes import Elsewhere
from ma_signaling.core.peer import ClientAddress, Clock
from ma_signaling.core.registry import Registry
from ma_signaling.core.session_trace import End
from ma_signaling.core.session_verdict import describe
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.start_grace import StartGrace

BLOCKED_NOW = closed(CloseCode.BLOCKED, "Blocked for brute force", BLOCKED, is_told=True)
"""How a connection ends whose guess begins a block."""

_SESSION_ID = re.compile("[0-9a-f]{32}")
"""The form of session IDs: other nodes aren't asked for anything else."""


class Lookups:
    """Finds homes, and charges the addresses that ask for them."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        limits: Limits,
        registry: Registry,
        access: Access,
        sessions: Sessions,
        closer: Closer,
        elsewhere: Elsewhere,
    ) -> None:
        self._clock = clock
        self.start_grace = StartGrace(settings, clock)
        self._report = report
        self._limits = limits
        self._registry = registry
        self._access = access
        self._sessions = sessions
        self._closer = closer
        self._directory = elsewhere.directory
        self._find_trace = elsewhere.find_trace
        self._share_block = elsewhere.share_block

    def find(self, address: ClientAddress, remote_id: str) -> Home | None:
        """Return the home with this Remote ID, connected or expected back, for a connect-request from ``address``.

        In a cluster the home may turn out to be unknown to all nodes: ``not_found`` follows. Raises ``Refused`` with
        ``rate-limited``, with ``BLOCKED`` if this guess begins a block, or with ``NOT_ALLOWED`` for a banned address.
        """
        self._charge(address, self._limits.connect_request)
        if self._access.is_banned(remote_id):
            # Answered as if unknown, but not counted as a guess: clients of a banned home know its Remote ID.
            return None
        home = self._registry.find(remote_id)
        if home is None and self._directory.is_clustered:
            home = self._registry.add(remote_id)
            self._directory.look_up(remote_id)
        if home is None or home.state is HomeState.GIVEN_UP:
            return self._unknown(address, remote_id)
        if home.is_awaited_first:
            return home if self.start_grace.may_wait(address.key) else None
        if home.state is HomeState.LOOKED_UP:
            home.asked_by(address)
        return home

    def _unknown(self, address: ClientAddress, remote_id: str) -> Home | None:
        """Return a home that may be on its way back after a restart of this server or a node; else count a guess."""
        seconds = self._may_turn_up_for()
        if seconds <= 0:
            self.count_guess(address, remote_id)
            return None
        if not self.start_grace.may_wait(address.key):
            return None
        return self._registry.await_first(remote_id, seconds)

    def change(self, address: ClientAddress) -> None:
        """Charge a home's connection for registering another Remote ID: the answer reveals whether that is held.

        Raises ``Refused`` with ``rate-limited``.
        """
        self._charge(address, self._limits.change, Limit.CHANGES)

    def count_guess(self, address: ClientAddress, remote_id: str) -> None:
        """Count an unknown Remote ID as a guess. Raises ``Refused`` with ``BLOCKED`` if that begins a block."""
        now = self._clock.seconds()
        if self.start_grace.is_on() or address.is_exempt:
            return
        if self._limits.guessing.guess(address.key, now, remote_id):
            self._report(Event.ADDRESS_BLOCKED, address=address)
            self._share_block(address.key, self._limits.guessing.blocked_for(address.key, now))
            raise Refused(BLOCKED)

    def found(self, remote_id: str) -> None:
        """Note that another node holds a home: addresses that were blocked meanwhile aren't told."""
        home = self._registry.find(remote_id)
        if home is not None and home.state is HomeState.LOOKED_UP:
            self._turn_away_blocked(home)

    def found_away(self, remote_id: str) -> None:
        """Let clients go on waiting for a home that another node expects back: asking for it was no guess."""
        home = self._registry.find(remote_id)
        if home is not None and home.state is HomeState.LOOKED_UP:
            self._turn_away_blocked(home)
            self._registry.grace.await_elsewhere(home)

    def not_found(self, remote_id: str) -> None:
        """Handle that no node knows a Remote ID: fail the requests for it, or let them wait if it may still turn up."""
        home, seconds = self._registry.find(remote_id), self._may_turn_up_for()
        if home is None:
            return
        if home.state is HomeState.AWAY_ELSEWHERE and seconds > 0:
            self._registry.await_first(remote_id, seconds)
        elif home.state is HomeState.AWAY_ELSEWHERE:
            self._registry.grace.give_up(home)
        elif home.state is HomeState.LOOKED_UP and seconds > 0:
            self._await(home, seconds)
        elif home.state is HomeState.LOOKED_UP:
            self._count_askers(home)

    def _may_turn_up_for(self) -> float:
        """Return for how many more seconds an unknown home may be on its way back to this server or another node."""
        return max(self._directory.unsure_for(), self.start_grace.ends_in())

    def _await(self, home: Home, seconds: float) -> None:
        """Let the sessions of a home wait for it; those beyond the limit fail as for an unknown home."""
        sessions = self._sessions.of(home)
        too_many = [session for session in sessions if not self.start_grace.may_wait(session.key)]
        for session in too_many:
            self._sessions.fail(session, SERVER_NOT_FOUND, End.UNKNOWN_HOME)
        if len(too_many) < len(sessions):
            self._registry.await_first(home.remote_id, seconds)
        else:
            self._registry.forget(home)

    def _count_askers(self, home: Home) -> None:
        """Count a guess for each address that has asked for a home, and fail its sessions as unknown."""
        self._turn_away_blocked(home)
        blocked = set()
        for asker in (home.askers or {}).values():
            try:
                if not self._blocked_for(asker):
                    self.count_guess(asker, home.remote_id)
            except Refused:
                blocked.add(asker.key)
        for session in self._sessions.of(home):
            if session.key in blocked:
                blocked.remove(session.key)
                self._closer.end(session.client, BLOCKED_NOW)
            else:
                self._sessions.fail(session, SERVER_NOT_FOUND, End.UNKNOWN_HOME)
        self._registry.forget(home)

    def _turn_away_blocked(self, home: Home) -> None:
        """Fail the sessions of addresses that were blocked during the lookup, or many lookups at once would pass."""
        for session in self._sessions.of(home):
            wait = self._blocked_for(session.client.address)
            if wait > 0:
                self._sessions.fail(session, self._limited(wait), End.UNKNOWN_HOME)

    def _blocked_for(self, address: ClientAddress) -> float:
        """Return the seconds until an address that is blocked for guessing may look up again, 0 if it may now."""
        if address.is_exempt:
            return 0.0
        return self._limits.guessing.blocked_for(address.key, self._clock.seconds())

    def _limited(self, wait: float, limit: Limit = Limit.LOOKUPS) -> WireError:
        """Report that ``limit`` was hit, and return the error."""
        self._report(Event.LIMIT_HIT, limit=limit)
        return rate_limited(wait)

    def ask_online(
        self, address: ClientAddress, remote_id: str | None, told: Callable[[bool | WireError], None]
    ) -> None:
        """Call ``told`` with whether that home is connected now, or with an error. Raises as ``find`` does.

        ``remote_id`` None stands for one that no home can have.
        """
        self._charge(address, self._limits.lookup)
        if remote_id is None:
            told(False)
            return
        home = self._registry.find(remote_id)
        if home is not None and home.is_awaited_first and self._directory.is_clustered:
            # It hasn't connected to this node yet: it may be on another one by now.
            home = None
        if self._access.is_banned(remote_id):
            told(False)
        elif home is not None and home.state in (HomeState.LOCAL, HomeState.REMOTE, HomeState.AWAY):
            told(home.connection is not None)
        else:
            self._directory.ask_online(remote_id, lambda found: told(self._online(address, remote_id, found)))

    def _online(self, address: ClientAddress, remote_id: str, found: bool | None) -> bool | WireError:
        wait = self._blocked_for(address)
        if wait > 0:
            # It was blocked while other nodes were asked.
            return self._limited(wait)
        if found is None:
            try:
                self.count_guess(address, remote_id)
            except Refused as refused:
                return refused.error
        return bool(found)

    def trace(
        self, address: ClientAddress, session_id: str, told: Callable[[dict[str, Any] | None], None]
    ) -> None:
        """Call ``told`` with the trace of a session (``session_verdict.describe``) or None; charge a lookup.

        An unknown session doesn't count as a guess: 128 random bits can't be guessed, and after a restart all are
        unknown. Raises ``Refused`` with ``rate-limited``, or with ``NOT_ALLOWED`` for a banned address.
        """
        now = self._charge(address, self._limits.lookup)
        trace = self._sessions.traces.find(session_id, now)
        if trace is not None:
            told(describe(trace, now))
        elif _SESSION_ID.fullmatch(session_id):
            self._find_trace(session_id, told)
        else:
            told(None)

    def _charge(
        self, address: ClientAddress, count: Callable[[str, float], float], limit: Limit = Limit.LOOKUPS
    ) -> float:
        """Charge ``address`` by ``count`` and return the time. Raises ``Refused``; reports ``limit`` if that is hit."""
        if not self._access.may_connect(address):
            raise Refused(NOT_ALLOWED)
        now = self._clock.seconds()
        wait = 0.0 if address.is_exempt else count(address.key, now)
        if wait > 0:
            raise Refused(self._limited(wait, limit))
        return now
