"""A contest for a Remote ID: each sentence of its rule (docs/protocol.md, *Takeover*), with actors for connections."""

from __future__ import annotations

from collections.abc import Callable
from unittest import TestCase

from ma_signaling.core.contest import Contender, Contest, How, Phase, Terms, Why
from ma_signaling.core.failures import Failures
from ma_signaling.core.probe import Life
from tests.support.memory_hub import FakeClock


class HolderActor:
    """Who holds the ID."""

    def __init__(self, clock: FakeClock) -> None:
        self.is_busy = False
        self.has_proved = False
        self.pings: list[bytes] = []
        self.is_asked = False
        self.are_offers_held = False
        self.offers_held: list[bool] = []
        """Each change of it."""
        self.lost: tuple[How, Life] | None = None
        self.is_read_late = False
        self.unjudged: list[Callable[[], None]] = []
        """Verdicts on it that wait for what it has said, while that is read late."""
        self._clock = clock

    def ping(self, payload: bytes) -> None:
        """Be probed."""
        self.pings.append(payload)

    def after_reading(self, call: Callable[[], None]) -> None:
        """Be judged after what it has said."""
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

    def hold_offers(self, held: bool) -> None:
        """Get no offers, or get them."""
        if held != self.are_offers_held:
            self.offers_held.append(held)
        self.are_offers_held = held

    def lose(self, how: How, life: Life) -> None:
        """Lose the ID."""
        assert self.lost is None
        self.lost = how, life


class Newcomer:
    """Who wants the ID."""

    def __init__(self, clock: FakeClock, key: str) -> None:
        self.key = key
        self.can_be_asked = True
        self.is_remote = False
        self.is_asked = False
        self.verdict: How | Why | None = None
        self.holder = HolderActor(clock)
        """What it is once it has won."""
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

    def win(self, how: How) -> HolderActor | None:
        """Get the ID."""
        assert self.verdict is None
        assert not self.is_asked
        self.verdict = how
        return None if self.is_remote else self.holder

    def refuse(self, why: Why) -> None:
        """Be refused."""
        assert self.verdict is None
        assert not self.is_asked
        self.verdict = why


class ContestTestCase(TestCase):
    """A holder, and one newcomer that comes at 0 s."""

    is_provable = True

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.failures = Failures(100)
        self.terms = Terms(self.clock, self.failures, lambda: 5.0, lambda _: self.is_provable)
        self.begin()

    def begin(self) -> None:
        """Let the first newcomer come, to a new contest."""
        self.is_over = False
        self.holder = HolderActor(self.clock)
        self.contest = Contest("ID", self.holder, self.terms, self.over)
        (self.first,) = self.join("203.0.113.1")

    def over(self) -> None:
        """Hear that the contest is over."""
        assert not self.is_over
        self.is_over = True

    def join(self, *keys: str) -> list[Newcomer]:
        """Let more newcomers come."""
        actors = [Newcomer(self.clock, key) for key in keys]
        for actor in actors:
            self.contest.join(actor)
        return actors

    def lives(self) -> None:
        """Let the holder answer the probe."""
        assert isinstance(self.contest.holder, HolderActor)
        self.contest.probe.pong(self.contest.holder.pings[-1])

    def assert_over(self, *verdicts: tuple[Newcomer, How | Why]) -> None:
        assert self.is_over and self.contest.phase is Phase.OVER
        assert self.clock.timers == []
        assert not self.holder.are_offers_held and not self.holder.is_asked
        for actor, verdict in verdicts:
            assert actor.verdict is verdict
            assert not actor.is_asked


class ProbeTest(ContestTestCase):
    """The holder is probed; silent, it loses the ID to the newcomer."""

    def test_silent_holder(self) -> None:
        self.clock.advance(4.999)
        assert self.first.verdict is None
        self.clock.advance(0.001)
        assert self.holder.lost == (How.SILENCE, Life.SILENT)
        self.assert_over((self.first, How.SILENCE))

    def test_the_payload_is_random(self) -> None:
        (before,) = self.holder.pings
        self.begin()
        assert len(before) == 8
        assert self.holder.pings[0] != before

    def test_only_the_pong_with_its_payload_is_a_sign_of_life(self) -> None:
        for payload in (b"", b"12345678", self.holder.pings[0][:7]):
            self.contest.probe.pong(payload)
            assert self.contest.probe.life is Life.UNKNOWN
        self.lives()
        self.clock.advance(9)
        assert self.holder.lost is None

    def test_any_message_after_the_probe_is_a_sign_of_life(self) -> None:
        self.contest.probe.message()
        self.clock.advance(9)
        assert self.holder.lost is None

    def test_what_arrived_in_time_and_is_read_late_counts(self) -> None:
        self.holder.is_read_late = True
        self.clock.advance(8)
        self.lives()
        self.holder.unjudged[0]()
        assert self.holder.lost is None
        assert self.contest.probe.life is Life.ALIVE

    def test_holder_one_of_whose_sessions_waits_for_an_answer(self) -> None:
        self.is_provable = False
        self.holder.is_busy = True
        self.clock.advance(19.999)
        assert self.holder.lost is None
        self.clock.advance(0.001)
        self.assert_over((self.first, How.SILENCE))

    def test_busy_holder_that_answers_late(self) -> None:
        self.is_provable = False
        self.holder.is_busy = True
        self.clock.advance(19)
        self.lives()
        self.assert_over((self.first, Why.ALIVE))


