"""A contest for one Remote ID: a holder, and newcomers that want what it holds (docs/protocol.md, *Takeover*).

A holder that lives keeps its Remote ID, unless a newcomer proves possession of the key and the holder doesn't:

1. The holder is probed, and asked for proof. Silent: the first newcomer gets the Remote ID.
2. It lives, and has proved nothing after 10 s: newcomers are asked, in rounds, until one proves, or none is left.
   All who wait are asked at once, so that nobody waits for others for longer than one round.
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


class How(Enum):
    """How a newcomer got a Remote ID that another connection held."""

    PROOF = "proof"
    SILENCE = "silence"
    VACANCY = "vacancy"
    """The holder left, or took another one."""


class Why(Enum):
    """Why a newcomer didn't get it."""

    ALIVE = "holder lives"
    PROVED = "holder proved"
    NO_PROOF = "no proof"
    LOST = "another newcomer won"


class Contender(Protocol):
    """A newcomer, of this node or of another one. Nothing is called on it after ``win``, ``refuse`` or ``let_go``."""

    @property
    def key(self) -> str:
        """What its address is counted by."""

    @property
    def is_here(self) -> bool:
        """Whether it is this node's, whose log then says how the contest ended."""

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        """Ask it for proof, for ``PROOF_SECONDS``; False where none can be asked of it now.

        ``ended`` is called once, not before this returns: with None for a proof, else with why there is none.
        """

    def stop_asking(self) -> None:
        """End the session in which it is asked; ``ended`` isn't called any more."""

    def win(self, how: How) -> Holder | None:
        """Give it the Remote ID. Returns the holder that it is now, None where it is another node's."""

    def refuse(self, why: Why) -> None:
        """Refuse it."""

    def let_go(self) -> None:
        """Let it contend on another node: there is no verdict from this one."""


class Holder(Probed, Protocol):
    """Who holds the Remote ID."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def has_proved(self) -> bool:
        """Whether it has proved itself as a holder in a contest, lately."""

    def ask(self, newcomer: Contender) -> None:
        """Ask it for proof, on account of ``newcomer``; ``Contest.resolve`` tells of it."""

    def stop_asking(self) -> None:
        """End the session in which it is asked, if it is."""

    def review_offers(self) -> None:
        """Let no client's offer reach it while newcomers are asked; let those through that waited, otherwise."""

    def lose(self, how: How, life: Life, *, is_told: bool) -> None:
        """Take the Remote ID from it, for a newcomer; ``life`` is what its probe has shown.

        ``is_told``: the newcomer's line in the log says so.
        """


class Phase(Enum):
    """Who is asked for proof."""

    HOLDER = auto()
    NEWCOMERS = auto()
    """And the holder, which may still prove itself."""
    OVER = auto()


class Terms(NamedTuple):
    """What holds for all contests of this node."""

    clock: Clock
    failed_proofs: FailedProofs
    probe_seconds: Callable[[], float]
    can_prove: Callable[[str], bool]
    """Whether a Remote ID can be proved, here and now."""


class Contest:
    """Decides who has a Remote ID, for as long as there are newcomers; one exit, ``resolve``."""

    def __init__(self, remote_id: str, holder: Holder, terms: Terms, over: Callable[[], None]) -> None:
        """Begin; ``over`` is called once, before the last verdicts."""
        self.remote_id = remote_id
        self.phase = Phase.HOLDER
        self.holder = holder
        self._terms = terms
        self._over = over
        self.contenders: dict[Contender, None] = {}
        """Those who have no verdict yet, in the order in which they came."""
        self._asked: set[Contender] = set()
        """Those of the round that is under way."""
        self._timer: Timer | None = terms.clock.callLater(HOLDER_SECONDS, self._holder_had_its_time)
        self.probe = Probe(holder, terms.clock, terms.probe_seconds(), self._probed)

    @property
    def is_asking(self) -> bool:
        """Whether newcomers are asked for proof."""
        return bool(self._asked)

    # What happens

    def join(self, newcomer: Contender) -> None:
        """Let a newcomer contend."""
        self.contenders[newcomer] = None
        self._ask_holder([newcomer])
        self._review([newcomer])

    def leave(self, newcomer: Contender, *, has_failed: bool = True) -> None:
        """A newcomer is gone, or wants something else; to leave when asked is to fail, unless it can't help it."""
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
        """The holder is gone, or holds something else: the first newcomer gets what it held."""
        self.probe.cancel()
        self._pass_on(How.VACANCY)

    def resolve(self, winner: Contender | None, why: Why | None = Why.LOST) -> None:
        """End the contest: ``winner`` gets the Remote ID by its proof, the others are refused.

        ``why``: None lets them go on elsewhere. Does nothing once it is over.
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
        self, winner: Contender | None, why: Why | None, life: Life
    ) -> Iterator[Callable[[], object]]:
        asked, self._asked = self._asked, set()
        yield from (each.stop_asking for each in asked)
        yield self.holder.stop_asking
        yield self._over
        if winner is not None:
            del self.contenders[winner]
            yield partial(self.holder.lose, How.PROOF, life, is_told=winner.is_here)
            yield partial(winner.win, How.PROOF)
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
            self.holder.lose(How.SILENCE, Life.SILENT, is_told=True)
        self._pass_on(How.SILENCE)

    def _ask_holder(self, newcomers: Iterable[Contender]) -> None:
        """Ask the holder for proof, on account of one of these, unless it was asked."""
        newcomer = next(filter(self._may_ask, newcomers), None)
        if newcomer is not None and not self.holder.has_proved:
            self.holder.ask(newcomer)

    def _holder_had_its_time(self) -> None:
        self._timer = None
        self.phase = Phase.NEWCOMERS
        self._review()

    def _pass_on(self, how: How) -> None:
        """Let the first newcomer hold the Remote ID; the others contend with it, and don't begin anew to wait."""
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
        """Give those of ``newcomers`` their verdict who can't win any more; begin a round, or end, where it is time."""
        if self.phase is Phase.OVER:
            return
        if self.probe.life is Life.ALIVE and self.holder.has_proved:
            self.resolve(None, Why.PROVED)
            return
        is_early = self.phase is Phase.HOLDER
        if not is_early and not self._asked:
            newcomers = self._begin_round()
        for each in newcomers:
            # Whoever is closed may hold what this holder wants, and so make it leave.
            is_there = each in self.contenders and self.probe.life is Life.ALIVE
            can_win = each in self._asked or ((is_early or self._asked) and self._may_ask(each))
            if is_there and not can_win:
                del self.contenders[each]
                each.refuse(Why.ALIVE)
        # Who comes and goes has the holder asked once.
        if not self.contenders and not (is_early and self._terms.can_prove(self.remote_id)):
            self.resolve(None)

    def _begin_round(self) -> list[Contender]:
        """Ask all newcomers, one of each address, and return all.

        Who comes later waits for the next round, and so does who can't be asked now. Between two rounds, what clients
        have offered goes to the holder: no offer waits for longer than a round.
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
            newcomer.refuse(Why.NO_PROOF)
