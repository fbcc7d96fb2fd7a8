"""A contest for one Remote ID: a holder, and newcomers that want what it holds (docs/protocol.md, *Takeover*).

A holder that lives keeps its Remote ID, unless a newcomer proves possession of the key and the holder doesn't:

1. The holder is probed, and asked for proof. Silent: the first newcomer gets the Remote ID.
2. It lives, and has proved nothing after 10 s: newcomers are asked, in rounds, until one proves, or none is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Protocol

from ma_signaling.core.failures import Failures
from ma_signaling.core.peer import Clock, Timer
from ma_signaling.core.probe import Life, Probe, Probed
from ma_signaling.core.run_all import run_all

HOLDER_SECONDS = 10.0
"""Seconds that the holder has to prove itself before newcomers are asked."""

PROOF_SECONDS = 15.0
"""Seconds that a newcomer has to prove itself once it is asked."""

MAX_ASKED = 4
"""Newcomers that are asked at once."""


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
        """Ask it for proof, on account of ``newcomer``; ``Contest.holder_proved`` tells of it."""

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


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all contests of this node."""

    clock: Clock
    failures: Failures
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
        self._contenders: dict[Contender, None] = {}
        self._asked: set[Contender] = set()
        """Those of the round that is under way."""
        self._timer: Timer | None = terms.clock.callLater(HOLDER_SECONDS, self._holder_had_its_time)
        self.probe = self._begin_probe()

    @property
    def is_asking(self) -> bool:
        """Whether newcomers are asked for proof."""
        return bool(self._asked)

    @property
    def contenders(self) -> list[Contender]:
        """Those who have no verdict yet, in the order in which they came."""
        return list(self._contenders)

    # What happens

    def join(self, newcomer: Contender) -> None:
        """Let a newcomer contend."""
        self._contenders[newcomer] = None
        self._ask_holder()
        self._review()

    def leave(self, newcomer: Contender, *, has_failed: bool = True) -> None:
        """A newcomer is gone, or wants something else; to leave when asked is to fail, unless it can't help it."""
        self._contenders.pop(newcomer, None)
        if newcomer in self._asked:
            newcomer.stop_asking()
            self._is_done(newcomer, has_failed=has_failed)
        if self.phase is not Phase.OVER:
            self._review()

    def holder_proved(self) -> None:
        """The holder has proved itself."""
        self.resolve(None, Why.PROVED)

    def holder_left(self) -> None:
        """The holder is gone, or holds something else: the first newcomer gets what it held."""
        self.probe.cancel()
        if self._contenders:
            self._pass_on(How.VACANCY)
        else:
            # The last one was just refused, which gave the holder what it wanted.
            self.resolve(None)

    def resolve(self, winner: Contender | None, why: Why | None = Why.LOST) -> None:
        """End the contest: ``winner`` gets the Remote ID by its proof, the others are refused.

        ``why``: None lets them go on elsewhere.
        """
        self.phase = Phase.OVER
        if self._timer is not None:
            self._timer.cancel()
        life = self.probe.life
        self.probe.cancel()
        run_all(self._verdicts(winner, why, life))

    def _verdicts(
        self, winner: Contender | None, why: Why | None, life: Life
    ) -> Iterator[Callable[[], object]]:
        for each in list(self._asked):
            self._asked.remove(each)
            yield each.stop_asking
        yield self.holder.stop_asking
        yield self._over
        if winner is not None:
            del self._contenders[winner]
            yield partial(self.holder.lose, How.PROOF, life, is_told=winner.is_here)
            yield partial(winner.win, How.PROOF)
        yield self.holder.review_offers
        while self._contenders:
            newcomer = next(iter(self._contenders))
            del self._contenders[newcomer]
            yield newcomer.let_go if why is None else partial(newcomer.refuse, why)

    # The holder

    def _begin_probe(self) -> Probe:
        return Probe(self.holder, self._terms.clock, self._terms.probe_seconds(), self._probed)

    def _probed(self) -> None:
        if self.probe.life is Life.SILENT:
            self.holder.lose(How.SILENCE, Life.SILENT, is_told=True)
            self._pass_on(How.SILENCE)
        else:
            self._review()

    def _ask_holder(self) -> None:
        newcomer = next(filter(self._may_ask, self._contenders), None)
        if newcomer is not None and not self.holder.has_proved:
            self.holder.ask(newcomer)

    def _holder_had_its_time(self) -> None:
        self._timer = None
        self.phase = Phase.NEWCOMERS
        self._review()

    def _pass_on(self, how: How) -> None:
        """Let the first newcomer hold the Remote ID; the others contend with it, and don't begin anew to wait."""
        self.holder.stop_asking()
        newcomer = next(iter(self._contenders))
        del self._contenders[newcomer]
        newcomer.stop_asking()
        self._asked.discard(newcomer)
        try:
            holder = newcomer.win(how)
        except Exception:
            self.resolve(None)
            raise
        if holder is None or not self._contenders:
            self.resolve(None, None)
            return
        self.holder = holder
        self.holder.review_offers()
        self.probe = self._begin_probe()
        self._ask_holder()
        self._review()

    # The newcomers

    def _may_ask(self, newcomer: Contender) -> bool:
        terms, remote_id = self._terms, self.remote_id
        must_wait = terms.failures.must_wait(newcomer.key, remote_id, terms.clock.seconds())
        return terms.can_prove(remote_id) and not must_wait

    def _review(self) -> None:
        """Give the verdicts that are due, and ask whoever is to be asked."""
        if self.probe.life is Life.ALIVE and self.holder.has_proved:
            self.resolve(None, Why.PROVED)
            return
        if self.phase is Phase.NEWCOMERS and not self._asked:
            self._begin_round()
        # One after the other: whoever is closed may hold what this holder wants, and so make it leave.
        while (newcomer := self._without_a_way()) is not None:
            self._refuse(newcomer, Why.ALIVE)
        if not self._contenders and self.phase is not Phase.OVER:
            self.resolve(None)

    def _without_a_way(self) -> Contender | None:
        """A newcomer that can't win any more, as the holder lives."""
        if self.probe.life is not Life.ALIVE:
            return None
        return next(
            (each for each in self.contenders if each not in self._asked and not self._may_ask(each)), None
        )

    def _begin_round(self) -> None:
        """Ask up to four newcomers of different addresses; who comes later waits for the next round.

        Between two rounds, what clients have offered goes to the holder: no offer waits for longer than a round.
        """
        for each in list(self._contenders):
            if each in self._contenders and self._is_next(each):
                if each.ask(partial(self._answered, each)):
                    self._asked.add(each)
                elif self.probe.life is Life.ALIVE:
                    self._refuse(each, Why.ALIVE)
        self.holder.review_offers()

    def _is_next(self, newcomer: Contender) -> bool:
        has_room = len(self._asked) < MAX_ASKED and all(newcomer.key != each.key for each in self._asked)
        return has_room and self._may_ask(newcomer)

    def _answered(self, newcomer: Contender, reason: str | None) -> None:
        if reason is None:
            self.resolve(newcomer)
        else:
            self._is_done(newcomer, has_failed=True)
            self._refuse(newcomer, Why.NO_PROOF)
            self._review()

    def _is_done(self, newcomer: Contender, *, has_failed: bool) -> None:
        if has_failed:
            self._terms.failures.add(newcomer.key, self.remote_id, self._terms.clock.seconds())
        self._asked.remove(newcomer)
        if not self._asked:
            self.holder.review_offers()

    def _refuse(self, newcomer: Contender, why: Why) -> None:
        del self._contenders[newcomer]
        newcomer.refuse(why)
