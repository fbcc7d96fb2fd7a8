"""A storm: the server is killed, and all its homes come back at the same time to a new one in its place."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.homes import Home, all_arrive
from benchmarks.loop import Loop, Unexpected
from benchmarks.rounds import GENERATOR_BELOW, Figure, Side, by_turns, say
from benchmarks.script import Hear, Script, side_by_side
from benchmarks.servers import Kind, Server, busy
from benchmarks.websocket import GONE, Place

AGAIN_AFTER = 1.0
"""Seconds after which a home whose try failed tries again."""

MOST_TRIES = 10
SETTLES_WITHIN = 40.0
"""Seconds until all homes have been pinged once, and a garbage collector has run."""

NAMES = (
    ("last home registered after", "s"),
    ("processor time for each home", "µs"),
    ("homes that never came back", ""),
    ("failed tries", ""),
    ("connections that the kernel put off", ""),
    ("peak memory", "MiB"),
    ("memory when all is quiet again", "MiB"),
)


def storm(loop: Loop, kinds: Sequence[Kind], count: int, rounds: int) -> list[Figure]:
    """Measure the same storm on both kinds of servers."""
    group = f"Storm of {count:,} homes"
    figures = [
        Figure(group, name, unit, (kinds[0].name, kinds[1].name), rounds=rounds) for name, unit in NAMES
    ]
    for number in range(rounds):
        seen = {kind: _storm(loop, kind, count) for kind in by_turns(number, kinds)}
        refusals = [seen[kind].refused for kind in kinds if seen[kind].refused]
        for figure, ours, theirs in zip(figures, seen[kinds[0]].seen, seen[kinds[1]].seen, strict=True):
            figure.refusals += refusals
            if not refusals:
                figure.add(ours, theirs)
    return figures


class Storm(NamedTuple):
    """The values of a storm, in the order of ``NAMES``, and why they are refused, if they are."""

    seen: list[float]
    refused: str


def _storm(loop: Loop, kind: Kind, count: int) -> Storm:
    homes = [Home() for _ in range(count)]
    # It listens as most people run it, since the length of the listener's queue decides how a storm goes.
    server = Server(kind, everywhere=True)
    server.start()
    try:
        place = Side(loop, server)
        all_arrive(place, homes)
        _cut_off(loop, server, homes)
        server.start()
        place = Side(loop, server)
        used, put_off, began, own = server.cpu(), _put_off(), time.monotonic(), busy(os.getpid())
        back = [Return(home, place) for home in homes]
        left, tries = back, 0
        while left and tries < MOST_TRIES:
            if tries:
                loop.pause(AGAIN_AFTER)
            side_by_side(loop, (each.come_back for each in left), at_once=len(left))
            left = [each for each in left if not each.is_back]
            tries += 1
        own = (busy(os.getpid()) - own) / (time.monotonic() - began)
        took = max(each.at for each in back) - began
        used = server.cpu() - used
        loop.pause(SETTLES_WITHIN)
        seen = [
            took,
            used / count,
            float(len(left)),
            float(sum(each.failures for each in back)),
            float(_put_off() - put_off),
            float(server.peak_memory()),
            float(server.memory()),
        ]
        for home in homes:
            home.vanish()
    finally:
        server.close()
    say(
        f"storm, {kind.name}: "
        + "; ".join(f"{name} {value:g}" for (name, _), value in zip(NAMES, seen, strict=True))
    )
    late = own >= GENERATOR_BELOW
    return Storm(seen, f"{kind.name}: generator busy for {own:.0%}" if late else "")


class Return:
    """A home that comes back."""

    def __init__(self, home: Home, place: Place) -> None:
        self._home = home
        self._place = place
        self.is_back = False
        self.at = 0.0
        self.failures = 0

    def come_back(self, hear: Hear) -> Script:
        """Try once to connect and register."""
        try:
            yield from self._home.arrive(self._place, hear)
        except (Unexpected, OSError):
            self.failures += 1
            self._home.vanish()
        else:
            self.is_back = True
            self.at = time.monotonic()


def _cut_off(loop: Loop, server: Server, homes: Sequence[Home]) -> None:
    """Kill the server, and return when every home's connection has ended."""
    left = len(homes)

    def hear(payload: bytes) -> None:
        nonlocal left
        left -= payload == GONE
        if not left:
            loop.stop()

    for home in homes:
        home.hear = hear
    server.kill()
    loop.run()


def _put_off() -> int:
    """Return how many connections the kernel has put off because a listener's queue was full (it tries again)."""
    lines = Path("/proc/net/netstat").read_text(encoding="ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index("ListenDrops")])
