"""Budgets and guards: each alone, and as a connection meets them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.limits import (
    REMEMBERED_BY_A_HOME,
    Allowance,
    Budget,
    GuessingGuard,
    HomeGuard,
    Keyed,
    SlidingWindow,
)
from tests.heart import FakePeer, World, address


def codes(peer: FakePeer) -> list[str]:
    """The errors that a peer has heard."""
    return [message["code"] for message in peer.heard_of("error")]


class BudgetTest(SynchronousTestCase):
    """A token bucket of messages, and one of bytes."""

    def test_burst_then_rate(self) -> None:
        budget = Budget(Allowance(rate=20, burst=200), 0)
        assert all(budget.spend(0, 10) for _ in range(200))
        assert not budget.spend(0, 10)
        assert sum(budget.spend(1, 10) for _ in range(30)) == 20

    def test_bytes(self) -> None:
        budget = Budget(Allowance(rate=20, burst=200, byte_rate=100, byte_burst=1000), 0)
        assert budget.spend(0, 1000)
        assert not budget.spend(0, 1)
        assert budget.spend(1, 100)
        assert not budget.spend(1, 1)

    def test_never_more_than_full(self) -> None:
        budget = Budget(Allowance(rate=5, burst=3), 0)
        assert sum(budget.spend(1000, 1) for _ in range(10)) == 3
        budget = Budget(Allowance(rate=0, burst=0, byte_rate=5, byte_burst=30), 0)
        assert sum(budget.spend(1000, 10) for _ in range(10)) == 3

    def test_wait(self) -> None:
        budget = Budget(Allowance(rate=0.5, burst=1), 0)
        assert budget.spend(0, 1)
        assert not budget.spend(0, 1)
        assert budget.wait() == 2
        assert not budget.spend(1, 1)
        assert budget.wait() == 1
        # It is the bytes that are over: nobody knows of how many the next message will be.
        budget = Budget(Allowance(rate=0.25, burst=10, byte_rate=1, byte_burst=1), 0)
        assert not budget.spend(0, 2)
        assert budget.wait() == 1

    def test_zero_is_no_limit(self) -> None:
        for allowance in (Allowance(rate=0, burst=5), Allowance(rate=5, burst=0)):
            budget = Budget(allowance, 0)
            assert all(budget.spend(0, 10**9) for _ in range(10_000))

    def test_drops_are_forgotten_once_it_is_full_again(self) -> None:
        budget = Budget(Allowance(rate=1, burst=2), 0)
        for _ in range(5):
            budget.spend(0, 1)
        assert budget.drops == 3
        budget.spend(1, 1)
        assert budget.drops == 3
        budget.spend(10, 1)
        assert budget.drops == 0

    def test_told_once_a_second(self) -> None:
        budget = Budget(Allowance(rate=1, burst=1), 5)
        assert [budget.may_tell(now) for now in (5, 5.9, 6, 6.5, 7)] == [True, False, True, False, True]

    def test_a_clock_that_goes_back(self) -> None:
        budget = Budget(Allowance(rate=1, burst=1), 1000)
        assert budget.spend(10, 1)
        assert not budget.spend(10, 1)
        assert budget.spend(11, 1)


class SlidingWindowTest(SynchronousTestCase):
    """Never more than N within any minute."""

    def test_no_double_at_an_edge(self) -> None:
        """Defect 9."""
        window = SlidingWindow()
        taken = []
        for tick in range(1300):
            now = tick / 10
            if window.wait(now, 10) == 0:
                window.add(now)
                taken.append(now)
        for start in taken:
            assert sum(start <= at < start + 60 for at in taken) <= 10
        assert len(taken) == 30

    def test_wait(self) -> None:
        window = SlidingWindow()
        for now in (0, 1, 2):
            window.add(now)
        assert window.wait(10, 3) == 50
        assert window.wait(60, 3) == 0
        assert window.wait(10, 0) == 0


class GuessingGuardTest(SynchronousTestCase):
    """Distinct unknown Remote IDs, and blocks that double."""

    def block(self, guard: GuessingGuard, now: float) -> float:
        """Guess until blocked, and return for how long."""
        assert [guard.guess(now, f"ID{n}", 10) for n in range(10)] == [False] * 9 + [True]
        return guard.blocked_until - now

    def test_the_same_one_again_is_no_guess(self) -> None:
        guard = GuessingGuard()
        assert not any(guard.guess(now, "SAME", 10) for now in range(1000))

    def test_ten_within_a_minute(self) -> None:
        guard = GuessingGuard()
        assert not any(guard.guess(n * 7, f"ID{n}", 10) for n in range(100))

    def test_blocks_double_up_to_an_hour(self) -> None:
        guard, now, lengths = GuessingGuard(), 1000.0, []
        for _ in range(9):
            lengths.append(self.block(guard, now))
            now = guard.blocked_until
        assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]

    def test_forgiven_over_time(self) -> None:
        guard = GuessingGuard()
        self.block(guard, 1000)
        assert self.block(guard, 1060) == 120
        assert self.block(guard, 1180 + 1200) == 60

    def test_a_repeated_guess_is_as_new(self) -> None:
        guard = GuessingGuard()
        for now, remote_id in ((0, "A"), (10, "B"), (50, "A")):
            assert not guard.guess(now, remote_id, 3)
        assert not guard.guess(75, "C", 3), "B is forgotten, A is not"
        assert guard.guess(76, "D", 3)

    def test_each_ten_minutes_forgive_one_block(self) -> None:
        guard = GuessingGuard()
        lengths = []
        for pause in (0, 599, 600, 1800):
            now = guard.blocked_until + pause
            assert guard.guess(now, "A", 1)
            lengths.append(guard.blocked_until - now)
        assert lengths == [60, 120, 120, 60]

    def test_forgotten_when_it_no_longer_matters(self) -> None:
        """Defect 8."""
        guard = GuessingGuard()
        guard.guess(0, "A", 10)
        assert not guard.is_idle(59)
        assert guard.is_idle(60)
        self.block(guard, 100)
        assert not guard.is_idle(160)
        assert guard.is_idle(160 + 600)


class HomeGuardTest(SynchronousTestCase):
    """A home's own protection."""

    def test_first_request_of_an_address_is_always_admitted(self) -> None:
        guard = HomeGuard()
        assert [guard.admit("stranger", 0, 30) for _ in range(31)] == [0] * 30 + [60]
        assert guard.admit("owner", 1, 30) == 0
        assert guard.admit("owner", 2, 30) > 0
        assert guard.admit("owner", 61, 30) == 0

    def test_first_request_comes_round_each_minute(self) -> None:
        guard = HomeGuard()
        assert guard.admit("A", 0, 1) == 0
        assert guard.admit("B", 59, 1) == 0
        assert guard.admit("A", 59, 1) > 0
        assert guard.admit("A", 60, 1) == 0

    def test_it_remembers_so_many_addresses(self) -> None:
        guard = HomeGuard()
        for number in range(REMEMBERED_BY_A_HOME + 1):
            assert guard.admit(f"address {number}", 0, 1) == 0
        assert guard.admit(f"address {REMEMBERED_BY_A_HOME - 1}", 0, 1) > 0
        assert guard.admit(f"address {REMEMBERED_BY_A_HOME}", 0, 1) == 0


