"""Looking for Remote IDs: how often, and what guessing costs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import World


class LookupsTest(SynchronousTestCase):
    """Looking up Remote IDs, and guessing them."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def test_lookups_of_an_address(self) -> None:
        self.world = World(control_burst=0)
        self.world.home()
        peers = [self.world.client() for _ in range(30)]
        for number in range(570):
            peers[number % 30].say("connect-request", remoteId="SAME")
        late = self.world.client()
        assert late.heard == [
            {
                "type": "error",
                "error": "Rate limited. Try again in 60 seconds.",
                "code": "rate-limited",
                "retryAfter": 60,
            }
        ]
        assert self.world.client(text="198.51.100.2").heard == []

    def test_guessing(self) -> None:
        guesser = self.world.connect("198.51.100.1")
        for number in range(10):
            guesser.say("connect-request", remoteId=f"GUESS{number}")
        assert guesser.codes() == ["server-not-found"] * 9 + ["blocked"]
        assert guesser.heard[-1]["error"] == "Too many failed attempts. You have been temporarily blocked."
        assert guesser.closed == (4008, "Blocked for brute force")
        assert self.world.hub.limits.counts()["blockedIps"] == 1
        again = self.world.client()
        assert again.heard[0]["code"] == "rate-limited"
        assert again.heard[0]["retryAfter"] == 60
        self.world.advance(60)
        again.say("connect-request", remoteId="HOME")
        assert self.home.types() == ["client-connected"]

    def test_a_block_stops_lookups_and_nothing_else(self) -> None:
        client = self.world.client()
        session_id = self.world.session(self.home, client)
        for number in range(10):
            self.world.client(f"GUESS{number}")
        client.say("offer", data={})
        assert self.home.heard[-1]["sessionId"] == session_id
        home = self.world.connect("198.51.100.1")
        home.say("register-server", remoteId="NEIGHBOUR")
        assert home.types() == ["registered"]

    def test_guessing_by_registering(self) -> None:
        """Who registers one Remote ID after the other finds out which ones are held."""
        for first in ("HOME", "VACANT"):
            self.setUp()
            guesser = self.world.connect("198.51.100.1")
            guesser.say("register-server", remoteId=first)
            for number in range(10):
                guesser.say("register-server", remoteId=f"GUESS{number}")
            assert "error" not in guesser.types()
            another = self.world.connect("198.51.100.1")
            for name in ("FIRST", "SECOND", "FIRST"):
                another.say("register-server", remoteId=name)
            assert another.types() == ["registered", "error", "registered"]
            assert (another.heard[1]["code"], another.heard[1]["retryAfter"]) == ("rate-limited", 60)
            self.world.advance(60)
            another.say("register-server", remoteId="SECOND")
            assert another.types()[-1] == "registered"

    def test_a_home_that_keeps_its_name(self) -> None:
        for _ in range(20):
            self.home.say("register-server", remoteId="HOME")
            self.world.advance(1)
        assert self.home.codes() == []

    def test_a_home_in_grace_is_no_guess(self) -> None:
        self.home.breaks()
        for _ in range(20):
            self.world.client().goodbye()
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 0

    def test_ipv6_counts_by_the_network(self) -> None:
        """Defect 20: a /64 is one customer, not 2^64."""
        for number in range(10):
            self.world.client(f"GUESS{number}", f"2001:db8::{number}")
        late = self.world.client("HOME", "2001:db8::ffff")
        assert late.codes() == ["rate-limited"]
        assert self.world.client("HOME", "2001:db8:0:1::1").codes() == []

    def test_what_is_remembered_goes_away(self) -> None:
        for number in range(10):
            self.world.client(f"GUESS{number}")
        self.world.advance(60 + 600)
        self.world.hub.limits.prune(self.world.clock.seconds())
        assert self.world.hub.limits.counts() == {"trackedIps": 0, "blockedIps": 0, "failedLookupTracked": 0}
