"""How much one turn of the reactor takes in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import TestCase

from ma_signaling.runtime.turns import MAX_EVENTS, bound_turns


class Poller:
    """Stands in for epoll, with more that are ready than are taken in."""

    def __init__(self) -> None:
        self.asked: list[tuple[float | None, int]] = []
        self.register = self.modify = self.unregister = self.close = self.fileno = lambda *_: "passed on"

    def poll(self, timeout: float | None, maxevents: int) -> list[tuple[int, int]]:
        """Report as many events as are asked for."""
        self.asked.append((timeout, maxevents))
        return [(number, 1) for number in range(maxevents)]


class BoundTurnsTest(TestCase):
    """On Twisted's own reactor, and on asyncio's, which a node of a cluster runs on."""

    def check(self, holder: Any, name: str, poller: Poller) -> None:
        """The poller that ``holder`` has now is bounded, and leaves all else as it was."""
        bounded = getattr(holder, name)
        assert len(bounded.poll(0.5, 1000)) == MAX_EVENTS
        assert len(bounded.poll(0.5, 3)) == 3
        assert len(bounded.poll(0.5)) == MAX_EVENTS
        assert poller.asked == [(0.5, MAX_EVENTS), (0.5, 3), (0.5, MAX_EVENTS)]
        assert bounded.register(7, 1) == bounded.modify(7, 1) == bounded.unregister(7) == "passed on"

    def test_epoll(self) -> None:
        poller = Poller()
        reactor: Any = SimpleNamespace(_poller=poller)
        bound_turns(reactor)
        self.check(reactor, "_poller", poller)

    def test_asyncio(self) -> None:
        poller = Poller()
        selector = SimpleNamespace(_selector=poller)
        reactor: Any = SimpleNamespace(_asyncioEventloop=SimpleNamespace(_selector=selector))
        bound_turns(reactor)
        self.check(selector, "_selector", poller)

    def test_elsewhere(self) -> None:
        """All are taken in."""
        bound_turns(SimpleNamespace())  # type: ignore[arg-type]
