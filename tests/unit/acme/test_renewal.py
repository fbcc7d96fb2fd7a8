"""When a CA is asked, with the time in the test's hands."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme.renewal import (
    DAY,
    LONGEST_RETRY,
    LOOK_SECONDS,
    RELOAD_RETRY,
    Held,
    Record,
    Step,
    next_step,
)

NAMES = ("a.example.org", "b.example.org")
NOW = 1_800_000_000.0
HELD = Held(NOW, NOW + 90 * DAY, frozenset(NAMES), "1f")


class NextStepTest(SynchronousTestCase):
    """What is to be done at a moment."""

    def setUp(self) -> None:
        self.record = Record()

    def step(self, held: Held | None, now: float) -> Step:
        return next_step(held, NAMES, self.record, now)[0]

    def test_first(self) -> None:
        assert self.step(None, NOW) is Step.ISSUE

    def test_a_third_before_the_end(self) -> None:
        self.record.advise(NOW + 59 * DAY, "1f", None, NOW + 60 * DAY)
        assert self.step(HELD, NOW + 60 * DAY - 1) is not Step.ISSUE
        assert self.step(HELD, NOW + 60 * DAY) is Step.ISSUE

    def test_other_names(self) -> None:
        assert next_step(HELD, (*NAMES, "c.example.org"), self.record, NOW)[0] is Step.ISSUE
        assert next_step(HELD, ("a.example.org",), self.record, NOW)[0] is not Step.ISSUE, (
            "a CA may add names"
        )

    def test_advice(self) -> None:
        """RFC 9773: it may be renewed earlier, and the CA is asked again when it wants to be."""
        assert self.step(HELD, NOW) is Step.ADVISE
        self.record.advise(NOW, "1f", NOW + 5, NOW + 3600)
        assert next_step(HELD, NAMES, self.record, NOW) == (Step.WAIT, 5.0)
        assert self.step(HELD, NOW + 5) is Step.ISSUE
        self.record.advise(NOW, "1f", NOW + 50 * DAY, NOW + 3600)
        assert next_step(HELD, NAMES, self.record, NOW) == (Step.WAIT, LOOK_SECONDS)
        assert self.step(HELD, NOW + 3600) is Step.ADVISE

    def test_advice_is_asked_for_neither_at_once_nor_never(self) -> None:
        for ask_at, kept in ((NOW, 60.0), (NOW - 9 * DAY, 60.0), (NOW + 9 * DAY, DAY), (NOW + 7200, 7200.0)):
            self.record.advise(NOW, "1f", None, ask_at)
            assert self.record.ask_at == NOW + kept
            assert self.step(HELD, NOW) is Step.WAIT

    def test_advice_for_another_certificate_is_worth_nothing(self) -> None:
        self.record.advise(NOW, "1e", NOW, NOW + 3600)
        assert self.step(HELD, NOW) is Step.ADVISE

    def test_advice_never_puts_off(self) -> None:
        self.record.advise(NOW + 60 * DAY, "1f", NOW + 85 * DAY, NOW + 60 * DAY + 3600)
        assert self.step(HELD, NOW + 60 * DAY) is Step.ISSUE

    def test_never_more_than_five_an_hour(self) -> None:
        now, attempts = NOW, []
        while now < NOW + 3 * DAY:
            step, seconds = next_step(None, NAMES, self.record, now)
            if step is Step.ISSUE:
                attempts.append(now)
                self.record.begin(now)
            else:
                assert 0 < seconds <= LOOK_SECONDS
                now += seconds
        assert [at - NOW for at in attempts[:5]] == [0, 60, 360, 960, 2160]
        assert all(late - early > 3600 for early, late in zip(attempts, attempts[5:], strict=False))
        assert attempts[-1] - attempts[-2] == LONGEST_RETRY

    def test_both_kinds_of_challenges_are_tried(self) -> None:
        kinds = []
        for _ in range(3):
            self.record.begin(NOW)
            kinds.append(self.record.challenges()[0])
        assert kinds == ["tls-alpn-01", "http-01", "tls-alpn-01"]

    def test_the_limit_of_a_ca(self) -> None:
        """Not even a reload breaks it; a day is the longest that a CA is believed."""
        self.record.begin(NOW)
        self.record.refused(NOW, 7200.0)
        self.record.retry_now()
        assert self.step(None, NOW + 7199) is Step.WAIT
        assert self.step(None, NOW + 7200) is Step.ISSUE
        self.record.refused(NOW, 1e9)
        assert self.record.limited_until == NOW + DAY

    def test_reload(self) -> None:
        self.record.begin(NOW)
        self.record.retry_now()
        assert self.step(None, NOW + RELOAD_RETRY - 1) is Step.WAIT
        assert self.step(None, NOW + RELOAD_RETRY) is Step.ISSUE

    def test_success(self) -> None:
        self.record.begin(NOW)
        self.record.refused(NOW, 600.0)
        self.record.succeeded(NOW + 5, NOW + 1800)
        assert self.record.failures == 0
        assert self.step(None, NOW + 1799) is Step.WAIT
        assert self.step(None, NOW + 1800) is Step.ISSUE

    def test_a_success_that_leaves_a_certificate_due(self) -> None:
        """The clock, or the CA's advice, may want another one at once: it is asked for once an hour."""
        self.record.begin(NOW)
        self.record.succeeded(NOW + 5, 0.0)
        assert self.step(None, NOW + 3599) is Step.WAIT
        assert self.step(None, NOW + 3600) is Step.ISSUE
        self.record.succeeded(NOW + 5, NOW + 60 * DAY)
        self.record.advise(NOW + 6, "1f", NOW - DAY, NOW + 7200)
        assert self.step(HELD, NOW + 3599) is Step.WAIT
        assert self.step(HELD, NOW + 3600) is Step.ISSUE

    def test_a_clock_that_was_wrong(self) -> None:
        self.record.begin(NOW + 1000 * DAY)
        assert self.step(None, NOW) is Step.ISSUE
        self.record.advise(NOW + 1000 * DAY, "1f", None, NOW + 1000 * DAY)
        assert self.step(HELD, NOW) is Step.ADVISE

    def test_what_is_kept(self) -> None:
        record = replace(self.record, wanted="x", failures=3, retry_at=NOW, advised_for="1f", renew_at=NOW)
        assert Record.parse(record.as_json()) == record
        for strange in ('"many"', "-7", "1.5", "1e30", "null", "[]"):
            content = f'{{"failures": {strange}, "of_a_newer_version": 1}}'
            assert Record.parse(content.encode()) == Record()
        for nonsense in (b"", b"[]", b"\xff"):
            with self.assertRaises(ValueError):
                Record.parse(nonsense)
