"""Who may use this server: what the core makes of the lists."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.access import parse_allowed, parse_denied
from ma_signaling.core.events import Event
from tests.support.memory_hub import FakePeer, World

HOME, CLIENT, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"
NOT_ALLOWED = {"type": "error", "error": "Not allowed on this server", "code": "not-allowed"}
CLOSED = (1008, "Not allowed on this server")


class AccessTestCase(SynchronousTestCase):
    """A world with lists."""

    def setUp(self) -> None:
        self.world = World()

    def allow(self, text: str) -> None:
        self.world.hub.access.allowed = parse_allowed(text)

    def deny(self, text: str) -> int:
        self.world.hub.access.denied = parse_denied(text)
        return sum(self.world.hub.enforce_access())

    def assert_turned_away(self, *peers: FakePeer) -> None:
        for peer in peers:
            assert peer.forget()[-1] == NOT_ALLOWED
            assert peer.closed == CLOSED


class PrivateServerTest(AccessTestCase):
    """Only some Remote IDs may be registered."""

    def test_only_those(self) -> None:
        self.allow("HOME")
        self.world.home("home")
        stranger = self.world.connect(STRANGER)
        stranger.say("register-server", remoteId="OTHER")
        self.assert_turned_away(stranger)
        assert Event.HOME_NOT_ALLOWED in self.world.reported()

    def test_nobody(self) -> None:
        self.allow("# nobody yet")
        stranger = self.world.connect(STRANGER)
        stranger.say("register-server", remoteId="HOME")
        self.assert_turned_away(stranger)

    def test_a_second_remote_id(self) -> None:
        """The first one is kept for its return, as for anyone whom this server closes."""
        self.allow("HOME")
        home = self.world.home()
        client = self.world.client()
        self.world.session(home, client)
        home.say("register-server", remoteId="OTHER")
        self.assert_turned_away(home)
        self.world.home()
        assert client.heard == []

    def test_who_is_taken_off_the_list_is_closed(self) -> None:
        home, other = self.world.home(), self.world.home("OTHER")
        self.allow("OTHER")
        assert sum(self.world.hub.enforce_access()) == 1
        self.assert_turned_away(home)
        assert other.closed is None


class BanTest(AccessTestCase):
    """Who is banned stays out."""

    def test_addresses(self) -> None:
        self.deny("192.0.2.0/24\n2001:db8::/48")
        for text in ("192.0.2.200", "2001:db8:0:1::1"):
            assert self.world.admit(text) > 3600
        self.world.connect(STRANGER)
        assert self.world.hub.limits.counts()["trackedIps"] == 1, "who is banned is not worth remembering"

    def test_registering(self) -> None:
        self.deny("HOME\nthird")
        for remote_id in ("home", "THIRD"):
            peer = self.world.connect()
            peer.say("register-server", remoteId=remote_id)
            self.assert_turned_away(peer)
        self.world.home("OTHER")

    def test_a_ban_goes_before_a_permission(self) -> None:
        self.allow("HOME")
        self.deny("HOME")
        peer = self.world.connect()
        peer.say("register-server", remoteId="HOME")
        self.assert_turned_away(peer)

    def test_looking_up_is_as_for_an_unknown_one_but_no_guess(self) -> None:
        """A banned home's clients are not blocked, whatever they try."""
        banned = [f"HOME{number}" for number in range(20)]
        self.deny("\n".join(banned))
        client = self.world.connect(CLIENT)
        for remote_id in banned:
            client.say("connect-request", remoteId=remote_id)
            assert client.forget()[0]["code"] == "server-not-found"
            assert not self.world.is_online(client.connection.address, remote_id)
        assert client.closed is None
        counts = self.world.hub.limits.counts()
        assert (counts["blockedIps"], counts["failedLookupTracked"]) == (0, 0)


