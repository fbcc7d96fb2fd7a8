"""Who comes in: sessions of a home, connections of an address."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import FakePeer, World


class HomeProtectionTest(SynchronousTestCase):
    """New sessions of one home, whoever asks."""

    def setUp(self) -> None:
        self.world = World(control_burst=0)
        self.home = self.world.home()

    def test_sessions_a_minute(self) -> None:
        """An address may have all of a minute's; others still get their shares, up to as many again."""
        self.world = World(control_burst=0, connect_requests_per_minute=0)
        self.home = self.world.home()
        peer = self.world.connect("198.51.100.1")
        for _ in range(121):
            peer.say("connect-request", remoteId="HOME")
        assert peer.codes() == ["home-busy"]
        assert peer.heard[-1]["retryAfter"] == 60
        other = self.world.connect("198.51.100.2")
        for _ in range(61):
            other.say("connect-request", remoteId="HOME")
        assert other.codes() == ["home-busy"]
        assert self.world.client(text="198.51.100.3").codes() == []

    def test_party(self) -> None:
        """Fifty guests behind one address have two sessions each within a minute."""
        for _ in range(50):
            guest = self.world.connect("198.51.100.1")
            for _ in range(2):
                guest.say("connect-request", remoteId="HOME")
                self.world.session(self.home, guest)
            assert guest.codes() == []

    def fill(self, home: FakePeer, *texts: str) -> list[FakePeer]:
        """Open a session for each of these addresses."""
        peers = []
        for text in texts:
            peers.append(self.world.client(text=text))
            self.world.session(home, peers[-1])
        return peers

    def test_crowd_makes_way(self) -> None:
        """The address with most sessions gives up its newest, if it has two more than the one that asks."""
        world = self.world = World(home_sessions=6)
        home = world.home()
        peers = self.fill(home, *["203.0.113.1"] * 4, *["203.0.113.2"] * 2)
        peers[3].say("offer", data={})
        owner = world.client(text="192.0.2.7")
        assert owner.codes() == []
        assert [number for number, peer in enumerate(peers) if peer.codes()] == [3]
        assert peers[3].codes() == ["home-busy"]
        assert home.types()[-2:] == ["client-disconnected", "client-connected"]
        assert world.client(text="203.0.113.2").codes() == ["home-busy"]
        assert world.client(text="203.0.113.1").codes() == ["home-busy"]

    def test_calls_live_on(self) -> None:
        """An answered session makes way in silence: neither side hears of it, and what both still send is ignored."""
        world = self.world = World(home_sessions=2)
        home = world.home()
        peers = self.fill(home, *["203.0.113.1"] * 2)
        for peer in peers:
            peer.say("offer", data={})
        session_ids = [message["sessionId"] for message in home.heard if message["type"] == "offer"]
        for session_id in session_ids:
            home.say("answer", sessionId=session_id, data={})
        assert world.client(text="192.0.2.7").codes() == []
        assert [peer.types()[-1] for peer in peers] == ["answer", "answer"]
        assert "client-disconnected" not in home.types()
        home.say("ice-candidate", sessionId=session_ids[1], data={})
        peers[1].say("ice-candidate", data={})
        assert "error" not in peers[1].types() + home.types()

    def test_shares_of_one(self) -> None:
        world = self.world = World(home_sessions=6)
        self.fill(world.home(), *(f"203.0.113.{number}" for number in range(6)))
        assert world.client(text="192.0.2.7").codes() == ["home-busy"]

    def test_a_block_of_ipv6(self) -> None:
        world = self.world = World(home_sessions=6)
        self.fill(world.home(), *(f"2001:db8:1:{number}::1" for number in range(6)))
        assert world.client(text="192.0.2.7").codes() == []


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

    def test_silent_ones(self) -> None:
        """The oldest that has said nothing makes way; whoever has a role does not."""
        world = World(silent_connections_per_address=2)
        home = world.home()
        silent = [world.connect() for _ in range(2)]
        assert [peer.closed for peer in silent] == [None, None]
        world.connect()
        assert [peer.closed for peer in silent] == [(1013, "Too many connections from this address"), None]
        assert home.closed is None

    def fill(self, world: World, *texts: str) -> list[FakePeer]:
        return [world.connect(text) for text in texts]

    def test_shares(self) -> None:
        """An address that has nine tenths of all places gives up as many as other addresses need."""
        world = World(capacity=100)
        crowd = self.fill(world, *["203.0.113.1"] * 90)
        assert world.admit("203.0.113.1") == 10
        for number in range(50):
            world.home(f"HOME{number}", f"192.0.2.{number}")
        assert sum(peer.closed is None for peer in crowd) == 40

    def test_least_tenure_and_no_role_first(self) -> None:
        world = World(capacity=100)
        home = world.home("CROWD", "203.0.113.1")
        client = world.client("CROWD", "203.0.113.1")
        silent = self.fill(world, *["203.0.113.1"] * 88)
        for number in range(88):
            world.connect(f"192.0.2.{number}")
            if number < 40:
                assert silent[-1 - number].closed is not None
        assert (home.closed, client.closed) == (None, None)

    def test_home_that_is_expected_back(self) -> None:
        """It gets a place, although a guest at its address has nine tenths of all."""
        world = World(capacity=100)
        home = world.home("HOME", "203.0.113.1")
        self.fill(world, *["203.0.113.1"] * 89)
        home.breaks()
        world.connect("203.0.113.1")
        assert world.admit("203.0.113.1") == 0
        world.home("HOME", "203.0.113.1")
        assert world.admit("203.0.113.1") == 10
