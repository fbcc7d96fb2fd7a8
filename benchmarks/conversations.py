"""The conversations played to a server. All peers stay within the default limits, and each outcome is checked.

A conversation is prepared, played and cleared away. Only ``play`` is measured; it returns the number of candidates,
sessions, arrivals or departures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from benchmarks import texts
from benchmarks.homes import Call, Home, all_arrive, all_leave, open_calls
from benchmarks.loop import Loop, Unexpected
from benchmarks.script import Hear, Script, side_by_side
from benchmarks.trickle import Trickle
from benchmarks.websocket import GONE, Place

SESSIONS_OF_A_HOME = 20
"""The default limit is 30 a minute."""

CANDIDATES = 144
"""Candidates of a session in one direction: the limit allows 200 in a burst."""

BURST = 8
"""Candidates that a peer finds, and sends, together."""


class Conversation(Protocol):
    """One kind of load."""

    def prepare(self) -> None: ...

    def play(self) -> int: ...

    def clear(self) -> None: ...


class Relay:
    """ICE candidates in both directions, with two sessions per home, and a burst of each side in flight."""

    def __init__(self, place: Place, sessions: int, burst: int, clients: Place | None = None) -> None:
        """``clients`` is the server that clients connect to, if it isn't that of the homes."""
        self._place = place
        self._clients = clients or place
        self._burst = burst
        self._homes = [Home() for _ in range(sessions // 2)]
        self.calls: list[Call] = []

    def prepare(self) -> None:
        all_arrive(self._place, self._homes)
        self.calls = open_calls(self._clients, self._homes, 2)

    def play(self) -> int:
        return exchange(self._place.loop, self.calls, self._burst)

    def clear(self) -> None:
        for home in self._homes:
            home.calls.clear()
        all_leave(self._place, [call.client for call in self.calls])
        all_leave(self._place, self._homes)


def exchange(loop: Loop, calls: Sequence[Call], burst: int) -> int:
    """Exchange candidates in all calls at the same time; return how many there were."""
    left = len(calls)

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    for trickle in [Trickle(call, CANDIDATES, burst, done) for call in calls]:
        trickle.begin()
    loop.run()
    return len(calls) * CANDIDATES * 2


class Sessions:
    """Whole sessions: connect, request, ready, connected, offer, answer, goodbye."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._homes = [Home() for _ in range(-(-count // SESSIONS_OF_A_HOME))]
        self._calls = [Call(place, self._homes[n % len(self._homes)]) for n in range(count)]

    def prepare(self) -> None:
        all_arrive(self._place, self._homes)
        for call in self._calls:
            call.client.prepare(self._place)

    def play(self) -> int:
        side_by_side(self._place.loop, (call.whole for call in self._calls))
        return len(self._calls)

    def clear(self) -> None:
        all_leave(self._place, self._homes)


class Arrivals:
    """Homes that connect and register."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._homes = [Home() for _ in range(count)]

    def prepare(self) -> None:
        for home in self._homes:
            home.prepare(self._place)

    def play(self) -> int:
        all_arrive(self._place, self._homes)
        return len(self._homes)

    def clear(self) -> None:
        all_leave(self._place, self._homes)


class Departures:
    """Homes that say goodbye, until their TCP connections have ended."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._homes = [Home() for _ in range(count)]

    def prepare(self) -> None:
        all_arrive(self._place, self._homes)

    def play(self) -> int:
        all_leave(self._place, self._homes)
        return len(self._homes)

    def clear(self) -> None:
        """Do nothing: no peer is left."""


class CrowdedDepartures:
    """Homes with many open sessions each that say goodbye, until TCP has ended and every client has been told."""

    def __init__(self, place: Place, count: int, sessions: int) -> None:
        self._place = place
        self._homes = [Home() for _ in range(count)]
        self._sessions = sessions
        self._calls: list[Call] = []

    def prepare(self) -> None:
        all_arrive(self._place, self._homes)
        self._calls = open_calls(self._place, self._homes, self._sessions)

    def play(self) -> int:
        side_by_side(self._place.loop, (partial(self._depart, home) for home in self._homes), at_once=1)
        return len(self._homes)

    def clear(self) -> None:
        all_leave(self._place, [call.client for call in self._calls])

    def _depart(self, home: Home, hear: Hear) -> Script:
        clients = [call.client for call in self._calls if call.home is home]
        for client in clients:
            client.hear = hear
        home.hear = hear
        home.say_goodbye()
        heard: Counter[bytes] = Counter()
        for _ in range(len(clients) + 1):
            heard[(yield)] += 1
        if heard != {texts.PEER_DISCONNECTED: len(clients), GONE: 1}:
            raise Unexpected(f"a home left, and this was heard: {heard}")