class EnforceTest(AccessTestCase):
    """A ban ends what is connected, and what is expected back."""

    def test_a_home_and_its_sessions(self) -> None:
        home, client = self.world.home(), self.world.client()
        self.world.session(home, client)
        waiting = self.world.client()
        home.forget()
        other = self.world.home("OTHER")
        assert self.deny("HOME") == 1
        self.assert_turned_away(home)
        assert client.heard == [{"type": "peer-disconnected"}]
        assert waiting.forget()[0]["code"] == "server-disconnected"
        assert (client.closed, waiting.closed, other.closed) == (None, None, None)
        waiting.say("connect-request", remoteId="HOME")
        assert waiting.heard[0]["code"] == "server-not-found"
        home.breaks()
        self.world.advance(3600)
        assert client.heard == [{"type": "peer-disconnected"}]

    def test_a_client_and_its_session(self) -> None:
        home = self.world.home()
        banned, other = self.world.client(), self.world.client(text=STRANGER)
        session = home.heard_of("client-connected")[0]["sessionId"]
        home.forget()
        assert self.deny(CLIENT) == 1
        self.assert_turned_away(banned)
        assert home.heard == [{"type": "client-disconnected", "sessionId": session}]
        assert other.closed is None

    def test_a_home_by_its_address(self) -> None:
        """It isn't expected back, so its clients need not wait."""
        home, client = self.world.home(), self.world.client()
        self.world.session(home, client)
        assert self.deny("192.0.2.0/24") == 1
        self.assert_turned_away(home)
        assert client.heard == [{"type": "peer-disconnected"}]

    def test_a_newcomer_who_waits_for_a_verdict(self) -> None:
        home, newcomer = self.world.home(), self.world.connect(STRANGER)
        newcomer.say("register-server", remoteId="HOME")
        another = self.world.connect("203.0.113.9")
        another.say("register-server", remoteId="HOME")
        assert self.deny("HOME") == 3
        # Not even for a moment did one of them hold what the holder lost.
        assert newcomer.heard == another.heard == [NOT_ALLOWED]
        self.assert_turned_away(home, newcomer, another)
        assert self.world.hub.registry.find("HOME") is None
        assert not self.world.clock.timers

    def test_a_newcomer_who_was_here_first(self) -> None:
        newcomer, home = self.world.connect(STRANGER), self.world.home()
        newcomer.say("register-server", remoteId="HOME")
        assert self.deny("HOME") == 2
        self.assert_turned_away(home, newcomer)

    def test_a_holder_is_banned_by_its_address_in_the_midst_of_a_check(self) -> None:
        home, newcomer = self.world.home(), self.world.connect(STRANGER)
        newcomer.say("register-server", remoteId="HOME")
        assert self.deny(HOME) == 1
        self.assert_turned_away(home)
        assert newcomer.heard == [{"type": "registered", "remoteId": "HOME"}]

    def test_a_home_that_is_away(self) -> None:
        home, client = self.world.home(), self.world.client()
        self.world.session(home, client)
        home.breaks()
        assert self.deny("HOME") == 0
        assert client.heard == [{"type": "peer-disconnected"}]
        assert not self.world.clock.timers

    def test_a_home_that_another_connection_holds(self) -> None:
        home, client = self.world.home(), self.world.client()
        session_id = self.world.session(home, client)
        home.say("answer", sessionId=session_id)
        client.forget()
        squatter = self.world.connect(STRANGER)
        squatter.say("register-server", remoteId="HOME")
        self.world.advance(5)
        assert home.dropped
        assert squatter.forget()[-1]["type"] == "registered"
        assert self.deny("HOME") == 1
        self.assert_turned_away(squatter)
        client.say("offer", data=1)
        assert client.heard == []
        assert not self.world.clock.timers
        assert self.world.hub.counts()["clients"] == 0

    def test_both_ends(self) -> None:
        home, client = self.world.home(), self.world.client()
        self.world.session(home, client)
        assert self.deny(f"HOME\n{CLIENT}") == 2
        self.assert_turned_away(home, client)

    def test_lists_that_allow_everybody_who_is_there(self) -> None:
        home, client = self.world.home(), self.world.client()
        self.world.session(home, client)
        self.allow("HOME")
        assert self.deny(STRANGER) == 0
        assert (home.heard, client.heard) == ([], [])

    def test_one_pass_for_any_number_of_entries(self) -> None:
        """Each connection is looked at once, however long the list is."""
        for number in range(50):
            self.world.home(f"HOME{number}", f"192.0.2.{number}")
        looks = 0
        may_connect = self.world.hub.access.may_connect

        def counted(address: object) -> bool:
            nonlocal looks
            looks += 1
            return may_connect(address)  # type: ignore[arg-type]

        self.patch(self.world.hub.access, "may_connect", counted)
        assert self.deny("\n".join(f"198.51.{n // 256}.{n % 256}" for n in range(5000))) == 0
        assert looks == 50
