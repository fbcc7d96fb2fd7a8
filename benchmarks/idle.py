"""What a server takes while nothing happens: to start, and to hold idle homes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.homes import Home, all_arrive
from benchmarks.loop import Loop
from benchmarks.rounds import Figure, by_turns, say
from benchmarks.servers import Kind, Server, Tls
from benchmarks.websocket import Place

SETTLES_WITHIN = 3.0
"""Seconds after the last arrival until the memory is read."""


def start(kinds: Sequence[Kind], rounds: int) -> list[Figure]:
    """Processor time until /health is answered."""
    figure = Figure("process", "start", "ms", rounds=rounds)
    for number in range(rounds):
        used = {}
        for kind in by_turns(number, kinds):
            with Server(kind) as server:
                used[kind] = server.started_with
        figure.add(used[kinds[0]], used[kinds[1]])
    say(f"start: {', '.join(f'{value * 1e3:.0f} ms' for value in used.values())}")
    return [figure]


def memory(
    loop: Loop, group: str, kinds: Sequence[Kind], tls: Tls | None, counts: Sequence[int], rounds: int
) -> list[Figure]:
    """Memory of the whole process with so many idle homes, each time of a new process."""
    figures = [Figure(group, f"memory, {count:,} idle homes", "MiB", rounds=rounds) for count in counts]
    for number in range(rounds):
        held = {kind: _held(loop, kind, tls, counts) for kind in by_turns(number, kinds)}
        for figure, ours, theirs in zip(figures, held[kinds[0]], held[kinds[1]], strict=True):
            figure.add(ours, theirs)
    return figures


def _held(loop: Loop, kind: Kind, tls: Tls | None, counts: Sequence[int]) -> list[int]:
    homes: list[Home] = []
    held = []
    with Server(kind, tls) as server:
        place = Place(loop, server)
        for count in counts:
            new = [Home() for _ in range(count - len(homes))]
            all_arrive(place, new)
            homes += new
            loop.pause(SETTLES_WITHIN)
            held.append(server.memory())
        for home in homes:
            home.vanish()
    say(f"memory, {kind.name}: {', '.join(f'{value / 2**20:.0f} MiB' for value in held)}")
    return held
