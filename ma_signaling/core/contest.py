"""A contest for one Remote ID: a holder, and newcomers that want what it holds (docs/protocol.md, *Takeover*).

A holder that lives keeps its Remote ID, unless a newcomer proves possession of the key and the holder doesn't:

1. The holder is probed and asked for proof. If it is silent, the first newcomer gets the Remote ID.
2. If it lives but hasn't proved itself after 10 s, newcomers are asked in rounds, until one gives a proof or none is
   left. A round asks all waiting newcomers at the same time, so that nobody waits for others longer than one round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from functools import partial
from typing import NamedTuple, Protocol

from ma_signaling.core.failed_proofs import FailedProofs
from ma_signaling.core.peer import Clock, Timer
from ma_signaling.core.probe import Life, Probe, Probed
from ma_signaling.core.run_all import run_all

HOLDER_SECONDS = 10.0
"""Seconds that the holder has to prove itself before newcomers are asked."""

PROOF_SECONDS = 15.0
"""Seconds that a newcomer has to prove itself once it is asked."""


class WonBy(Enum):
    """How a newcomer got a Remote ID that another connection held."""

    PROOF = "proof"
    SILENCE = "silence"
    VACANCY = "vacancy"
    """The holder left, or took another Remote ID."""


class Refusal(Enum):
    """Why a newcomer didn't get the Remote ID."""

    ALIVE = "holder lives"
    PROVED = "holder proved"
    NO_PROOF = "no proof"
    LOST = "another newcomer won"


class Contender(Protocol):
    """A newcomer, on this node or another. Nothing is called on it after ``win``, ``refuse`` or ``let_go``."""

    @property
    def key(self) -> str:
        """The key of its address (``ClientAddress.key``)."""

    @property
    def is_here(self) -> bool:
        """Whether it is connected to this node, whose log then says how the contest ended."""

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        """Ask it for proof within ``PROOF_SECONDS``; return False if it can't be asked now.

        ``ended`` is called once, after this has returned: with None for a proof, else with why there is none.
        """

    def stop_asking(self) -> None:
        """End the session in which it is asked, without calling ``ended``."""

    def win(self, how: WonBy) -> Holder | None:
        """Give it the Remote ID. Return it as the new holder, None if it is connected to another node."""

    def refuse(self, why: Refusal) -> None:
        """Refuse it the Remote ID."""

    def let_go(self) -> None:
        """Give no verdict: let it contend on another node."""


class Holder(Probed, Protocol):
    """The connection that holds the Remote ID."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def has_proved(self) -> bool:
        """Whether it has recently proved itself as a holder in a contest."""

    def ask(self, newcomer: Contender) -> None:
        """Ask it for proof, charged to ``newcomer``'s address; once it has proved itself, call ``Contest.resolve``."""

    def stop_asking(self) -> None:
        """End the session in which it is asked, if it is."""

    def review_offers(self) -> None:
        """Hold back clients' offers to it while newcomers are asked for proof; otherwise deliver those held back."""

    def lose(self, how: WonBy, life: Life, *, is_told: bool) -> None:
        """Take the Remote ID from it for a newcomer; ``life`` is the result of its probe.

        ``is_told``: the newcomer's line in the log covers it.
        """


class Phase(Enum):
    """Who is asked for proof."""

    HOLDER = auto()
    NEWCOMERS = auto()
    """The newcomers, while the holder may still prove itself."""
    OVER = auto()


class Terms(NamedTuple):
    """What all contests of this node have in common."""

    clock: Clock
    failed_proofs: FailedProofs
    probe_seconds: Callable[[], float]
    can_prove: Callable[[str], bool]
    """Whether this node can now ask for proof of a Remote ID."""