class NotProvableTest(ContestTestCase):
    """Where proof can't be had, a holder that lives stays."""

    is_provable = False

    def test_holder_that_lives(self) -> None:
        assert not self.holder.is_asked
        self.lives()
        self.assert_over((self.first, Why.ALIVE))
        assert self.holder.lost is None

    def test_first_newcomer_gets_it_from_a_silent_holder(self) -> None:
        """The next one contends with it: it lives, too."""
        (second,) = self.join("203.0.113.2")
        self.clock.advance(5)
        assert self.first.verdict is How.SILENCE
        assert second.verdict is None
        self.lives()
        self.assert_over((second, Why.ALIVE))


class HolderTest(ContestTestCase):
    """The holder is asked for proof at the same time."""

    def test_it_is_asked_at_once(self) -> None:
        assert self.holder.is_asked
        assert not self.first.is_asked

    def test_it_proves_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.contest.holder_proved()
        self.assert_over((self.first, Why.PROVED), (second, Why.PROVED))
        assert self.holder.lost is None

    def test_it_has_proved_itself_lately(self) -> None:
        self.holder = HolderActor(self.clock)
        self.holder.has_proved = True
        self.contest = Contest("ID", self.holder, self.terms, self.over)
        (self.first,) = self.join("203.0.113.1")
        assert not self.holder.is_asked
        assert self.first.verdict is None
        self.lives()
        assert self.first.verdict is Why.PROVED

    def test_it_has_proved_itself_lately_and_is_silent(self) -> None:
        """Its connection has broken without a word, and it may be its owner that returns."""
        self.holder.has_proved = True
        self.clock.advance(5)
        self.assert_over((self.first, How.SILENCE))

    def test_it_proves_itself_late(self) -> None:
        self.lives()
        self.clock.advance(10)
        assert self.first.is_asked
        self.contest.holder_proved()
        self.assert_over((self.first, Why.PROVED))

    def test_its_failure_is_no_evidence(self) -> None:
        self.holder.is_asked = False
        self.lives()
        self.clock.advance(10)
        self.first.answers("no answer")
        self.assert_over((self.first, Why.NO_PROOF))
        assert self.holder.lost is None

    def test_its_sign_of_life_is_no_proof(self) -> None:
        self.lives()
        self.clock.advance(9.999)
        assert self.first.verdict is None
        assert not self.first.is_asked

    def test_proof_that_can_be_had_no_longer(self) -> None:
        self.lives()
        self.is_provable = False
        self.clock.advance(10)
        self.assert_over((self.first, Why.ALIVE))