class KeyedTest(SynchronousTestCase):
    """A guard for each key, and no more than so many."""

    def test_the_least_recently_used_goes(self) -> None:
        windows = Keyed(SlidingWindow, 2)
        first, second = windows["A"], windows["B"]
        assert windows["A"] is first
        windows["C"].add(0)
        assert len(windows) == 2
        assert windows["A"] is first
        assert windows["B"] is not second


class LookupsTest(SynchronousTestCase):
    """Looking up Remote IDs, and guessing them."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def test_lookups_of_an_address(self) -> None:
        peers = [self.world.client() for _ in range(30)]
        for number in range(70):
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
        assert codes(guesser) == ["server-not-found"] * 9 + ["blocked"]
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
        assert codes(late) == ["rate-limited"]
        assert codes(self.world.client("HOME", "2001:db8:0:1::1")) == []

    def test_what_is_remembered_goes_away(self) -> None:
        for number in range(10):
            self.world.client(f"GUESS{number}")
        self.world.advance(60 + 600)
        self.world.hub.limits.prune(self.world.clock.seconds())
        assert self.world.hub.limits.counts() == {"trackedIps": 0, "blockedIps": 0, "failedLookupTracked": 0}


class MessageBudgetsTest(SynchronousTestCase):
    """What is forwarded is charged to its session, all else to the connection; nothing to an address."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def open(self) -> tuple[FakePeer, str]:
        client = self.world.client()
        return client, self.world.session(self.home, client)

    def test_a_party_behind_one_address(self) -> None:
        """Defect 14: twelve guests and their home, 30 candidates a side each."""
        world = World()
        home = world.home(text="192.0.2.1")
        guests = []
        for _ in range(12):
            guest = world.client(text="192.0.2.1")
            guests.append((guest, world.session(home, guest)))
        for guest, session_id in guests:
            guest.say("offer", data={})
            home.say("answer", sessionId=session_id, data={})
            for number in range(30):
                guest.say("ice-candidate", data=number)
                home.say("ice-candidate", sessionId=session_id, data=number)
        assert len(home.heard) == 12 * 31
        assert all(len(guest.heard) == 31 for guest, _ in guests)

    def test_flood_of_a_client(self) -> None:
        client, _ = self.open()
        for _ in range(299):
            client.say("ice-candidate", data={})
        assert len(self.home.heard) == 200
        assert codes(client) == ["rate-limited"]
        assert client.closed is None
        client.say("ice-candidate", data={})
        assert client.closed == (4029, "Rate limited")

    def test_told_once_a_second(self) -> None:
        client, _ = self.open()
        for _ in range(200):
            client.say("ice-candidate", data="x")
        for _ in range(3):
            for _ in range(30):
                client.say("ice-candidate", data="x")
            self.world.advance(1)
        assert len(codes(client)) == 3

    def test_bytes_of_a_session(self) -> None:
        client, _ = self.open()
        for _ in range(10):
            client.say("ice-candidate", data="x" * 60_000)
        assert len(self.home.heard) == 8
        assert codes(client) == ["rate-limited"]

    def test_no_one_session_closes_its_home(self) -> None:
        client, session_id = self.open()
        other, other_id = self.open()
        for _ in range(1000):
            self.home.say("ice-candidate", sessionId=session_id, data={})
        assert len(client.heard) == 199
        assert self.home.closed is None
        self.home.say("answer", sessionId=other_id, data={})
        assert other.types() == ["answer"]

    def test_flood_of_pings(self) -> None:
        """Defect 15."""
        for _ in range(149):
            self.home.say("ping")
        assert self.home.types().count("pong") == 49
        assert self.home.closed == (4029, "Rate limited")

    def test_limits_that_are_off(self) -> None:
        world = World(control_burst=0, lookups_per_minute=0, guesses_per_minute=0, connections_per_address=0)
        peer = world.connect()
        for number in range(500):
            peer.say("connect-request", remoteId=f"GUESS{number}")
        assert codes(peer) == ["server-not-found"] * 500


