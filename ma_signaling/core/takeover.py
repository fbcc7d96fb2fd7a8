"""All contests of this node: who wants which Remote ID, and with what outcome (docs/protocol.md, *Takeover*)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Protocol

from ma_signaling.config.settings import Settings
from ma_signaling.core.asking_for_proof import Asking
from ma_signaling.core.connection import Connection, Proof
from ma_signaling.core.contest import HOLDER_SECONDS, PROOF_SECONDS, Contender, Contest, Refusal, Terms, WonBy
from ma_signaling.core.ending import CUT, DISPLACED, REFUSED, RESTART, Closer
from ma_signaling.core.events import Event, Report
from ma_signaling.core.failed_proofs import FailedProofs
from ma_signaling.core.home import Home
from ma_signaling.core.other_nodes import Claims
from ma_signaling.core.peer import Clock
from ma_signaling.core.probe import PAUSE_SECONDS, Life
from ma_signaling.core.proofs import Proofs
from ma_signaling.core.run_all import run_all
from ma_signaling.core.sessions import Sessions

DAY = 24 * 3600.0
"""The shortest time between two reports that two homes share a certificate."""


class Registrar(Protocol):
    """What contests need of ``Registry``."""

    def grant(
        self, connection: Connection, remote_id: str, ice_servers: bytes | None, how: WonBy | None = None
    ) -> Home:
        """Make a connection the holder of a Remote ID that no other connection here holds."""

    def dispossess(self, home: Home) -> Connection:
        """Take a Remote ID from its holder, and return the holder; another connection gets it immediately."""

    def resume(self, connection: Connection) -> None:
        """Resume the sessions that waited for this holder's proof."""


class Contests:
    """All contests, by Remote ID."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        closer: Closer,
        registrar: Registrar,
        sessions: Sessions,
        proofs: Proofs,
        claims: Claims,
    ) -> None:
        self.clock = clock
        self.report = report
        self.closer = closer
        self.registrar = registrar
        self.sessions = sessions
        self.proofs = proofs
        self.claims = claims
        self.by_remote_id: dict[str, Contest] = {}
        self.newcomers: dict[Connection, Newcomer] = {}
        """Connections that wait for a verdict, of this node or of others."""
        failed_proofs = FailedProofs(settings.remembered_addresses)
        self._terms = Terms(clock, failed_proofs, lambda: settings.takeover_timeout, proofs.can_be_had)
        self._vacated: deque[str] = deque()

    # Newcomers

    def challenge(
        self, home: Home, holder: Connection, connection: Connection, ice_servers: bytes | None
    ) -> None:
        """Let a connection contend for what ``holder`` holds."""
        newcomer = self._wait(connection, home.remote_id, ice_servers)
        newcomer.contest = self.contest_of(home, holder)
        newcomer.contest.join(newcomer)

    def contest_of(self, home: Home, holder: Connection) -> Contest:
        """Return the contest for what ``holder`` holds; the caller lets a newcomer join it immediately."""
        remote_id = home.remote_id
        if remote_id not in self.by_remote_id:
            over = partial(self.by_remote_id.__delitem__, remote_id)
            self.by_remote_id[remote_id] = Contest(remote_id, Holder(self, home, holder), self._terms, over)
        return self.by_remote_id[remote_id]

    def claim(self, connection: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Let a connection contend for what may be held on another node."""
        self._wait(connection, remote_id, ice_servers)
        self.claims.claim(remote_id, connection)

    def _wait(self, connection: Connection, remote_id: str, ice_servers: bytes | None) -> Newcomer:
        newcomer = self.newcomers[connection] = Newcomer(self, connection, remote_id, ice_servers)
        connection.claim = remote_id
        return newcomer

    def release(self, connection: Connection) -> bytes | None:
        """Remove a waiting connection; return the ICE servers that it registered."""
        connection.claim = None
        newcomer = self.newcomers.pop(connection)
        newcomer.stop_asking()
        return newcomer.ice_servers

    def withdraw(self, connection: Connection) -> None:
        """Withdraw a connection that is gone or wants another Remote ID, if it waits for a verdict."""
        if newcomer := self.newcomers.get(connection):
            self.release(connection)
            if newcomer.contest is not None:
                newcomer.tell("withdrawn")
                newcomer.contest.leave(newcomer)
            self.claims.withdraw(newcomer.remote_id, connection)

    def drain(self) -> None:
        """End all contests and close the newcomers' connections, since this server is going down."""
        over = (partial(contest.resolve, None, None) for contest in list(self.by_remote_id.values()))
        ended = (partial(self.closer.end, connection, RESTART) for connection in list(self.newcomers))
        run_all(chain(over, ended))

    # Holders

    def dispute(self, home: Home, holder: Connection) -> None:
        """Let a holder contend with another node's holder, which takes precedence."""
        if holder.claim is None:
            self.claim(holder, home.remote_id, home.ice_servers)
            self.review_offers(home)

    def begin_anew(self, home: Home, holder: Connection) -> None:
        """Discard a holder's proof and contest: another node's connection turns out to hold the same Remote ID.

        That one may have answered in place of the connection that was asked here.
        """
        holder.proof = None
        if holder.asking is not None and holder.asking.remote_id == home.remote_id:
            # Even if suspended sessions wait for that proof: it is asked for again.
            holder.asking.cancel()
        if home.remote_id in self.by_remote_id:
            self.by_remote_id[home.remote_id].resolve(None, None)

    def review_offers(self, home: Home) -> None:
        """Hold back offers to a home while another connection may have more right to its Remote ID; else deliver them.

        So nobody can have the home answer in the place of newcomers that are asked here, or of another node's holder.
        """
        contest = self.by_remote_id.get(home.remote_id)
        home.are_offers_held = home.is_disputed or (contest is not None and contest.is_asking)
        self.sessions.offers_delivered(home.flush())

    def vacated(self, remote_id: str) -> None:
        """Let a contest go on whose holder is gone, or holds another Remote ID.

        A newcomer that gets it may vacate another one in turn: a loop, since such a chain may outgrow the stack.
        """
        if remote_id in self.by_remote_id:
            self._vacated.append(remote_id)
            if len(self._vacated) == 1:
                run_all(self._pass_on())

    def _pass_on(self) -> Iterator[Callable[[], None]]:
        while self._vacated:
            if contest := self.by_remote_id.get(self._vacated[0]):
                yield contest.holder_left
            self._vacated.popleft()

    def ask_holder(self, connection: Connection, payer: str) -> Asking | None:
        """Ask the holder of a Remote ID for proof, charged to the address ``payer``.

        Returns None if it is being asked already, or the budget is spent.
        """
        if self.proofs.is_asking(connection):
            return None
        assert connection.remote_id is not None
        seconds, answered = HOLDER_SECONDS + PROOF_SECONDS, partial(self._holder_answered, connection)
        return self.proofs.ask(connection, connection.remote_id, payer, seconds, answered)

    def _holder_answered(self, connection: Connection, reason: str | None) -> None:
        if reason is None:
            contest = self.by_remote_id.get(connection.remote_id or "")
            connection.proof = Proof(self.clock.seconds(), in_contest=contest is not None)
            self.registrar.resume(connection)
            if contest is not None:
                contest.resolve(None, Refusal.PROVED)


