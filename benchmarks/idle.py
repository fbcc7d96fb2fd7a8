"""What a server takes while nothing happens: to start, and to hold idle homes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.homes import Home, all_arrive
from benchmarks.loop import Loop
from benchmarks.rounds import Figure, by_turns, say
from benchmarks.servers import Kind, NotReady, Server, Tls
from benchmarks.websocket import Place

SETTLES_WITHIN = 40.0
"""Seconds until all have been pinged once, and a garbage collector has had its turn."""


def start(kinds: Sequence[Kind], rounds: int) -> list[Figure]:
    """Processor time until /health is answered."""
    figure = Figure("process", "start", "ms", rounds=rounds)
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
    """Memory of the whole process with so many idle homes: a new process for each number, all waiting together."""
    figures = [Figure(group, f"memory, {count:,} idle homes", "MiB", rounds=rounds) for count in counts]
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


class Crowd:
    """Idle homes in a process of their own, since the descriptors of one don't suffice for all."""

    def __init__(self, server: Server, count: int) -> None:
        self._server = server
        self._count = count
        self._pid = 0

    def __enter__(self) -> Crowd:
        """Return once all have arrived; raises ``NotReady``."""
        ready, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._hold(tell)
        os.close(tell)
        with os.fdopen(ready, "rb") as answer:
            if answer.read() != b"ready":
                raise NotReady(f"{self._count:,} homes could not arrive")
        return self

    def __exit__(self, *error: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _hold(self, tell: int) -> None:
        parent = os.getppid()
        try:
            loop = Loop()
            all_arrive(Place(loop, self._server), [Home() for _ in range(self._count)])
            os.write(tell, b"ready")
            os.close(tell)
            while os.getppid() == parent:
                loop.pause(1)
        finally:
            os._exit(0)
