"""Measuring a conversation, the same on both servers by turns, and refusing what the generator has limited."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from benchmarks.conversations import Conversation
from benchmarks.load import Place
from benchmarks.servers import busy

SERVER_AT_LEAST = 0.85
"""Share of the time in which the server must have had work, or it was the generator that was slow."""

GENERATOR_BELOW = 0.90
"""Share of the time in which the generator may have had work."""

PAUSE = 0.1
"""Seconds in which a server may finish what it still has to do; it is charged for it."""


@dataclass(frozen=True)
class Sample:
    """One measurement: the server's processor seconds for each of what was played, and who had work for how long."""

    each: float
    server: float
    generator: float

    @property
    def refused(self) -> str | None:
        """Why this sample tells nothing about the server, or None."""
        if self.server < SERVER_AT_LEAST:
            return f"the server had work for only {self.server:.0%} of the time"
        if self.generator >= GENERATOR_BELOW:
            return f"the generator had work for {self.generator:.0%} of the time"
        return None


@dataclass
class Comparison:
    """The samples of one conversation on both servers, round by round."""

    name: str
    ours: list[Sample] = field(default_factory=list)
    peers: list[Sample] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def add(self, ours: Sample, peers: Sample) -> None:
        """Take a round, or note why not."""
        if ours.refused or peers.refused:
            self.refusals += [f"ours: {ours.refused}"] if ours.refused else []
            self.refusals += [f"peer: {peers.refused}"] if peers.refused else []
        else:
            self.ours.append(ours)
            self.peers.append(peers)

    @property
    def ratios(self) -> list[float]:
        """What it cost here, for each round, with the peer's cost as 1."""
        return [ours.each / peers.each for ours, peers in zip(self.ours, self.peers, strict=True)]

    @property
    def each(self) -> tuple[float, float]:
        """The medians of both."""
        return median(s.each for s in self.ours), median(s.each for s in self.peers)


async def measure(place: Place, make: Callable[[Place], Conversation]) -> Sample:
    """Play one conversation."""
    conversation = make(place)
    server = place.server
    await conversation.prepare()
    await asyncio.sleep(PAUSE)
    gc.collect()
    began, cpu, had, own = time.perf_counter(), server.cpu(), server.busy(), busy(os.getpid())
    played = await conversation.play()
    took = time.perf_counter() - began
    had, own = server.busy() - had, busy(os.getpid()) - own
    await asyncio.sleep(PAUSE)
    cpu = server.cpu() - cpu
    await conversation.clear()
    return Sample(cpu / played, had / took, own / took)


async def compare(
    places: tuple[Place, Place], conversations: Mapping[str, Callable[[Place], Conversation]], rounds: int
) -> dict[str, Comparison]:
    """Play each conversation in so many rounds, each on both, the first one first by turns.

    A refused round is played again, so many times in all that half of them may be refused.
    """
    comparisons = {name: Comparison(name) for name in conversations}
    for number in range(rounds * 2):
        for name, make in conversations.items():
            comparison = comparisons[name]
            if len(comparison.ours) == rounds:
                continue
            samples = {place: await measure(place, make) for place in places[:: 1 if number % 2 else -1]}
            comparison.add(samples[places[0]], samples[places[1]])
    return comparisons