class HomeProtectionTest(SynchronousTestCase):
    """New sessions of one home, whoever asks."""

    def setUp(self) -> None:
        self.world = World(control_burst=0)
        self.home = self.world.home()

    def test_sessions_a_minute(self) -> None:
        peer = self.world.connect("198.51.100.1")
        for _ in range(31):
            peer.say("connect-request", remoteId="HOME")
        assert codes(peer) == ["home-busy"]
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
        assert [number for number, peer in enumerate(crowd) if "home-busy" in codes(peer)] == [63]
        assert self.home.types()[-2] == "client-disconnected"

    def test_full_of_calls(self) -> None:
        for number in range(64):
            peer = self.world.connect(f"203.0.113.{number}")
            peer.say("connect-request", remoteId="HOME")
            self.world.session(self.home, peer)
            peer.say("offer", data={})
            self.world.advance(3)
        assert codes(self.world.client(text="192.0.2.7")) == ["home-busy"]


class ConnectionsTest(SynchronousTestCase):
    """New connections of an address, and open ones."""

    def test_a_minute(self) -> None:
        world = World(connections_per_minute=3)
        assert [world.admit("192.0.2.1") for _ in range(4)] == [0, 0, 0, 60]
        assert world.admit("192.0.2.2") == 0

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

    def test_key(self) -> None:
        assert address("192.0.2.1").key == "192.0.2.1"
        assert address("2001:db8:1:2:3::4").key == "2001:db8:1:2::/64"
