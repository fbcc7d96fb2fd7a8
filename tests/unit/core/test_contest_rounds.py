"""Newcomers in a contest are asked for proof, in rounds (docs/protocol.md, *Takeover*)."""

from __future__ import annotations

from ma_signaling.core.contest import Refusal, WonBy
from ma_signaling.core.probe import Life
from tests.support.contest_case import ContestTestCase


class NewcomersTest(ContestTestCase):
    """Newcomers are asked after 10 s."""

    def test_first_that_proves_gets_it(self) -> None:
        second, third = self.join("203.0.113.2", "203.0.113.3")
        self.lives()
        self.clock.advance(10)
        second.answers(None)
        assert self.holder.lost == (WonBy.PROOF, Life.ALIVE)
        self.assert_over((self.first, Refusal.LOST), (second, WonBy.PROOF), (third, Refusal.LOST))

    def test_whatever_the_probe_says(self) -> None:
        self.holder.is_busy = True
        self.clock.advance(10)
        self.first.answers(None)
        assert self.holder.lost == (WonBy.PROOF, Life.UNKNOWN)
        self.assert_over((self.first, WonBy.PROOF))

    def test_each_fails_by_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(10)
        self.first.answers("no answer")
        assert self.first.verdict is Refusal.NO_PROOF
        assert second.is_asked
        second.answers("no answer")
        self.assert_over((second, Refusal.NO_PROOF))

    def test_all_of_different_addresses_at_once(self) -> None:
        others = self.join("203.0.113.1", *(f"203.0.113.{number}" for number in range(2, 200)))
        self.lives()
        self.clock.advance(10)
        assert [actor.is_asked for actor in [self.first, *others]] == [True, False, *[True] * 198]

    def test_the_next_are_asked_when_the_round_is_over(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(10)
        late = self.join("203.0.113.3", "203.0.113.4")
        self.first.answers("no answer")
        assert not any(each.is_asked for each in late)
        second.answers("no answer")
        assert all(each.is_asked for each in late)

    def test_an_offer_waits_for_a_round_at_most(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(10)
        assert self.holder.offers_held == [True]
        self.join("203.0.113.3")
        for each in (self.first, second):
            each.answers("no answer")
        assert self.holder.offers_held == [True, False, True]

    def test_one_for_whom_there_is_no_room_waits_for_the_next_round(self) -> None:
        (second,) = self.join("203.0.113.2")
        second.can_be_asked = False
        self.lives()
        self.clock.advance(10)
        second.can_be_asked = True
        self.first.answers("no answer")
        assert second.is_asked

    def test_one_who_has_failed_and_comes_during_a_round_is_refused_at_once(self) -> None:
        self.failures.add("203.0.113.9", "ID", self.clock.seconds())
        self.lives()
        self.clock.advance(10)
        (again,) = self.join("203.0.113.9")
        assert again.verdict is Refusal.ALIVE
        assert self.first.is_asked

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
        self.assert_over((self.first, Refusal.NO_PROOF), (second, Refusal.ALIVE))

    def test_newcomer_that_leaves(self) -> None:
        self.contest.leave(self.first)
        assert not self.failures.must_wait(self.first.key, "ID", self.clock.seconds())

    def test_newcomers_that_come_and_go_have_the_holder_asked_once(self) -> None:
        """The contest goes on while the holder has time to prove itself."""
        for number in range(32):
            self.contest.leave(self.first)
            self.clock.advance(0.125)
            (self.first,) = self.join(f"203.0.113.{number}")
        self.lives()
        self.contest.leave(self.first)
        assert len(self.holder.pings) == 1
        self.clock.advance(5.999)
        assert self.holder.is_asked
        self.clock.advance(0.001)
        self.assert_over()

    def test_the_holder_proves_itself_when_nobody_waits(self) -> None:
        self.contest.leave(self.first)
        self.contest.resolve(None, Refusal.PROVED)
        self.assert_over()

    def test_the_holder_is_silent_when_nobody_waits(self) -> None:
        self.contest.leave(self.first)
        self.clock.advance(5)
        assert self.holder.lost is None
        self.assert_over()

    def test_to_leave_when_asked_is_to_fail(self) -> None:
        (second,) = self.join("203.0.113.1")
        self.lives()
        self.clock.advance(10)
        self.contest.leave(self.first)
        assert self.failures.must_wait(self.first.key, "ID", self.clock.seconds())
        self.assert_over((second, Refusal.ALIVE))

    def test_who_cannot_be_heard_has_not_failed(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(10)
        self.contest.leave(self.first, has_failed=False)
        assert not self.first.is_asked
        assert not self.failures.must_wait(self.first.key, "ID", self.clock.seconds())
        second.answers("no answer")
        assert self.holder.offers_held == [True, False]

    def test_who_failed_waits(self) -> None:
        self.contest.leave(self.first)
        self.failures.add(self.first.key, "ID", self.clock.seconds())
        self.begin()
        assert not self.holder.is_asked
        self.lives()
        assert self.first.verdict is Refusal.ALIVE

    def test_beyond_the_budget_of_proofs(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.first.can_be_asked = second.can_be_asked = False
        self.lives()
        self.clock.advance(10)
        self.assert_over((self.first, Refusal.ALIVE), (second, Refusal.ALIVE))
        assert not self.failures.must_wait(self.first.key, "ID", self.clock.seconds())

    def test_beyond_the_budget_of_proofs_while_a_busy_holder_is_silent(self) -> None:
        self.first.can_be_asked = False
        self.holder.is_busy = True
        self.clock.advance(10)
        assert self.first.verdict is None
        self.clock.advance(10)
        self.assert_over((self.first, WonBy.SILENCE))
