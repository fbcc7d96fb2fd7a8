"""The round-trip time of a candidate at a fixed rate: from a client to its home and back."""

from __future__ import annotations

import time
from collections import deque
from statistics import median, quantiles

from benchmarks import texts
from benchmarks.conversations import CANDIDATES
from benchmarks.homes import Call, Home, all_arrive, all_leave, open_calls
from benchmarks.loop import WITHIN, Unexpected
from benchmarks.rounds import Figure, Side, by_turns, say
from benchmarks.script import expect
from benchmarks.websocket import Place

SECONDS = 2.5
SESSIONS_OF_A_HOME = 2
LATE = 0.0005
"""Seconds by which a candidate may be sent late; the generator must manage this for 99 of 100 candidates."""


class Pulse:
    """Round trips that begin on schedule, in many sessions by turns."""

    def __init__(self, place: Place, round_trips: float) -> None:
        """``round_trips`` is their number a second."""
        self._place = place
        self._interval = 1 / round_trips
        self._count = int(SECONDS * round_trips)
        self._homes = [Home() for _ in range(self._count // (CANDIDATES * SESSIONS_OF_A_HOME) + 1)]
        self._echoes: list[Echo] = []
        self._sent = 0
        self._late: list[float] = []
        self._due = 0.0
        self._ends = 0.0
        self.took: list[float] = []

    def prepare(self) -> None:
        """Open the sessions."""
        all_arrive(self._place, self._homes)
        calls = open_calls(self._place, self._homes, SESSIONS_OF_A_HOME)
        self._echoes = [Echo(call, self.took) for call in calls]

    def play(self) -> str | None:
        """Make all round trips; return why the figures tell nothing, or None."""
        self._due = time.perf_counter() + 0.01
        self._ends = self._due + SECONDS + WITHIN
        self._place.loop.spin(self._go_on)
        late = quantiles(self._late, n=100)[98]
        if late > LATE:
            return f"the generator was late: 1 of 100 candidates by {late * 1e3:.1f} ms and more"
        return None

    def clear(self) -> None:
        """Close the sessions."""
        for home in self._homes:
            home.calls.clear()
        all_leave(self._place, [echo.call.client for echo in self._echoes])
        all_leave(self._place, self._homes)

    def _go_on(self) -> bool:
        now = time.perf_counter()
        while self._due <= now and self._sent < self._count:
            self._echoes[self._sent % len(self._echoes)].begin(now)
            self._late.append(now - self._due)
            self._sent += 1
            self._due += self._interval
            now = time.perf_counter()
        if now > self._ends:
            raise Unexpected(f"{self._count - len(self.took)} candidates never came back")
        return len(self.took) < self._count


class Echo:
    """A session whose home sends each candidate back."""

    __slots__ = ("_began", "_text", "_took", "call")

    def __init__(self, call: Call, took: list[float]) -> None:
        self.call = call
        self._text = texts.CANDIDATE % (b"1", call.session_id)
        self._took = took
        self._began: deque[float] = deque()
        call.home.calls[call.session_id] = self._home_hears
        call.client.hear = self._client_hears

    def begin(self, now: float) -> None:
        """Send a candidate from the client."""
        self._began.append(now)
        self.call.client.say(self._text)

    def _home_hears(self, payload: bytes) -> None:
        expect(payload, self._text)
        self.call.home.say(payload)

    def _client_hears(self, payload: bytes) -> None:
        expect(payload, self._text)
        self._took.append(time.perf_counter() - self._began.popleft())


def latency(group: str, ours: Side, theirs: Side, relay: Figure, rounds: int) -> list[Figure]:
    """Measure median and 99th percentile at half the rate that the other side can relay, as measured by ``relay``."""
    if relay.is_refused:
        unknown = "what the other side can relay is not known"
        return [Figure(group, "round trip", "ms", relay.sides, refusals=[unknown], rounds=rounds)]
    capacity = 1 / median(relay.theirs)
    name = f"round trip at {capacity / 2:,.0f} candidates/s"
    figures = [
        Figure(group, f"{name}, {which}", "ms", (ours.name, theirs.name), rounds=rounds)
        for which in ("p50", "p99")
    ]
    for number in range(rounds * 2):
        if len(figures[0].ours) == rounds:
            break
        took: dict[Side, list[float]] = {}
        refusal = None
        for place in by_turns(number, (ours, theirs)):
            pulse = Pulse(place, capacity / 4)
            pulse.prepare()
            place.loop.pause(0.2)
            refused = pulse.play()
            refusal = refusal or refused
            took[place] = quantiles(pulse.took, n=100)
            pulse.clear()
            say(
                f"{group}, {name}, {place.name}: p50 {took[place][49] * 1e3:.2f} ms, "
                f"p99 {took[place][98] * 1e3:.2f} ms{', refused' if refused else ''}"
            )
        for figure, percent in zip(figures, (49, 98), strict=True):
            if refusal:
                figure.refusals.append(refusal)
            else:
                figure.add(took[ours][percent], took[theirs][percent])
    return figures
