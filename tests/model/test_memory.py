"""What strangers can make this server hold or do: bounded, and existing connections never suffer."""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.events import Event
from ma_signaling.core.held_bytes import MAX_BYTES_IN_ALL, MAX_BYTES_OF_HOME
from ma_signaling.core.home import ICE_SERVERS_BYTES
from ma_signaling.core.limits import Limits
from tests.support.memory_hub import World


class MemoryTest(SynchronousTestCase):
    """What is remembered is bounded by a setting."""

    def test_many_addresses(self) -> None:
        """Defects 7 and 8."""
        limits = Limits(Settings(remembered_addresses=1000))
        tracemalloc.start()
        try:
            for number in range(100_000):
                key = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
                limits.arrivals.websocket(key, number / 1000)
                if number % 10 == 0:
                    limits.lookup(key, number / 1000)
                    limits.guessing.guess(key, number / 1000, key)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        counts = limits.counts()
        assert counts["blockedIps"] == 0
        # The oldest hundredth goes at the same time.
        assert 990 <= counts["trackedIps"] <= 1000
        assert 990 <= counts["failedLookupTracked"] <= 1000
        assert size < 3_000_000, size

    def test_blocked_addresses(self) -> None:
        """The oldest blocks are forgotten first."""
        limits = Limits(Settings(remembered_addresses=100))
        for number in range(1000):
            for guess in range(10):
                limits.guessing.guess(f"address {number}", 0, f"GUESS{guess}")
        assert limits.counts()["blockedIps"] == 100
        assert [n for n in range(1000) if limits.guessing.blocked_for(f"address {n}", 0)] == [
            *range(900, 1000)
        ]

    def test_held_for_all_homes_together(self) -> None:
        world = World(
            message_bytes_burst=0, message_burst=0, connections_per_minute=0, connect_requests_per_minute=0
        )
        clients = []
        for number in range(MAX_BYTES_IN_ALL // MAX_BYTES_OF_HOME + 10):
            home = world.home(f"HOME{number}", f"192.0.2.{number % 100}")
            clients.append(world.client(f"HOME{number}", f"198.51.100.{number % 100}"))
            session_id = world.session(home, clients[-1])
            home.say("answer", sessionId=session_id, data={})
            home.breaks()
        for client in clients:
            for _ in range(5):
                client.say("offer", data="x" * 60_000)
        held = world.hub.registry._held_bytes
        assert MAX_BYTES_IN_ALL - 2 * MAX_BYTES_OF_HOME < held.used <= MAX_BYTES_IN_ALL
        assert Event.MESSAGE_DROPPED in world.reported()
        world.advance(45 + 660)
        assert held.used == 0

    def test_endless_ice_servers_are_not_kept(self) -> None:
        """Defect 16."""
        world = World()
        world.home(iceServers=[{"urls": "stun:" + "x" * ICE_SERVERS_BYTES}])
        client = world.client()
        world.advance(10)
        assert "iceServers" not in client.heard[0]