class Newcomer:
    """A connection of this node that wants a Remote ID. Implements ``contest.Contender``."""

    is_here = True

    def __init__(
        self, contests: Contests, connection: Connection, remote_id: str, ice_servers: bytes | None
    ) -> None:
        self.connection = connection
        self.key = connection.address.key
        self.remote_id = remote_id
        self.ice_servers = ice_servers
        """The list that it registers with, as JSON."""
        self.since = contests.clock.seconds()
        self.contest: Contest | None = None
        self.reason = ""
        """Why it gave no proof, for the log."""
        self._contests = contests
        self._asking: Asking | None = None

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        def answered(reason: str | None) -> None:
            self.reason = f" ({reason})" if reason else ""
            ended(reason)

        proofs = self._contests.proofs
        self._asking = proofs.ask(self.connection, self.remote_id, self.key, PROOF_SECONDS, answered)
        return self._asking is not None

    def stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def win(self, how: WonBy) -> Holder:
        contests = self._contests
        contests.release(self.connection)
        if how is WonBy.PROOF:
            self.connection.proof = Proof(contests.clock.seconds(), in_contest=False)
        self.tell(f"won by {how.value}")
        home = contests.registrar.grant(self.connection, self.remote_id, self.ice_servers, how)
        return Holder(contests, home, self.connection)

    def refuse(self, why: Refusal) -> None:
        self._contests.release(self.connection)
        self.tell(f"refused: {why.value}")
        self._contests.closer.end(self.connection, REFUSED)

    def tell(self, outcome: str) -> None:
        """Report its outcome."""
        self._contests.report(
            Event.TAKEOVER,
            connection=self.connection.id,
            address=self.connection.address,
            remote_id=self.remote_id,
            holder="another node" if self.contest is None else self.contest.holder.name,
            outcome=outcome,
            verdict=f"{outcome} after {self._contests.clock.seconds() - self.since:.1f} s{self.reason}",
        )

    def let_go(self) -> None:
        if not self._contests.closer.is_draining:
            self.contest = None
            self._contests.claims.claim(self.remote_id, self.connection)


class Holder:
    """A connection of this node that holds a Remote ID. Implements ``contest.Holder``."""

    def __init__(self, contests: Contests, home: Home, connection: Connection) -> None:
        self._contests = contests
        self._home = home
        self._connection = connection
        self.name = connection.id
        self.after_reading = connection.peer.after_reading
        self.review_offers = partial(contests.review_offers, home)
        self._was_asked = False
        self._asking: Asking | None = None

    @property
    def is_busy(self) -> bool:
        return self._contests.sessions.is_busy(self._home)

    @property
    def has_proved(self) -> bool:
        proof = self._connection.proof
        return proof is not None and proof.counts(self._contests.clock.seconds())

    @property
    def pause(self) -> float:
        return self._connection.probed_at + PAUSE_SECONDS - self._contests.clock.seconds()

    def ping(self, payload: bytes) -> None:
        self._connection.probed_at = self._contests.clock.seconds()
        self._connection.peer.ping(payload)

    def ask(self, newcomer: Contender) -> None:
        if not self._was_asked:
            self._was_asked = True
            self._asking = self._contests.ask_holder(self._connection, newcomer.key)

    def stop_asking(self) -> None:
        # Suspended sessions still need its proof.
        if self._asking is not None and not self._home.suspended:
            self._asking.cancel()

    def lose(self, how: WonBy, life: Life, *, is_told: bool) -> None:
        home, contests = self._home, self._contests
        connection, now = contests.registrar.dispossess(home), contests.clock.seconds()
        have_both_proved = how is WonBy.PROOF and life is Life.ALIVE and connection.proof is not None
        if have_both_proved and now >= home.shared_told_at + DAY:
            home.shared_told_at = now
            contests.report(Event.CERTIFICATE_SHARED, connection=connection.id, remote_id=home.remote_id)
        contests.closer.end(connection, DISPLACED._replace(is_told=is_told) if how is WonBy.PROOF else CUT)
