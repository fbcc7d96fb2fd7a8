"""A contest for a Remote ID: each sentence of its rule (docs/protocol.md, *Takeover*), with actors for connections."""

from __future__ import annotations

from ma_signaling.core.contest import Contest, Refusal, WonBy
from ma_signaling.core.probe import Life
from tests.support.contest_case import ContestTestCase, HolderActor


class ProbeTest(ContestTestCase):
    """The holder is probed; silent, it loses the ID to the newcomer."""

    def test_silent_holder(self) -> None:
        self.clock.advance(4.999)
        assert self.first.verdict is None
        self.clock.advance(0.001)
        assert self.holder.lost == (WonBy.SILENCE, Life.SILENT)
        self.assert_over((self.first, WonBy.SILENCE))

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

    def test_one_probe_a_second(self) -> None:
        """A contest that begins within one waits; its holder has as long to answer."""
        self.contest.resolve(None)
        self.is_over, self.holder = False, HolderActor(self.clock)
        self.holder.pause = 0.75
        self.contest = self.holder.contest = Contest("ID", self.holder, self.terms, self.over)
        (self.first,) = self.join("203.0.113.1")
        self.clock.advance(0.749)
        assert self.holder.pings == []
        self.clock.advance(0.001)
        assert len(self.holder.pings) == 1
        self.clock.advance(4.999)
        assert self.holder.lost is None
        self.clock.advance(0.001)
        self.assert_over((self.first, WonBy.SILENCE))

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
        self.assert_over((self.first, WonBy.SILENCE))

    def test_busy_holder_that_answers_late(self) -> None:
        self.is_provable = False
        self.holder.is_busy = True
        self.clock.advance(19)
        self.lives()
        self.assert_over((self.first, Refusal.ALIVE))


class NotProvableTest(ContestTestCase):
    """Where proof can't be had, a holder that lives stays."""

    is_provable = False

    def test_holder_that_lives(self) -> None:
        assert not self.holder.is_asked
        self.lives()
        self.assert_over((self.first, Refusal.ALIVE))
        assert self.holder.lost is None

    def test_first_newcomer_gets_it_from_a_silent_holder(self) -> None:
        """The next one contends with it: it lives, too."""
        (second,) = self.join("203.0.113.2")
        self.clock.advance(5)
        assert self.first.verdict is WonBy.SILENCE
        assert second.verdict is None
        self.lives()
        self.assert_over((second, Refusal.ALIVE))


class HolderTest(ContestTestCase):
    """The holder is asked for proof at the same time."""

    def test_it_is_asked_at_once(self) -> None:
        assert self.holder.is_asked
        assert not self.first.is_asked

    def test_it_proves_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.contest.resolve(None, Refusal.PROVED)
        self.assert_over((self.first, Refusal.PROVED), (second, Refusal.PROVED))
        assert self.holder.lost is None

    def test_it_has_proved_itself_lately(self) -> None:
        self.holder = HolderActor(self.clock)
        self.holder.has_proved = True
        self.contest = self.holder.contest = Contest("ID", self.holder, self.terms, self.over)
        (self.first,) = self.join("203.0.113.1")
        assert not self.holder.is_asked
        assert self.first.verdict is None
        self.lives()
        assert self.first.verdict is Refusal.PROVED

    def test_it_has_proved_itself_lately_and_is_silent(self) -> None:
        """Its connection has broken without a word, and it may be its owner that returns."""
        self.holder.has_proved = True
        self.clock.advance(5)
        self.assert_over((self.first, WonBy.SILENCE))

    def test_it_proves_itself_late(self) -> None:
        self.lives()
        self.clock.advance(10)
        assert self.first.is_asked
        self.contest.resolve(None, Refusal.PROVED)
        self.assert_over((self.first, Refusal.PROVED))

    def test_its_failure_is_no_evidence(self) -> None:
        self.holder.is_asked = False
        self.lives()
        self.clock.advance(10)
        self.first.answers("no answer")
        self.assert_over((self.first, Refusal.NO_PROOF))
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
        self.assert_over((self.first, Refusal.ALIVE))


class VacancyTest(ContestTestCase):
    """The holder leaves, or is silent: the first newcomer gets the ID, and those who contend go on against it."""

    def test_only_newcomer(self) -> None:
        self.contest.holder_left()
        self.assert_over((self.first, WonBy.VACANCY))

    def test_the_others_contend_with_the_first(self) -> None:
        (owner,) = self.join("203.0.113.2")
        self.lives()
        self.clock.advance(6)
        self.contest.holder_left()
        assert self.first.verdict is WonBy.VACANCY
        assert self.first.holder.is_asked
        self.lives()
        self.clock.advance(4)
        assert owner.is_asked
        assert self.first.holder.are_offers_held
        owner.answers(None)
        assert self.first.holder.lost == (WonBy.PROOF, Life.ALIVE)
        assert not self.first.holder.is_asked
        self.assert_over((owner, WonBy.PROOF))

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
        assert self.first.verdict is WonBy.SILENCE
        assert not self.first.is_asked
        assert self.first.holder.is_asked
        assert self.first.holder.are_offers_held
        assert second.is_asked

    def test_the_new_holder_proves_itself(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.clock.advance(5)
        self.contest.resolve(None, Refusal.PROVED)
        self.assert_over((self.first, WonBy.SILENCE), (second, Refusal.PROVED))
        assert self.first.holder.lost is None

    def test_another_node_decides_for_the_others(self) -> None:
        (second,) = self.join("203.0.113.2")
        self.first.is_remote = True
        self.contest.holder_left()
        self.assert_over((self.first, WonBy.VACANCY), (second, "elsewhere"))
