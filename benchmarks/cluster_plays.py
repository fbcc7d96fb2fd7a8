"""The conversations played to the nodes of a cluster and, for comparison, to a server on its own."""

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
"""Sessions at the same time: as on a busy node, which then handles many messages per turn of its loop."""

BURSTS = (8, 8, 8, 1)
"""The bursts in which each side of a call sends its candidates: a browser has 10 to 30 in all."""

TALKS = 400
ARRIVALS = 1000
LOOKUPS = 2000


@dataclass(frozen=True)
class Place:
    """The servers that the homes and the clients of a conversation connect to."""

    name: str
    homes: Sequence[Side]
    clients: Sequence[Side]

    def cpu(self) -> float:
        """Return the processor time of these servers so far, in seconds."""
        return sum(side.server.cpu() for side in {*self.homes, *self.clients})


class Prepared(NamedTuple):
    """A conversation that is ready to be played."""

    number: int
    """How many units it consists of: candidates, sessions, arrivals or lookups."""
    play: Callable[[], object]
    clear: Callable[[], None]
    """Disconnects the peers afterwards."""


Play = Callable[[Loop, Place], Prepared]
"""Prepares a conversation."""


def sessions(loop: Loop, place: Place) -> Prepared:
    """Prepare whole sessions with all homes in turn; after each round of the homes, clients use the next server."""
    return _sessions(loop, place, lambda number, homes: number // homes)


def sessions_with_candidates(loop: Loop, place: Place) -> Prepared:
    """Prepare the same sessions, with the candidates of both sides."""
    return _sessions(loop, place, lambda number, homes: number // homes, BURSTS)


def sessions_at_home(loop: Loop, place: Place) -> Prepared:
    """Prepare whole sessions whose clients connect to their home's server."""
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
    """Prepare ICE candidates, a burst of each side at a time."""
    return _relay(loop, place, TALKS, BURST)


def single_candidates(loop: Loop, place: Place) -> Prepared:
    """Prepare ICE candidates, one of each side at a time."""
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
    """Prepare homes that connect and register."""
    (side,) = place.homes
    homes = [Home() for _ in range(ARRIVALS)]
    for home in homes:
        home.prepare(side)
    return Prepared(ARRIVALS, lambda: all_arrive(side, homes), lambda: all_leave(side, homes))


def lookups(loop: Loop, place: Place) -> Prepared:
    """Prepare requests to /api/check for an online home, one after the other on one connection."""
    (homes,), (clients,) = place.homes, place.clients
    home = Home()
    all_arrive(homes, [home])
    connection = HTTPConnection("127.0.0.1", clients.server.port, timeout=10)

    def play() -> None:
        for number in range(LOOKUPS):
            # An address may make 100 requests a minute.
            if number % 50 == 0:
                headers = {"X-Forwarded-For": address()}
            connection.request("GET", f"/api/check/{home.remote_id}", headers=headers)
            if b"true" not in connection.getresponse().read():
                raise NotReady(f"{clients.name} does not find a home")

    def clear() -> None:
        connection.close()
        all_leave(homes, [home])

    return Prepared(LOOKUPS, play, clear)
