"""The states of a claim: no verdict is changed, and every claim that is under way can get each."""

from __future__ import annotations

from unittest import TestCase

from ma_signaling.cluster.claim_states import TABLE, Heard, State

OVER = (State.WON, State.LOST, State.WITHDRAWN)
UNDER_WAY = (State.ASKED, State.UNOPPOSED, State.PENDING)


class TableTest(TestCase):
    """What follows from what."""

    def test_a_verdict_is_final(self) -> None:
        assert set(TABLE) == set(State) == {*OVER, *UNDER_WAY}
        for state in OVER:
            assert TABLE[state] == {}

    def test_verdicts_and_ends_count_in_each_state(self) -> None:
        for state in UNDER_WAY:
            assert TABLE[state][Heard.GRANTED] is TABLE[state][Heard.NOBODY] is State.WON
            assert TABLE[state][Heard.REFUSED] is State.LOST
            assert TABLE[state][Heard.LEFT] is State.WITHDRAWN

    def test_time_decides_for_those_alone_who_wait_for_nobody(self) -> None:
        after = {state: TABLE[state][Heard.TIME_UP] for state in UNDER_WAY}
        assert after == {
            State.ASKED: State.ASKED,
            State.UNOPPOSED: State.WON,
            State.PENDING: State.ASKED,
        }

    def test_nothing_to_say_counts_less_than_a_judge(self) -> None:
        assert Heard.NO_OBJECTION not in TABLE[State.PENDING]
        assert Heard.NO_OBJECTION not in TABLE[State.UNOPPOSED], "its time would begin anew"
        assert TABLE[State.UNOPPOSED][Heard.WAIT] is State.PENDING
