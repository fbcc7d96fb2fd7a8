"""All contests of this node: who wants which Remote ID, and what becomes of them (docs/protocol.md, *Takeover*)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Protocol

from ma_signaling.config.settings import Settings
from ma_signaling.core.connection import Connection, Proof
from ma_signaling.core.contenders import Holder, Newcomer
from ma_signaling.core.contest import HOLDER_SECONDS, PROOF_SECONDS, Contest, How, Terms, Why
from ma_signaling.core.ending import RESTART, Closer, Ending
from ma_signaling.core.events import Event, Report
from ma_signaling.core.failures import Failures
from ma_signaling.core.home import Home
from ma_signaling.core.peer import Clock
from ma_signaling.core.probe import Life
from ma_signaling.core.proof_session import Asking
from ma_signaling.core.proofs import Proofs
from ma_signaling.core.run_all import run_all

DAY = 24 * 3600.0
"""How often it is said that two homes have one certificate."""


class Registrar(Protocol):
    """Who knows what is held by whom."""

    def grant(
        self,
        connection: Connection,
        remote_id: str,
        ice_servers: bytes | None,
        *,
        has_proved: bool = False,
        is_told: bool = False,
    ) -> Home:
        """Make a connection the holder of a Remote ID that no other connection here holds."""

    def dispossess(self, home: Home) -> Connection:
        """Take a Remote ID from its holder, which is returned, for another one that gets it at once."""

    def resume(self, connection: Connection) -> None:
        """Let the sessions go on that waited for this holder's proof."""


