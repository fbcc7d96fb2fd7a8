"""A clock for the core (`ma_signaling.core.peer.Clock`) that only a test moves."""

from __future__ import annotations

from collections.abc import Callable


class FakeTimer:
    """A call that a `FakeClock` will make. Like Twisted's, it may be cancelled only once."""

    def __init__(self, clock: FakeClock, due: float, call: Callable[[], object], name: str) -> None:
        self.due = due
        self.call = call
        self._clock = clock
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name} at {self.due:g}>"

    def cancel(self) -> None:
        """Forget the call."""
        assert self in self._clock.timers, f"{self} was called or cancelled before"
        self._clock.timers.remove(self)


class FakeClock:
    """Time that stands still until `advance`. `timers` are the calls to come."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self.timers: list[FakeTimer] = []

    def seconds(self) -> float:
        """The time."""
        return self._now

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> FakeTimer:
        """Call `function` after `delay` seconds."""
        assert delay >= 0, f"{delay} seconds from now is in the past"
        name = getattr(function, "__qualname__", repr(function))
        timer = FakeTimer(self, self._now + delay, lambda: function(*args), name)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and make each call at its time; calls due at the same time, in the order of scheduling."""
        until = self._now + seconds
        while due := [timer for timer in self.timers if timer.due <= until]:
            timer = min(due, key=lambda each: each.due)
            self.timers.remove(timer)
            self._now = timer.due
            timer.call()
        self._now = until
