"""The budget of a proof's packets, and where they may go."""

from __future__ import annotations

from ipaddress import ip_network
from unittest import TestCase

from ma_signaling.webrtc.destinations import Destinations
from ma_signaling.webrtc.guard import MAX_PACKET, MAX_RECEIVED, MAX_SENT, Guard

ALLOWED, FORBIDDEN, SERVER = ("10.0.0.1", 5000), ("192.168.0.1", 5000), ("192.168.0.1", 3478)


class GuardTest(TestCase):
    """One proof's guard."""

    def setUp(self) -> None:
        self.complaints = 0
        self.guard = Guard(Destinations((ip_network("10.0.0.0/8"),)), self.exhausted)
        self.guard.servers.add(SERVER)

    def exhausted(self) -> None:
        """Count that the budget is spent."""
        self.complaints += 1

    def test_where_to(self) -> None:
        assert self.guard.sends(ALLOWED)
        assert self.guard.sends(SERVER)
        assert not self.guard.sends(FORBIDDEN)
        assert not self.guard.sends((ALLOWED[0], 53))
        assert self.guard.sent == 2

    def test_where_from(self) -> None:
        assert self.guard.takes(ALLOWED, 1)
        assert self.guard.takes(SERVER, 1)
        assert not self.guard.takes(FORBIDDEN, 1)
        assert self.guard.received == 2

    def test_how_much(self) -> None:
        """They take no more memory than others, and are counted."""
        assert self.guard.takes(ALLOWED, MAX_PACKET)
        assert not self.guard.takes(ALLOWED, MAX_PACKET + 1)
        assert self.guard.received == 2

    def test_budget(self) -> None:
        assert [self.guard.sends(ALLOWED) for _ in range(MAX_SENT + 2)] == [True] * MAX_SENT + [False] * 2
        assert self.complaints == 2

    def test_flood(self) -> None:
        taken = [self.guard.takes(ALLOWED, 1) for _ in range(MAX_RECEIVED + 1)]
        assert taken == [True] * MAX_RECEIVED + [False]
        assert self.complaints == 1

    def test_flood_from_elsewhere(self) -> None:
        """Whoever is not allowed spends nobody's budget."""
        assert not any(self.guard.takes(FORBIDDEN, 1) for _ in range(MAX_RECEIVED + 1))
        assert self.guard.takes(ALLOWED, 1)
        assert not self.complaints