class NewcomersTest(ContestTestCase):
    """Newcomers are asked after 10 s."""

    def test_first_that_proves_gets_it(self) -> None:
        second, third = self.join("203.0.113.2", "203.0.113.3")
        self.lives()
        self.clock.advance(10)
        second.answers(None)
        assert self.holder.lost == (How.PROOF, Life.ALIVE)
        self.assert_over((self.first, Why.LOST), (second, How.PROOF), (third, Why.LOST))

    def test_whatever_the_probe_says(self) -> None:
        self.holder.is_busy = True
        self.clock.advance(10)
        self.first.answers(None)
        assert self.holder.lost == (How.PROOF, Life.UNKNOWN)
        self.assert_over((self.first, How.PROOF))

    def test_each_fails_by_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(10)
        self.first.answers("no answer")
        assert self.first.verdict is Why.NO_PROOF
        assert second.is_asked
        second.answers("no answer")
        self.assert_over((second, Why.NO_PROOF))

    def test_four_of_different_addresses_at_once(self) -> None:
        others = self.join("203.0.113.1", *(f"203.0.113.{number}" for number in range(2, 7)))
        self.lives()
        self.clock.advance(10)
        assert [actor.is_asked for actor in [self.first, *others]] == [
            True,
            False,
            True,
            True,
            True,
            False,
            False,
        ]

    def test_the_next_are_asked_when_the_round_is_over(self) -> None:
        others = self.join(*(f"203.0.113.{number}" for number in range(2, 6)))
        self.lives()
        self.clock.advance(10)
        for each in [self.first, *others[:2]]:
            each.answers("no answer")
        (late,) = self.join("203.0.113.9")
        assert not others[3].is_asked
        assert not late.is_asked
        others[2].answers("no answer")
        assert others[3].is_asked
        assert late.is_asked

    def test_an_offer_waits_for_a_round_at_most(self) -> None:
        self.join(*(f"203.0.113.{number}" for number in range(2, 6)))
        self.lives()
        self.clock.advance(10)
        assert self.holder.offers_held == [True]
        for each in self.contest.contenders[:4]:
            assert isinstance(each, Newcomer)
            each.answers("no answer")
        assert self.holder.offers_held == [True, False, True]

    def test_newcomer_that_comes_late_is_asked_at_once(self) -> None:
        """The holder has had its 10 s."""
        (second,) = self.join("203.0.113.2")
        self.contest.leave(self.first)
        self.lives()
        self.clock.advance(9)
        (third,) = self.join("203.0.113.3")
        self.clock.advance(1)
        assert second.is_asked
        assert third.is_asked

    def test_another_of_the_same_address_is_refused_when_the_first_fails(self) -> None:
        (second,) = self.join("203.0.113.1")
        self.lives()
        self.clock.advance(10)
        self.first.answers("no answer")
        self.assert_over((self.first, Why.NO_PROOF), (second, Why.ALIVE))

    def test_newcomer_that_leaves(self) -> None:
        self.contest.leave(self.first)
        self.assert_over()
        assert not self.failures.must_wait(self.first.key, "ID", self.clock.seconds())

    def test_to_leave_when_asked_is_to_fail(self) -> None:
        (second,) = self.join("203.0.113.1")
        self.lives()
        self.clock.advance(10)
        self.contest.leave(self.first)
        assert self.failures.must_wait(self.first.key, "ID", self.clock.seconds())
        self.assert_over((second, Why.ALIVE))

    def test_who_failed_waits(self) -> None:
        self.contest.leave(self.first)
        self.failures.add(self.first.key, "ID", self.clock.seconds())
        self.begin()
        assert not self.holder.is_asked
        self.lives()
        self.assert_over((self.first, Why.ALIVE))

    def test_beyond_the_budget_of_proofs(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.first.can_be_asked = False
        self.lives()
        self.clock.advance(10)
        assert self.first.verdict is Why.ALIVE
        assert second.is_asked
        assert not self.failures.must_wait(self.first.key, "ID", self.clock.seconds())

    def test_beyond_the_budget_of_proofs_while_a_busy_holder_is_silent(self) -> None:
        self.first.can_be_asked = False
        self.holder.is_busy = True
        self.clock.advance(10)
        assert self.first.verdict is None
        self.clock.advance(10)
        self.assert_over((self.first, How.SILENCE))


class VacancyTest(ContestTestCase):
    """The holder leaves, or is silent: the first newcomer gets the ID, and those who contend go on against it."""

    def test_only_newcomer(self) -> None:
        self.contest.holder_left()
        self.assert_over((self.first, How.VACANCY))

    def test_the_others_contend_with_the_first(self) -> None:
        (owner,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(6)
        self.contest.holder_left()
        assert self.first.verdict is How.VACANCY
        assert self.first.holder.is_asked
        self.lives()
        self.clock.advance(4)
        assert owner.is_asked
        assert self.first.holder.are_offers_held
        owner.answers(None)
        assert self.first.holder.lost == (How.PROOF, Life.ALIVE)
        assert not self.first.holder.is_asked
        self.assert_over((owner, How.PROOF))

    def test_handing_it_on_wins_no_time(self) -> None:
        """Accomplices take it from each other, and the owner is asked 10 s after the contest began all the same."""
        *_, owner = self.join("203.0.113.2", "203.0.113.3", "203.0.113.4")
        for _ in range(3):
            self.clock.advance(3)
            self.contest.holder_left()
            self.lives()
        self.clock.advance(1)
        assert owner.is_asked

    def test_who_is_asked_and_gets_it_so_is_asked_anew(self) -> None:
        """What it proves as a newcomer wouldn't count for a holder."""
        (second,) = self.join("203.0.113.2")
        self.holder.is_busy = True
        self.clock.advance(20)
        assert self.first.verdict is How.SILENCE
        assert not self.first.is_asked
        assert self.first.holder.is_asked
        assert self.first.holder.are_offers_held
        assert second.is_asked

    def test_the_new_holder_proves_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.clock.advance(5)
        self.contest.holder_proved()
        self.assert_over((self.first, How.SILENCE), (second, Why.PROVED))
        assert self.first.holder.lost is None

    def test_another_node_decides_for_the_others(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.first.is_remote = True
        self.contest.holder_left()
        self.assert_over((self.first, How.VACANCY), (second, Why.LOST))
