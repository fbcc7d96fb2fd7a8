"""What a server takes to start, and to hold and ping idle homes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.crowd import Crowd
from benchmarks.rounds import Figure, by_turns, say
from benchmarks.servers import Kind, Server, Tls

SETTLES_WITHIN = 40.0
"""Seconds until all homes have been pinged once, and a garbage collector has run."""

IDLE_SECONDS = 60.0
"""Long enough for two rounds of pings."""


def idle(group: str, kinds: Sequence[Kind], tls: Tls | None, count: int, rounds: int) -> list[Figure]:
    """Measure the processor time of a minute with ``count`` homes that only answer pings, on both servers together."""
    figure = Figure(
        group, f"a minute of {count:,} idle homes", "ms", (kinds[0].name, kinds[1].name), rounds=rounds
    )
    for number in range(rounds):
        with ExitStack() as running:
            servers = {}
            for kind in by_turns(number, kinds):
                servers[kind] = running.enter_context(Server(kind, tls))
                running.enter_context(Crowd(servers[kind], count))
            before = {kind: server.cpu() for kind, server in servers.items()}
            time.sleep(IDLE_SECONDS)
            used = {kind: server.cpu() - before[kind] for kind, server in servers.items()}
        figure.add(used[kinds[0]], used[kinds[1]])
        say(
            f"{group}, {figure.name}: "
            + ", ".join(f"{kind.name} {value * 1e3:.0f} ms" for kind, value in used.items())
        )
    return [figure]


def start(kinds: Sequence[Kind], rounds: int) -> list[Figure]:
    """Measure the processor time until /health is answered; a first start, which may compile, isn't counted."""
    for kind in kinds:
        with Server(kind):
            pass
    figure = Figure("Start", "until /health is answered", "ms", (kinds[0].name, kinds[1].name), rounds=rounds)
    for number in range(rounds):
        used = {}
        for kind in by_turns(number, kinds):
            with Server(kind) as server:
                used[kind] = server.started_with
        figure.add(used[kinds[0]], used[kinds[1]])
        say(f"start: {', '.join(f'{kind.name} {value * 1e3:.0f} ms' for kind, value in used.items())}")
    return [figure]


def memory(
    group: str, kinds: Sequence[Kind], tls: Tls | None, counts: Sequence[int], rounds: int
) -> list[Figure]:
    """Measure the memory of the process with idle homes: a new process for each count, all settling together."""
    sides = (kinds[0].name, kinds[1].name)
    figures = [
        Figure(group, f"memory, {count:,} idle homes", "MiB", sides, rounds=rounds) for count in counts
    ]
    for number in range(rounds):
        with ExitStack() as running:
            servers = {}
            for count in counts:
                for kind in by_turns(number, kinds):
                    servers[kind, count] = running.enter_context(Server(kind, tls))
                    running.enter_context(Crowd(servers[kind, count], count))
            time.sleep(SETTLES_WITHIN)
            held = {each: server.memory() for each, server in servers.items()}
        for figure, count in zip(figures, counts, strict=True):
            figure.add(held[kinds[0], count], held[kinds[1], count])
            say(
                f"{group}, {figure.name}: "
                + ", ".join(f"{kind.name} {held[kind, count] / 2**20:.1f} MiB" for kind in kinds)
            )
    return figures
