"""What is played to the nodes of a cluster, and to a server on its own, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import product
from typing import NamedTuple

from benchmarks.conversations import BURST, CANDIDATES, SESSIONS_OF_A_HOME, Relay, exchange
from benchmarks.homes import Call, Home, all_arrive, all_leave
from benchmarks.loop import Loop
from benchmarks.rounds import Side
from benchmarks.script import side_by_side
from benchmarks.servers import NotReady
from benchmarks.texts import address

SESSIONS = 1000
AT_ONCE = 200
"""So that each node has as much at a time as a busy one has, and works it off together."""

BURSTS = (8, 8, 8, 1)
"""Candidates of each side of a call, at a time: a browser has 10 to 30."""

TALKS = 400
ARRIVALS = 1000
LOOKUPS = 2000


@dataclass(frozen=True)
class Place:
    """Where homes and clients of a conversation connect to, and who does the work for it."""

    name: str
    homes: Sequence[Side]
    clients: Sequence[Side]

    def cpu(self) -> float:
        """Seconds of processor time, of all that are part of it."""
        return sum(side.server.cpu() for side in {*self.homes, *self.clients})


class Prepared(NamedTuple):
    """A conversation that can begin."""

    number: int
    """How many there will be."""
    play: Callable[[], object]
    clear: Callable[[], None]
    """Clears it away."""


Play = Callable[[Loop, Place], Prepared]
"""Prepares a conversation."""


def sessions(loop: Loop, place: Place) -> Prepared:
    """Whole sessions with all homes in turn; each time round, the clients connect to the next place."""
    return _sessions(loop, place, lambda number, homes: number // homes)


def sessions_with_candidates(loop: Loop, place: Place) -> Prepared:
    """The same, with the candidates of both sides."""
    return _sessions(loop, place, lambda number, homes: number // homes, BURSTS)


def sessions_at_home(loop: Loop, place: Place) -> Prepared:
    """Whole sessions, of clients that connect where their home is."""
    return _sessions(loop, place, lambda number, homes: number % homes)


def _sessions(
    loop: Loop, place: Place, place_of: Callable[[int, int], int], bursts: Sequence[int] = ()
) -> Prepared:
    homes = [Home() for _ in range(SESSIONS // SESSIONS_OF_A_HOME)]
    for number, side in enumerate(place.homes):
        all_arrive(side, homes[number :: len(place.homes)])
    calls = []
    for number in range(SESSIONS):
        side = place.clients[place_of(number, len(homes)) % len(place.clients)]
        call = Call(side, homes[number % len(homes)])
        call.client.prepare(side)
        calls.append(call)

    return Prepared(
        SESSIONS,
        lambda: side_by_side(loop, (partial(call.whole, bursts=bursts) for call in calls), AT_ONCE),
        lambda: all_leave(place.homes[0], homes),
    )


def candidates(loop: Loop, place: Place) -> Prepared:
    """ICE candidates, a burst of each side at a time."""
    return _relay(loop, place, TALKS, BURST)


def single_candidates(loop: Loop, place: Place) -> Prepared:
    """ICE candidates, one of each side at a time."""
    return _relay(loop, place, TALKS // 4, 1)


def _relay(loop: Loop, place: Place, sessions: int, burst: int) -> Prepared:
    pairs = list(product(place.homes, place.clients))
    relays = [Relay(homes, sessions // len(pairs), burst, clients) for homes, clients in pairs]
    for relay in relays:
        relay.prepare()
    calls = [call for relay in relays for call in relay.calls]

    def clear() -> None:
        for relay in relays:
            relay.clear()

    return Prepared(len(calls) * CANDIDATES * 2, lambda: exchange(loop, calls, burst), clear)


def arrivals(loop: Loop, place: Place) -> Prepared:
    """Homes that connect and register."""
    (side,) = place.homes
    homes = [Home() for _ in range(ARRIVALS)]
    for home in homes:
        home.prepare(side)
    return Prepared(ARRIVALS, lambda: all_arrive(side, homes), lambda: all_leave(side, homes))


def lookups(loop: Loop, place: Place) -> Prepared:
    """/api/check, one after the other on one connection, for a home that is online."""
    (homes,), (clients,) = place.homes, place.clients
    home = Home()
    all_arrive(homes, [home])
    connection = HTTPConnection("127.0.0.1", clients.server.port, timeout=10)

    def play() -> None:
        for number in range(LOOKUPS):
            # 100 a minute for each address.
            if number % 50 == 0:
                headers = {"X-Forwarded-For": address()}
            connection.request("GET", f"/api/check/{home.remote_id}", headers=headers)
            if b"true" not in connection.getresponse().read():
                raise NotReady(f"{clients.name} does not find a home")

    def clear() -> None:
        connection.close()
        all_leave(homes, [home])

    return Prepared(LOOKUPS, play, clear)
