"""Sessions that the home has not answered: they begin anew with its next connection, and end if no answer comes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import kept_messages
from ma_signaling.core.held_bytes import MAX_BYTES_OF_HOME
from tests.support.memory_hub import FakePeer, World


class UnansweredTest(SynchronousTestCase):
    """One home, one client that has sent its offer and two candidates."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()
        self.client = self.world.client()
        self.session_id = self.world.session(self.home, self.client)
        self.client.say("offer", data="offer")
        self.client.say("ice-candidate", data=1)
        self.client.say("ice-candidate", data=2)

    def returned(self) -> FakePeer:
        """Let the home break, and come back after ten seconds."""
        self.home.breaks()
        self.world.advance(10)
        self.home = self.world.connect("192.0.2.1")
        self.home.say("register-server", remoteId="HOME")
        return self.home

    def crowd(self) -> list[FakePeer]:
        """Return clients of one address that fill what can be kept for the home."""
        crowd = []
        for _ in range(4):
            crowd.append(self.world.client(text="203.0.113.1"))
            self.world.session(self.home, crowd[-1])
            crowd[-1].say("offer", data="x" * 60_000)
        return crowd

    def answer(self) -> None:
        self.home.say("answer", sessionId=self.session_id, data="answer")

    ANEW = (
        "registered",
        "client-disconnected",
        "client-connected",
        "offer",
        "ice-candidate",
        "ice-candidate",
    )

    def test_break_between_offer_and_answer(self) -> None:
        home = self.returned()
        assert tuple(home.types()) == self.ANEW
        assert [message.get("data") for message in home.heard[3:]] == ["offer", 1, 2]
        home.say("session-ready", sessionId=self.session_id)
        self.answer()
        assert self.client.types() == ["answer"], "it hears connected once"

    def test_after_a_candidate_of_the_home(self) -> None:
        """A home since 2.10 trickles before it answers."""
        self.home.say("ice-candidate", sessionId=self.session_id, data={})
        assert tuple(self.returned().types()) == self.ANEW

    def test_what_comes_meanwhile(self) -> None:
        self.home.breaks()
        self.client.say("ice-candidate", data=3)
        self.world.advance(10)
        home = self.world.connect("192.0.2.1")
        home.say("register-server", remoteId="HOME")
        assert [message.get("data") for message in home.heard[3:]] == ["offer", 1, 2, 3]
        self.client.say("ice-candidate", data=4)
        assert home.heard[-1]["data"] == 4

    def test_again_and_again(self) -> None:
        for _ in range(3):
            assert tuple(self.returned().types()) == self.ANEW

    def test_answered_is_never_announced_again(self) -> None:
        self.answer()
        assert self.returned().types() == ["registered"]

    def test_no_answer(self) -> None:
        """Some clients wait for ever."""
        self.world.advance(34.9)
        assert self.client.heard == []
        self.world.advance(0.1)
        assert self.client.types() == ["peer-disconnected"]
        assert self.home.types()[-1] == "client-disconnected"
        assert self.world.clock.timers == []

    def test_time_counts_from_the_latest_delivery(self) -> None:
        self.world.advance(30)
        self.returned()
        self.world.advance(34.9)
        assert self.client.heard == []
        self.world.advance(0.1)
        assert self.client.types() == ["peer-disconnected"]

    def test_answer_ends_the_wait(self) -> None:
        self.answer()
        self.world.advance(600)
        assert self.client.types() == ["answer"]
        assert self.world.clock.timers == []

    def test_a_second_offer_is_no_first(self) -> None:
        """An ICE restart in a call that is up has no deadline."""
        self.answer()
        self.client.say("offer", data="restart")
        self.world.advance(600)
        assert self.client.types() == ["answer"]

    def test_end_of_the_grace_time(self) -> None:
        self.home.breaks()
        self.world.advance(45)
        assert self.client.types() == ["peer-disconnected"]

    def test_bounded(self) -> None:
        """Of who has sent more than 64 KiB nothing is kept; nor of a session that has ended."""
        shares = self.world.hub.registry._held_bytes
        for _ in range(6):
            self.client.say("ice-candidate", data="x" * 10_000)
        assert 60_000 < shares.used + kept_messages.FREE_BYTES <= kept_messages.MAX_BYTES
        other = self.world.client()
        self.world.session(self.home, other)
        other.say("offer", data="x" * 10_000)
        self.client.say("ice-candidate", data="x" * 10_000)
        assert 10_000 < shares.used + kept_messages.FREE_BYTES < 20_000
        other.goodbye()
        assert shares.used == 0

    def test_more_than_the_home_takes_at_once(self) -> None:
        """It has read nothing of it yet: beyond its send buffer it would be cut as soon as it is back."""
        clients = [self.client]
        for _ in range(5):
            clients.append(self.world.client())
            self.world.session(self.home, clients[-1])
            clients[-1].say("offer", data="x" * 3_000)
        self.home.breaks()
        waiting = self.world.client()
        home = self.world.connect("192.0.2.1")
        hear = home.send

        def send(message: bytes) -> None:
            hear(message)
            home.congested = sum(map(len, home.raw)) > 6_000

        self.patch(home, "send", send)
        home.say("register-server", remoteId="HOME")
        assert len(home.heard_of("offer")) == 3
        assert [client.types() for client in clients] == [[]] * 3 + [["peer-disconnected"]] * 3
        assert len(home.heard_of("client-disconnected")) == 6
        # Who has yet to be told of is.
        assert home.types()[-1] == "client-connected"
        assert waiting.heard == []
        home.congested = False
        clients[-1].say("connect-request", remoteId="HOME")
        assert home.types()[-1] == "client-connected"

    def test_more_than_can_be_kept(self) -> None:
        """What was delivered once can't be delivered again whole: the client is told when the home breaks."""
        for _ in range(10):
            self.client.say("ice-candidate", data="x" * 10_000)
        assert len(self.home.heard_of("ice-candidate")) == 12
        assert self.client.heard == []
        assert self.returned().types() == ["registered", "client-disconnected"]
        assert self.client.types() == ["peer-disconnected"]

    def test_home_that_is_replaced_at_once(self) -> None:
        """It had more than can be kept, and its heir takes over without a break."""
        for _ in range(10):
            self.client.say("ice-candidate", data="x" * 10_000)
        heir = self.world.connect("192.0.2.1")
        heir.say("register-server", remoteId="HOME")
        self.world.advance(20)
        assert heir.types() == ["registered", "client-disconnected"]
        assert self.client.types() == ["peer-disconnected"]

    def test_answer_makes_up_for_it(self) -> None:
        for _ in range(10):
            self.client.say("ice-candidate", data="x" * 10_000)
        self.answer()
        assert self.returned().types() == ["registered"]
        assert self.client.types() == ["answer"]

    def test_made_way_while_the_home_is_away(self) -> None:
        """Whose messages wait no longer, since others need the room, hears so at once."""
        crowd = self.crowd()
        self.home.breaks()
        self.client.say("ice-candidate", data="x" * 40_000)
        told = [client.types() for client in crowd]
        assert sorted(told) == [[], [], [], ["error"]]
        (gone,) = (client for client in crowd if client.heard)
        assert gone.codes() == ["home-busy"]
        home = self.world.connect("192.0.2.1")
        home.say("register-server", remoteId="HOME")
        assert len(home.heard_of("client-connected")) == 4
        assert len(home.heard_of("client-disconnected")) == 5
        assert len(home.heard_of("offer")) == 4

    def test_made_way_after_delivery(self) -> None:
        """Nobody misses what is kept no longer, unless the home breaks."""
        crowd = self.crowd()
        self.client.say("ice-candidate", data="x" * 40_000)
        assert [client.types() for client in crowd] == [[]] * 4
        self.returned()
        assert sorted(client.types() for client in crowd) == [[], [], [], ["peer-disconnected"]]

    def test_a_crowd_of_unanswered_sessions(self) -> None:
        """However many, what is sent again at once fits into the home's send buffer; the others may ask again."""
        crowd = []
        for number in range(30):
            client = self.world.client(text=f"198.51.100.{number}")
            self.world.session(self.home, client)
            client.say("offer", data="x" * 60_000)
            crowd.append(client)
        home = self.returned()
        sent = sum(map(len, home.raw))
        assert MAX_BYTES_OF_HOME // 2 < sent < 2 * MAX_BYTES_OF_HOME, sent
        told = [client.types() for client in crowd].count(["peer-disconnected"])
        assert told == 30 - len(home.heard_of("offer")) + 1
