"""Who comes in: sessions of a home, connections of an address."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import World


class HomeProtectionTest(SynchronousTestCase):
    """New sessions of one home, whoever asks."""

    def setUp(self) -> None:
        self.world = World(control_burst=0)
        self.home = self.world.home()

    def test_sessions_a_minute(self) -> None:
        peer = self.world.connect("198.51.100.1")
        for _ in range(31):
            peer.say("connect-request", remoteId="HOME")
        assert peer.codes() == ["home-busy"]
        assert peer.heard[-1]["retryAfter"] == 60
        assert self.world.client(text="198.51.100.2").heard == []

    def test_crowd_leaves_the_owner_a_way_in(self) -> None:
        """Sixty-four open at once; the newest without an offer, of the address that has most, makes way."""
        crowd = []
        for number in range(64):
            peer = self.world.connect(f"203.0.113.{number // 2}")
            peer.say("connect-request", remoteId="HOME")
            self.world.session(self.home, peer)
            peer.say("ice-candidate", data={})
            self.world.advance(3)
            crowd.append(peer)
        for peer in (crowd[0], crowd[1]):
            peer.say("offer", data={})
        owner = self.world.client(text="192.0.2.7")
        session_id = self.home.heard[-1]["sessionId"]
        self.home.say("session-ready", sessionId=session_id)
        assert owner.types() == ["connected"]
        assert [number for number, peer in enumerate(crowd) if "home-busy" in peer.codes()] == [63]
        assert self.home.types()[-2] == "client-disconnected"

    def test_calls_are_not_held_against_an_address(self) -> None:
        """Only sessions without an offer say which address has most."""
        world = World(home_sessions=6)
        home = world.home()
        caller, other = "203.0.113.1", "203.0.113.2"
        peers = []
        for text, offers in (*((caller, True),) * 3, *((other, False),) * 2, (caller, False)):
            peer = world.client(text=text)
            world.session(home, peer)
            if offers:
                peer.say("offer", data={})
            peers.append(peer)
        assert world.client(text="192.0.2.7").codes() == []
        assert [number for number, peer in enumerate(peers) if peer.codes()] == [4]

    def test_full_of_calls(self) -> None:
        for number in range(64):
            peer = self.world.connect(f"203.0.113.{number}")
            peer.say("connect-request", remoteId="HOME")
            self.world.session(self.home, peer)
            peer.say("offer", data={})
            self.world.advance(3)
        assert self.world.client(text="192.0.2.7").codes() == ["home-busy"]


class ConnectionsTest(SynchronousTestCase):
    """New connections of an address, and open ones."""

    def test_a_minute(self) -> None:
        world = World(connections_per_minute=3)
        assert [world.admit("192.0.2.1") for _ in range(4)] == [0, 0, 0, 60]
        assert world.admit("192.0.2.2") == 0

    def test_a_minute_of_an_ipv6_network(self) -> None:
        world = World(connections_per_minute=3)
        assert [world.admit(f"2001:db8:1:2:{host}::1") for host in range(4)] == [0, 0, 0, 60]
        assert world.admit("2001:db8:1:3::1") == 0

    def test_open_at_once(self) -> None:
        world = World(connections_per_address=2)
        home = world.home()
        idle = world.connect()
        assert world.admit("192.0.2.1") == 0
        assert idle.closed == (1013, "Too many connections from this address")
        world.home("OTHER")
        assert world.admit("192.0.2.1") > 0
        home.goodbye()
        assert world.admit("192.0.2.1") == 0