class Contest:
    """Decides who gets a Remote ID. Every contest ends in ``resolve``."""

    def __init__(self, remote_id: str, holder: Holder, terms: Terms, over: Callable[[], None]) -> None:
        """Probe ``holder``; ``over`` is called once, before the last verdicts."""
        self.remote_id = remote_id
        self.phase = Phase.HOLDER
        self.holder = holder
        self._terms = terms
        self._over = over
        self.contenders: dict[Contender, None] = {}
        """Newcomers without a verdict, in order of arrival."""
        self._asked: set[Contender] = set()
        """Newcomers that are asked for proof in the current round."""
        self._timer: Timer | None = terms.clock.callLater(HOLDER_SECONDS, self._holder_had_its_time)
        self.probe = Probe(holder, terms.clock, terms.probe_seconds(), self._probed)

    @property
    def is_asking(self) -> bool:
        """Whether newcomers are asked for proof."""
        return bool(self._asked)

    # Events

    def join(self, newcomer: Contender) -> None:
        """Let a newcomer contend."""
        self.contenders[newcomer] = None
        self._ask_holder([newcomer])
        self._review([newcomer])

    def leave(self, newcomer: Contender, *, has_failed: bool = True) -> None:
        """Remove a newcomer that is gone or has withdrawn; ``has_failed``: if it was being asked, it has failed."""
        self.contenders.pop(newcomer, None)
        if newcomer in self._asked:
            newcomer.stop_asking()
            self._asked.remove(newcomer)
            if has_failed:
                self._terms.failed_proofs.add(newcomer.key, self.remote_id, self._terms.clock.seconds())
            if not self._asked:
                self.holder.review_offers()
        self._review()

    def holder_left(self) -> None:
        """Give the Remote ID to the first newcomer: the holder is gone, or holds another one."""
        self.probe.cancel()
        self._pass_on(WonBy.VACANCY)

    def resolve(self, winner: Contender | None, why: Refusal | None = Refusal.LOST) -> None:
        """End the contest: ``winner`` gets the Remote ID by its proof, the others are refused for ``why``.

        With ``why`` None the others may contend on another node. Does nothing once the contest is over.
        """
        if self.phase is Phase.OVER:
            return
        self.phase = Phase.OVER
        if self._timer is not None:
            self._timer.cancel()
        life = self.probe.life
        self.probe.cancel()
        run_all(self._verdicts(winner, why, life))

    def _verdicts(
        self, winner: Contender | None, why: Refusal | None, life: Life
    ) -> Iterator[Callable[[], object]]:
        asked, self._asked = self._asked, set()
        yield from (each.stop_asking for each in asked)
        yield self.holder.stop_asking
        yield self._over
        if winner is not None:
            del self.contenders[winner]
            yield partial(self.holder.lose, WonBy.PROOF, life, is_told=winner.is_here)
            yield partial(winner.win, WonBy.PROOF)
        yield self.holder.review_offers
        while self.contenders:
            newcomer = next(iter(self.contenders))
            del self.contenders[newcomer]
            yield newcomer.let_go if why is None else partial(newcomer.refuse, why)

    # The holder

    def _probed(self) -> None:
        if self.probe.life is Life.ALIVE:
            self._review(list(self.contenders))
            return
        if self.contenders:
            self.holder.lose(WonBy.SILENCE, Life.SILENT, is_told=True)
        self._pass_on(WonBy.SILENCE)

    def _ask_holder(self, newcomers: Iterable[Contender]) -> None:
        """Ask the holder for proof, charged to one of ``newcomers``, unless it has proved itself."""
        newcomer = next(filter(self._may_ask, newcomers), None)
        if newcomer is not None and not self.holder.has_proved:
            self.holder.ask(newcomer)

    def _holder_had_its_time(self) -> None:
        self._timer = None
        self.phase = Phase.NEWCOMERS
        self._review()

    def _pass_on(self, how: WonBy) -> None:
        """Give the first newcomer the Remote ID; the others now contend with it, and keep the time they have waited."""
        if not self.contenders:
            self.resolve(None)
            return
        self.holder.stop_asking()
        newcomer = next(iter(self.contenders))
        del self.contenders[newcomer]
        newcomer.stop_asking()
        self._asked.discard(newcomer)
        try:
            holder = newcomer.win(how)
        except Exception:
            self.resolve(None)
            raise
        if holder is None or not self.contenders:
            self.resolve(None, None)
            return
        self.holder = holder
        self.holder.review_offers()
        self.probe = Probe(holder, self._terms.clock, self._terms.probe_seconds(), self._probed)
        self._ask_holder(self.contenders)
        self._review(list(self.contenders))

    # The newcomers

    def _may_ask(self, newcomer: Contender) -> bool:
        terms, remote_id = self._terms, self.remote_id
        must_wait = terms.failed_proofs.must_wait(newcomer.key, remote_id, terms.clock.seconds())
        return terms.can_prove(remote_id) and not must_wait

    def _review(self, newcomers: Iterable[Contender] = ()) -> None:
        """Refuse those of ``newcomers`` that can't win any more; begin a round, or end the contest, if it is time."""
        if self.phase is Phase.OVER:
            return
        if self.probe.life is Life.ALIVE and self.holder.has_proved:
            self.resolve(None, Refusal.PROVED)
            return
        is_early = self.phase is Phase.HOLDER
        if not is_early and not self._asked:
            newcomers = self._begin_round()
        for each in newcomers:
            # To refuse one closes its connection. If that held what this holder has claimed, the holder leaves.
            is_there = each in self.contenders and self.probe.life is Life.ALIVE
            can_win = each in self._asked or ((is_early or self._asked) and self._may_ask(each))
            if is_there and not can_win:
                del self.contenders[each]
                each.refuse(Refusal.ALIVE)
        # While the holder has its time, an empty contest goes on: newcomers that come and go have it asked only once.
        if not self.contenders and not (is_early and self._terms.can_prove(self.remote_id)):
            self.resolve(None)

    def _begin_round(self) -> list[Contender]:
        """Ask all newcomers for proof, one of each address; return all newcomers.

        Those that come later, or can't be asked now, wait for the next round. Between two rounds clients' offers go to
        the holder, so none waits longer than a round.
        """
        newcomers, keys = list(self.contenders), set[str]()
        for each in newcomers:
            is_next = each in self.contenders and each.key not in keys and self._may_ask(each)
            if is_next and each.ask(partial(self._answered, each)):
                keys.add(each.key)
                self._asked.add(each)
        self.holder.review_offers()
        return newcomers

    def _answered(self, newcomer: Contender, reason: str | None) -> None:
        if reason is None:
            self.resolve(newcomer)
            return
        try:
            self.leave(newcomer)
        finally:
            newcomer.refuse(Refusal.NO_PROOF)
