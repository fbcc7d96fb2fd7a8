"""Takeover: newcomers who want a Remote ID that another one holds, or may hold, and the check whether that one lives.

One check at a time for a Remote ID; newcomers that come meanwhile share its verdict, and the first of them wins
(docs/protocol.md, *Takeover*).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from ma_signaling.config.settings import Settings
from ma_signaling.core.claim import Claim
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import CUT, RESTART, Closer, closed
from ma_signaling.core.errors import REMOTE_ID_TAKEN, CloseCode
from ma_signaling.core.events import Event, Report
from ma_signaling.core.home import Home
from ma_signaling.core.peer import Clock


class Registrar(Protocol):
    """Who knows what is held by whom."""

    def grant(
        self, connection: Connection, remote_id: str, ice_servers: bytes | None, *, evicting: bool = False
    ) -> None: ...

    def evict(self, home: Home) -> Connection | None: ...


class Takeovers:
    """All claims, by Remote ID."""

    def __init__(
        self, settings: Settings, clock: Clock, report: Report, closer: Closer, registrar: Registrar
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._closer = closer
        self._registrar = registrar
        self._claims: dict[str, Claim] = {}
        self._to_award: deque[tuple[str, bool]] = deque()

    def newcomers(self, remote_id: str) -> list[Connection]:
        """Those who wait for a Remote ID."""
        claim = self._claims.get(remote_id)
        return [] if claim is None else list(claim.newcomers)

    def pong(self, connection: Connection, payload: bytes) -> None:
        """A pong came; if it answers a check, the holder lives and the newcomers are refused."""
        if connection.remote_id is None:
            return
        claim = self._claims.get(connection.remote_id)
        if claim is not None and claim.payload == payload:
            self.settle(connection.remote_id)

    def challenge(
        self, home: Home, holder: Connection, newcomer: Connection, ice_servers: bytes | None
    ) -> None:
        """Ask whether the holder lives, once for all newcomers."""
        self.wait(newcomer, home.remote_id, ice_servers)
        claim = self._claims[home.remote_id]
        if claim.timer is None:
            self._report(
                Event.TAKEOVER_TRIED,
                connection=newcomer.id,
                address=newcomer.address,
                remote_id=home.remote_id,
            )
            claim.timer = self._clock.callLater(self._settings.takeover_timeout, self._unanswered, home)
            holder.peer.ping(claim.payload)

    def release(self, newcomer: Connection) -> bytes | None:
        """Let one who waits do so no longer, for it has been decided; returns the ICE servers that it registered."""
        assert newcomer.claim is not None
        ice_servers = self._claims[newcomer.claim].newcomers[newcomer]
        self.withdraw(newcomer)
        return ice_servers

    def refuse(self, newcomer: Connection) -> None:
        """Refuse one who waits: another node's holder stays."""
        remote_id = newcomer.claim
        self.withdraw(newcomer)
        self._refuse(newcomer, remote_id)

    def wait(self, newcomer: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Let ``newcomer`` wait for a verdict, of this node or of others."""
        self._claims.setdefault(remote_id, Claim()).newcomers[newcomer] = ice_servers
        newcomer.claim = remote_id

    def _unanswered(self, home: Home) -> None:
        """The holder gave no sign of life: it loses the Remote ID, but not its sessions, to the first newcomer."""
        self._claims[home.remote_id].timer = None
        self._report(Event.TAKEOVER_WON, remote_id=home.remote_id)
        holder = self._registrar.evict(home)
        assert holder is not None
        self._closer.end(holder, CUT)
        self.award(home.remote_id, evicting=True)

    def award(self, remote_id: str, evicting: bool = False) -> None:
        """Give a Remote ID that has become free to the first who waits for it, and refuse the others.

        That may free others in turn: one after the other, for a chain of them may be longer than the stack is deep.
        """
        self._to_award.append((remote_id, evicting))
        if len(self._to_award) == 1:
            try:
                while self._to_award:
                    self._award_one(*self._to_award[0])
                    self._to_award.popleft()
            finally:
                self._to_award.clear()

    def _award_one(self, remote_id: str, evicting: bool) -> None:
        claim = self._claims.get(remote_id)
        if claim is not None:
            winner, ice_servers = next(iter(claim.newcomers.items()))
            self.withdraw(winner)
            self._registrar.grant(winner, remote_id, ice_servers, evicting=evicting)
            self.settle(remote_id)

    def withdraw(self, newcomer: Connection) -> None:
        """Take a newcomer out of those who wait, if it does; when nobody is left, the check is over."""
        remote_id, newcomer.claim = newcomer.claim, None
        if remote_id is not None:
            claim = self._claims[remote_id]
            del claim.newcomers[newcomer]
            if not claim.newcomers:
                self.settle(remote_id)

    def settle(self, remote_id: str) -> None:
        """End the check for a Remote ID, if there is one, and refuse those who still wait."""
        claim = self._claims.pop(remote_id, None)
        if claim is None:
            return
        if claim.timer is not None:
            claim.timer.cancel()
        for newcomer in claim.newcomers:
            newcomer.claim = None
        for newcomer in claim.newcomers:
            self._refuse(newcomer, remote_id)

    def _refuse(self, newcomer: Connection, remote_id: str | None) -> None:
        # Of one that is elsewhere its own node reports it.
        if not newcomer.is_remote:
            self._report(Event.TAKEOVER_REFUSED, connection=newcomer.id, remote_id=remote_id)
        self._closer.end(newcomer, closed(CloseCode.TRY_AGAIN_LATER, "Remote ID is in use", REMOTE_ID_TAKEN))

    def drain(self) -> list[tuple[str, Connection]]:
        """This server is going down: close the newcomers' connections, and return them."""
        waiting = [(name, newcomer) for name, claim in self._claims.items() for newcomer in claim.newcomers]
        for _, newcomer in waiting:
            self.withdraw(newcomer)
        for _, newcomer in waiting:
            self._closer.end(newcomer, RESTART)
        return waiting
