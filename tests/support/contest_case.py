"""Actors of a contest: its holder and its newcomers, without connections."""

from __future__ import annotations

from collections.abc import Callable
from unittest import TestCase

from ma_signaling.core.contest import Contender, Contest, Phase, Refusal, Terms, WonBy
from ma_signaling.core.failed_proofs import FailedProofs
from ma_signaling.core.probe import Life
from tests.support.fake_clock import FakeClock


class HolderActor:
    """The holder of the ID (``contest.Holder``)."""

    name = "c0"

    def __init__(self, clock: FakeClock) -> None:
        self.contest: Contest
        self.is_busy = False
        self.pause = 0.0
        self.has_proved = False
        self.pings: list[bytes] = []
        self.is_asked = False
        self.are_offers_held = False
        self.offers_held: list[bool] = []
        """Whether offers are held back, at each change."""
        self.lost: tuple[WonBy, Life] | None = None
        self.is_read_late = False
        self.unjudged: list[Callable[[], None]] = []
        """Verdicts on it that wait until its messages have been read, while reading is late."""
        self._clock = clock

    def ping(self, payload: bytes) -> None:
        """Be probed."""
        self.pings.append(payload)

    def after_reading(self, call: Callable[[], None]) -> None:
        """Be judged after its messages have been read."""
        if self.is_read_late:
            self.unjudged.append(call)
        else:
            self._clock.callLater(0, call)

    def ask(self, newcomer: Contender) -> None:
        """Be asked for proof."""
        self.is_asked = True

    def stop_asking(self) -> None:
        """Be asked no longer."""
        self.is_asked = False

    def review_offers(self) -> None:
        """Note whether offers are held back."""
        held = self.contest.is_asking
        if held != self.are_offers_held:
            self.offers_held.append(held)
        self.are_offers_held = held

    def lose(self, how: WonBy, life: Life, *, is_told: bool) -> None:
        """Lose the ID."""
        assert self.lost is None
        self.lost = how, life


class Newcomer:
    """A newcomer, which wants the ID (``contest.Contender``)."""

    def __init__(self, clock: FakeClock, key: str) -> None:
        self.key = key
        self.is_here = True
        self.can_be_asked = True
        self.is_remote = False
        self.is_asked = False
        self.verdict: WonBy | Refusal | str | None = None
        self.holder = HolderActor(clock)
        """The holder that it becomes when it wins."""
        self._ended: Callable[[str | None], None]

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        """Be asked for proof."""
        assert self.verdict is None
        self.is_asked, self._ended = self.can_be_asked, ended
        return self.can_be_asked

    def answers(self, reason: str | None) -> None:
        """Prove itself (None), or fail."""
        assert self.is_asked
        self.is_asked = False
        self._ended(reason)

    def stop_asking(self) -> None:
        """Be asked no longer."""
        self.is_asked = False

    def win(self, how: WonBy) -> HolderActor | None:
        """Get the ID."""
        assert self.verdict is None
        assert not self.is_asked
        self.verdict = how
        return None if self.is_remote else self.holder

    def refuse(self, why: Refusal) -> None:
        """Be refused."""
        assert self.verdict is None
        assert not self.is_asked
        self.verdict = why

    def let_go(self) -> None:
        """Get no verdict: contend on another node."""
        assert self.verdict is None
        assert not self.is_asked
        self.verdict = "elsewhere"


class ContestTestCase(TestCase):
    """A holder, and one newcomer that comes at 0 s."""

    is_provable = True

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.failures = FailedProofs(100)
        self.terms = Terms(self.clock, self.failures, lambda: 5.0, lambda _: self.is_provable)
        self.begin()

    def begin(self) -> None:
        """Begin a new contest with the first newcomer."""
        self.is_over = False
        self.holder = HolderActor(self.clock)
        self.contest = self.holder.contest = Contest("ID", self.holder, self.terms, self.over)
        (self.first,) = self.join("203.0.113.1")

    def over(self) -> None:
        """Note that the contest is over."""
        assert not self.is_over
        self.is_over = True

    def join(self, *keys: str) -> list[Newcomer]:
        """Let more newcomers come."""
        actors = [Newcomer(self.clock, key) for key in keys]
        for actor in actors:
            actor.holder.contest = self.contest
            self.contest.join(actor)
        return actors

    def lives(self) -> None:
        """Let the holder answer the probe."""
        assert isinstance(self.contest.holder, HolderActor)
        self.contest.probe.pong(self.contest.holder.pings[-1])

    def assert_over(self, *verdicts: tuple[Newcomer, WonBy | Refusal | str]) -> None:
        assert self.is_over and self.contest.phase is Phase.OVER
        assert self.clock.timers == []
        assert not self.holder.are_offers_held and not self.holder.is_asked
        for actor, verdict in verdicts:
            assert actor.verdict is verdict
            assert not actor.is_asked
