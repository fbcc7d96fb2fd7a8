"""Measuring in rounds, with both servers by turns; rounds that the generator has limited are refused."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from benchmarks.conversations import Conversation
from benchmarks.loop import Loop
from benchmarks.servers import Server, busy
from benchmarks.websocket import Place

SERVER_AT_LEAST = 0.85
"""Share of the time for which the server must have been busy. With less, the generator was too slow."""

GENERATOR_BELOW = 0.90
"""Share of the time for which the generator may have been busy."""

PAUSE = 0.1
"""Seconds in which a server may finish its remaining work, which is charged to it."""

Make = Callable[[Place], Conversation]


@dataclass
class Figure:
    """One row of the report: the values of both sides in each round, and why some rounds were refused.

    ``unit`` is a key of ``report.UNITS``.
    """

    group: str
    name: str
    unit: str
    sides: tuple[str, str]
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    rounds: int = 0

    def add(self, ours: float, theirs: float) -> None:
        """Add the values of a round."""
        self.ours.append(ours)
        self.theirs.append(theirs)

    @property
    def is_refused(self) -> bool:
        """Whether there are no values, or fewer than half of the rounds have some."""
        return not self.ours or len(self.ours) * 2 < self.rounds

    @property
    def ratios(self) -> list[float]:
        """Ours to theirs, round by round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)


class Side(Place):
    """A measured server, as the peers of the generator see it."""

    def __init__(self, loop: Loop, server: Server, name: str = "") -> None:
        super().__init__(loop, server.port, secure=server.tls is not None)
        self.server = server
        self.name = name or server.kind.name


@dataclass(frozen=True)
class Sample:
    """One measurement of a server."""

    each: float
    """The server's processor seconds per unit played."""
    server: float
    """The share of the time for which the server was busy."""
    generator: float
    """The share of the time for which the generator was busy."""

    @property
    def refused(self) -> str | None:
        """Why this sample tells nothing about the server, or None."""
        if self.server < SERVER_AT_LEAST:
            return f"server busy for {self.server:.0%} only"
        if self.generator >= GENERATOR_BELOW:
            return f"generator busy for {self.generator:.0%}"
        return None


def say(text: str) -> None:
    """Print progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def measure(side: Side, make: Make) -> Sample:
    """Play one conversation, and return its measurement."""
    conversation = make(side)
    server = side.server
    conversation.prepare()
    gc.collect()
    side.loop.pause(PAUSE)
    began, cpu, had, own = time.perf_counter(), server.cpu(), server.busy(), busy(os.getpid())
    played = conversation.play()
    took = time.perf_counter() - began
    had, own = server.busy() - had, busy(os.getpid()) - own
    side.loop.pause(PAUSE)
    cpu = server.cpu() - cpu
    conversation.clear()
    return Sample(cpu / played, had / took, own / took)


Each = TypeVar("Each")


def by_turns(number: int, sides: Sequence[Each]) -> Sequence[Each]:
    """Return both sides in the order of round ``number``, which alternates."""
    return sides if number % 2 else sides[::-1]


def warm_up(sides: Sequence[Side], conversations: Mapping[str, Make], rounds: int) -> None:
    """Play all conversations without counting: Node needs some thousand sessions until all its code is compiled."""
    for _ in range(rounds):
        for make in conversations.values():
            for side in sides:
                measure(side, make)


def compare(
    group: str, ours: Side, theirs: Side, conversations: Mapping[str, Make], rounds: int
) -> list[Figure]:
    """Play each conversation on both sides in ``rounds`` rounds; repeat refused ones, up to ``rounds`` times."""
    figures = [Figure(group, name, "µs", (ours.name, theirs.name), rounds=rounds) for name in conversations]
    for number in range(rounds * 2):
        for figure in figures:
            if len(figure.ours) == rounds:
                continue
            samples = {
                side: measure(side, conversations[figure.name]) for side in by_turns(number, (ours, theirs))
            }
            refusals = [
                f"{side.name}: {sample.refused}" for side, sample in samples.items() if sample.refused
            ]
            figure.refusals += refusals
            if not refusals:
                figure.add(samples[ours].each, samples[theirs].each)
            say(
                f"{group}, {figure.name}, round {number + 1}: "
                + "; ".join(
                    f"{side.name} {sample.each * 1e6:.1f} µs, had work {sample.server:.0%} of the time, "
                    f"the generator {sample.generator:.0%}"
                    for side, sample in samples.items()
                )
                + (", refused" if refusals else "")
            )
    return figures
