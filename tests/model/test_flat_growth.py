"""Handling one arrival, message or departure visits no peer that has nothing to do with it.

This is counted, not timed: the number of executed lines of the server's own code is the same with ten other peers as
with some hundreds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import ma_signaling
from tests.support.memory_server import CLOSE, PING, Server, Socket, frame

SOURCE = str(Path(ma_signaling.__file__).parent)
FEW, MANY = 10, 450


def lines_of(act: Callable[[], object]) -> int:
    """Return how many lines of the server's own code ``act`` runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(SOURCE):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


HEAP_LINES = 12
"""How many lines more a deeper heap may cost."""


class Town:
    """A server with many homes, each with a client in a call, and one observed home with a call of its own."""

    def __init__(self, others: int) -> None:
        self.server = Server(home_sessions_per_minute=0)
        self.others = [self._household(f"OTHER{n}", f"10.{n // 250}.{n % 250}.1") for n in range(others)]
        self.home, self.client = self._household("HOME", "192.0.2.1")
        self.session = self.home.heard()[-1]["sessionId"]
        self.client.heard()

    def call(self, home: Socket, remote_id: str, address: str) -> Socket:
        """Return a client of ``home`` whose session is open."""
        client = self.server.connect(address)
        client.say(type="connect-request", remoteId=remote_id)
        session = [each["sessionId"] for each in home.heard() if each["type"] == "client-connected"][-1]
        home.say(type="session-ready", sessionId=session)
        home.say(type="ice-candidate", sessionId=session)
        client.say(type="offer")
        return client

    def _household(self, remote_id: str, address: str) -> tuple[Socket, Socket]:
        home = self.server.connect(address)
        home.say(type="register-server", remoteId=remote_id, iceServers=[])
        return home, self.call(home, remote_id, address)


def arrive(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.server.connect("192.0.2.2").say(type="register-server", remoteId="NEW")

    return act


def call(town: Town) -> Callable[[], object]:
    return lambda: town.call(town.home, "HOME", "192.0.2.3")


def candidates(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.client.say(type="ice-candidate")
        town.home.say(type="ice-candidate", sessionId=town.session)

    return act


def client_leaves(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.client.send(frame(CLOSE, b"\x03\xe8"))
        town.client.lose()

    return act


def home_leaves(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.home.send(frame(CLOSE, b"\x03\xe8"))
        town.home.lose()

    return act


def home_breaks(town: Town) -> Callable[[], object]:
    return town.home.lose


def home_returns(town: Town) -> Callable[[], object]:
    town.home.lose()
    return arrive_again(town)


def arrive_again(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.server.connect("192.0.2.1").say(type="register-server", remoteId="HOME")

    return act


def takeover(town: Town) -> Callable[[], object]:
    def act() -> None:
        newcomer = town.server.connect("192.0.2.9")
        newcomer.say(type="register-server", remoteId="HOME")
        payload = next(payload for opcode, payload in town.home.frames() if opcode == PING)
        town.home.send(frame(10, payload))

    return act


def unknown_home(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.server.connect("192.0.2.4").say(type="connect-request", remoteId="NOBODY")

    return act


def health(town: Town) -> Callable[[], object]:
    def act() -> None:
        town.server.accept("192.0.2.5").send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")

    return act


class FlatGrowthTest(SynchronousTestCase):
    """One operation costs the same, however many other peers there are."""

    def test_every_operation(self) -> None:
        for prepare in (
            *(arrive, call, candidates, client_leaves, home_leaves, home_breaks, home_returns, arrive_again),
            *(takeover, unknown_home, health),
        ):
            few, many = (lines_of(prepare(Town(others))) for others in (FEW, MANY))
            # The depth of the heap of shares is the logarithm of their number.
            self.assertLess(abs(few - many), HEAP_LINES, prepare.__name__)
            self.assertGreater(few, 20, prepare.__name__)

    def test_a_home_that_leaves_costs_its_sessions(self) -> None:
        def leave(sessions: int, others: int) -> int:
            town = Town(others)
            for n in range(sessions - 1):
                town.call(town.home, "HOME", f"192.0.2.{10 + n}")
            return lines_of(home_leaves(town))

        few, more, most = leave(8, FEW), leave(16, FEW), leave(64, FEW)
        self.assertEqual(most, leave(64, MANY))
        self.assertEqual((more - few) / 8, (most - more) / 48)

    def test_a_visit_of_others_would_be_seen(self) -> None:
        """The count shows a walk over all homes."""

        def walk(town: Town) -> Callable[[], object]:
            hub = town.server.hub
            return lambda: sum(hub.enforce_access())

        few, many = (lines_of(walk(Town(others))) for others in (FEW, MANY))
        self.assertGreater(many - few, MANY - FEW)