class Contests:
    """All contests, by Remote ID."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        closer: Closer,
        registrar: Registrar,
        is_busy: Callable[[Home], bool],
        offers_delivered: Callable[[list[str]], None],
        proofs: Proofs,
        claim: Callable[[str, Connection], None],
    ) -> None:
        """``is_busy`` says whether a session of a home waits for its answer.

        ``offers_delivered`` hears whose offers a home has got that have waited. ``claim`` lets a connection contend for
        what is held on another node.
        """
        self.is_busy = is_busy
        self.offers_delivered = offers_delivered
        self.proofs = proofs
        self.by_remote_id: dict[str, Contest] = {}
        self._claim = claim
        self._clock = clock
        self._report = report
        self._closer = closer
        self._registrar = registrar
        self._newcomers: dict[Connection, Newcomer] = {}
        """Those that wait for a verdict, of this node or of others."""
        failures = Failures(settings.remembered_addresses)
        self._terms = Terms(clock, failures, lambda: settings.takeover_timeout, proofs.can_be_had)
        self._vacated: deque[str] = deque()
        self._shared: OrderedDict[str, float] = OrderedDict()
        """When it was said last of a Remote ID that two homes have its certificate."""

    # Newcomers

    def challenge(
        self, home: Home, holder: Connection, connection: Connection, ice_servers: bytes | None
    ) -> None:
        """Let a connection contend for what ``holder`` holds."""
        newcomer = self.wait(connection, home.remote_id, ice_servers)
        newcomer.contest = self.contest_of(home, holder)
        newcomer.contest.join(newcomer)

    def contest_of(self, home: Home, holder: Connection) -> Contest:
        """Return the contest for what ``holder`` holds, for a newcomer to join it at once."""
        contest = self.by_remote_id.get(home.remote_id)
        if contest is None:
            over = partial(self.by_remote_id.__delitem__, home.remote_id)
            contest = Contest(home.remote_id, Holder(self, home, holder), self._terms, over)
            self.by_remote_id[home.remote_id] = contest
        return contest

    def dispute(self, home: Home, holder: Connection) -> None:
        """Let a holder contend with another node's, which has more right to the Remote ID if both hold it.

        Until then clients' offers to the one here wait, so that nobody can have it answer in the other one's place.
        """
        if holder.claim is None:
            self.wait(holder, home.remote_id, home.ice_servers)
            home.are_offers_held = True
            self._claim(home.remote_id, holder)

    def dispute_over(self, home: Home) -> None:
        """Let offers go on to a holder that has stayed."""
        self.hold_offers(home)
        self.offers_delivered(home.flush())

    def hold_offers(self, home: Home) -> None:
        """Let offers wait while newcomers are asked, for whoever holds the Remote ID next, too."""
        contest = self.by_remote_id.get(home.remote_id)
        home.are_offers_held = contest is not None and contest.is_asking

    def begin_anew(self, home: Home, holder: Connection) -> None:
        """Another node's connection turns out to hold the same: it may have answered in place of who was asked here."""
        holder.proof = None
        if holder.asking is not None and holder.asking.remote_id == home.remote_id:
            # Even where sessions wait for it: it is asked anew for them as well.
            holder.asking.cancel()
        contest = self.by_remote_id.get(home.remote_id)
        if contest is not None:
            contest.resolve(None, None)

    def wait(self, connection: Connection, remote_id: str, ice_servers: bytes | None) -> Newcomer:
        """Let a connection wait for a verdict, of this node or of others."""
        newcomer = self._newcomers[connection] = Newcomer(self, connection, remote_id, ice_servers)
        connection.claim = remote_id
        return newcomer

    def wait_on(self, connection: Connection, ice_servers: bytes | None) -> None:
        """Let one that waits wait on, with other ICE servers."""
        self._newcomers[connection].ice_servers = ice_servers

    def release(self, connection: Connection) -> bytes | None:
        """Let one that waits wait no longer; returns the ICE servers that it registered."""
        connection.claim = None
        newcomer = self._newcomers.pop(connection)
        newcomer.stop_asking()
        return newcomer.ice_servers

    def newcomer(self, connection: Connection) -> Newcomer:
        """Return what stands for a connection that waits, to carry out the verdict of another node."""
        return self._newcomers[connection]

    def withdraw(self, connection: Connection) -> None:
        """A connection is gone, or wants something else; does nothing if it waits for no verdict."""
        newcomer = self._newcomers.pop(connection, None)
        if newcomer is not None:
            connection.claim = None
            if newcomer.contest is not None:
                self._tell(newcomer, "withdrawn")
                newcomer.contest.leave(newcomer)
            newcomer.stop_asking()

    # Holders

    def vacated(self, remote_id: str) -> None:
        """The holder of a Remote ID is gone, or holds another one.

        That a newcomer gets it may vacate another one in turn: one after the other, for a chain of them may be longer
        than the stack is deep.
        """
        self._vacated.append(remote_id)
        if len(self._vacated) == 1:
            run_all(self._pass_on())

    def _pass_on(self) -> Iterator[Callable[[], None]]:
        while self._vacated:
            contest = self.by_remote_id.get(self._vacated[0])
            if contest is not None:
                yield contest.holder_left
            self._vacated.popleft()

    def ask_holder(self, connection: Connection, payer: str) -> Asking | None:
        """Ask the holder of a Remote ID for proof, on account of the address ``payer``; returns the asking.

        None where it is being asked already, or the budget is spent.
        """
        if self.proofs.is_asking(connection):
            return None
        assert connection.remote_id is not None
        answered = partial(self._holder_answered, connection)
        return self.proofs.ask(
            connection, connection.remote_id, payer, HOLDER_SECONDS + PROOF_SECONDS, answered
        )

    def _holder_answered(self, connection: Connection, reason: str | None) -> None:
        if reason is None:
            assert connection.remote_id is not None
            contest = self.by_remote_id.get(connection.remote_id)
            connection.proof = Proof(self.seconds(), in_contest=contest is not None)
            self._registrar.resume(connection)
            if contest is not None:
                contest.holder_proved()

    def drain(self) -> list[tuple[str, Connection]]:
        """This server is going down: close the newcomers' connections, and return them."""
        waiting = [(each.remote_id, each.connection) for each in self._newcomers.values()]
        over = (partial(contest.resolve, None, None) for contest in list(self.by_remote_id.values()))
        withdrawn = (partial(self.withdraw, connection) for _, connection in waiting)
        ended = (partial(self._closer.end, connection, RESTART) for _, connection in waiting)
        run_all(chain(over, withdrawn, ended))
        return waiting

    # As contenders.Ground

    def seconds(self) -> float:
        return self._clock.seconds()

    def end(self, connection: Connection, how: Ending) -> None:
        self._closer.end(connection, how)

    def won(self, newcomer: Newcomer, how: How) -> Home:
        self.release(newcomer.connection)
        if how is How.PROOF:
            newcomer.connection.proof = Proof(self.seconds(), in_contest=False)
        self._tell(newcomer, f"won by {how.value}")
        return self._registrar.grant(
            newcomer.connection,
            newcomer.remote_id,
            newcomer.ice_servers,
            has_proved=how is How.PROOF,
            is_told=True,
        )

    def refused(self, newcomer: Newcomer, why: Why) -> None:
        self.release(newcomer.connection)
        self._tell(newcomer, f"refused: {why.value}")

    def go_elsewhere(self, newcomer: Newcomer) -> None:
        if not self._closer.is_draining:
            newcomer.contest = None
            self._claim(newcomer.remote_id, newcomer.connection)

    def lost(self, home: Home, how: How, life: Life) -> Connection:
        connection = self._registrar.dispossess(home)
        if how is How.PROOF and life is Life.ALIVE and connection.proof is not None:
            self._say_shared(home.remote_id, connection)
        return connection

    # What an operator hears

    def _tell(self, newcomer: Newcomer, outcome: str) -> None:
        self._report(
            Event.TAKEOVER,
            connection=newcomer.connection.id,
            address=newcomer.connection.address,
            remote_id=newcomer.remote_id,
            outcome=outcome,
            verdict=f"{outcome} after {self.seconds() - newcomer.since:.1f} s{newcomer.reason}",
        )

    def _say_shared(self, remote_id: str, holder: Connection) -> None:
        """Say once a day that two homes, both of them there, have proved the same Remote ID."""
        now = self.seconds()
        while self._shared and now - next(iter(self._shared.values())) >= DAY:
            self._shared.popitem(last=False)
        if remote_id not in self._shared:
            self._shared[remote_id] = now
            self._report(Event.CERTIFICATE_SHARED, connection=holder.id, remote_id=remote_id)
