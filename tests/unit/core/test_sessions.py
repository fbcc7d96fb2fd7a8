"""A session's life: request, announcement, session-ready or not, and who hears of the end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_hub import FakePeer, World

DISCONNECTED = [{"type": "error", "error": "Server disconnected", "code": "server-disconnected"}]
NOT_FOUND = "server-not-found"


def session_of(home: FakePeer) -> str:
    """The session that a home was told of last."""
    session_id: str = home.heard_of("client-connected")[-1]["sessionId"]
    return session_id


class OpeningTest(SynchronousTestCase):
    """From connect-request to connected."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home(iceServers=[{"urls": "stun:fallback"}])

    def test_announced_and_opened(self) -> None:
        client = self.world.client()
        assert client.heard == []
        session_id = session_of(self.home)
        assert self.home.heard == [{"type": "client-connected", "sessionId": session_id}]
        fresh = [{"urls": ["turn:fresh"], "username": "u", "credential": "c"}]
        self.home.say("session-ready", sessionId=session_id, iceServers=fresh)
        connected = {"type": "connected", "remoteId": "HOME", "sessionId": session_id, "iceServers": fresh}
        assert client.heard == [connected]
        self.home.say("session-ready", sessionId=session_id, iceServers=[])
        self.world.advance(60)
        assert client.heard == [connected]

    def test_session_ids_cannot_be_guessed(self) -> None:
        """Defect 4: at least 128 random bits, no two alike."""
        ids = set()
        for _ in range(20):
            self.world.client()
            ids.add(session_of(self.home))
        assert len(ids) == 20
        assert all(len(bytes.fromhex(session_id)) == 16 for session_id in ids)

    def test_older_homes_never_say_session_ready(self) -> None:
        """Defect 13: the log says so at least."""
        client = self.world.client()
        self.world.advance(9.9)
        assert client.heard == []
        self.world.advance(0.1)
        assert client.types() == ["connected"]
        assert client.heard[0]["iceServers"] == [{"urls": "stun:fallback"}]
        assert Event.SESSION_OPENED_UNREADY in self.world.reported()

    def test_list_too_long_to_be_kept(self) -> None:
        """An earlier one may be out of date: it is no fallback any more."""
        self.home.say("register-server", remoteId="HOME", iceServers=[{"urls": "stun:" + "x" * 9000}])
        client = self.world.client()
        self.world.advance(10)
        assert "iceServers" not in client.heard[0]

    def test_refreshed_ice_servers(self) -> None:
        self.home.say("register-server", remoteId="home", iceServers=[{"urls": "stun:new"}])
        assert self.home.forget() == [{"type": "registered", "remoteId": "HOME"}]
        self.home.say("register-server", remoteId="home")
        client = self.world.client()
        self.world.advance(10)
        assert client.heard[0]["iceServers"] == [{"urls": "stun:new"}]

    def test_second_request_ends_the_first_session(self) -> None:
        """Defect 11."""
        client = self.world.client()
        first = session_of(self.home)
        client.say("connect-request", remoteId="HOME")
        second = session_of(self.home)
        assert first != second
        assert self.home.heard_of("client-disconnected") == [
            {"type": "client-disconnected", "sessionId": first}
        ]
        self.world.advance(30)
        assert [message["sessionId"] for message in client.heard] == [second]

    def test_second_request_for_another_home(self) -> None:
        other = self.world.home("OTHER", "192.0.2.2")
        client = self.world.client()
        session_id = self.world.session(self.home, client)
        client.say("connect-request", remoteId="OTHER")
        assert self.home.heard == [{"type": "client-disconnected", "sessionId": session_id}]
        self.home.say("answer", sessionId=session_id, data={})
        other.say("session-ready", sessionId=session_of(other))
        assert [message["remoteId"] for message in client.heard] == ["OTHER"]

    def test_counts(self) -> None:
        self.world.client()
        opened = self.world.client()
        self.world.session(self.home, opened)
        counts = self.world.hub.counts()
        assert (counts["servers"], counts["clients"], counts["pendingClients"]) == (1, 1, 1)


class EndingTest(SynchronousTestCase):
    """Goodbyes of either side, and a client that breaks."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()
        self.client = self.world.client()

    def told(self, session_id: str) -> bool:
        return self.home.heard_of("client-disconnected") == [
            {"type": "client-disconnected", "sessionId": session_id}
        ]

    def test_client_says_goodbye(self) -> None:
        session_id = self.world.session(self.home, self.client)
        self.client.goodbye()
        assert self.told(session_id)

    def test_pending_client_leaves(self) -> None:
        """Defect 10: the home hears of it, and keeps no peer connection open."""
        for leave in (FakePeer.goodbye, FakePeer.breaks):
            self.home.forget()
            client = self.world.client()
            session_id = session_of(self.home)
            leave(client)
            assert self.told(session_id)
            self.world.advance(30)
            assert client.heard == []

    def test_client_breaks_before_the_answer(self) -> None:
        session_id = self.world.session(self.home, self.client)
        self.client.say("offer", data={})
        self.home.say("ice-candidate", sessionId=session_id, data={})
        self.client.breaks()
        assert self.told(session_id)

    def test_client_breaks_after_the_answer(self) -> None:
        """Defect 25: a phone that changes network keeps its call."""
        session_id = self.world.session(self.home, self.client)
        self.client.say("offer", data={})
        self.home.say("answer", sessionId=session_id, data={})
        self.home.forget()
        self.client.breaks()
        self.world.advance(300)
        assert self.home.heard == []
        assert self.world.hub.counts()["clients"] == 0

    def test_its_own_answer_is_no_sign_of_a_call(self) -> None:
        session_id = self.world.session(self.home, self.client)
        self.client.say("answer", data={})
        self.client.breaks()
        assert self.told(session_id)

    def test_client_says_goodbye_after_the_answer(self) -> None:
        session_id = self.world.session(self.home, self.client)
        self.home.say("answer", sessionId=session_id, data={})
        self.client.goodbye()
        assert self.told(session_id)

    def test_home_says_goodbye(self) -> None:
        session_id = self.world.session(self.home, self.client)
        waiting = self.world.client()
        self.home.goodbye()
        assert self.client.heard == [{"type": "peer-disconnected"}]
        assert waiting.heard == DISCONNECTED
        self.world.advance(60)
        assert len(self.client.heard) == len(waiting.heard) == 1
        assert self.world.hub.sessions.get(session_id) is None

    def test_a_client_may_ask_again_when_its_home_has_left(self) -> None:
        self.world.session(self.home, self.client)
        self.home.goodbye()
        home = self.world.home()
        self.client.say("connect-request", remoteId="HOME")
        assert self.world.session(home, self.client)

    def test_home_that_registers_another_id(self) -> None:
        """Defect 6: no ghost of the first one."""
        self.world.session(self.home, self.client)
        self.home.say("register-server", remoteId="SECOND")
        assert self.home.heard == [{"type": "registered", "remoteId": "SECOND"}]
        assert self.client.heard == [{"type": "peer-disconnected"}]
        late = self.world.client("HOME")
        assert [message["code"] for message in late.heard] == [NOT_FOUND]
        assert self.world.hub.counts()["servers"] == 1

    def test_nothing_is_left(self) -> None:
        """Defect 7: a connection without a role is forgotten too."""
        self.world.connect().breaks()
        self.world.session(self.home, self.client)
        self.client.goodbye()
        self.home.goodbye()
        assert not self.world.hub._connections
        assert not self.world.hub._silent._by_key
        assert self.world.clock.timers == []


class ClosedByTheServerTest(SynchronousTestCase):
    """Nobody who waits for an answer to connect-request is closed without an error first."""

    def test_flood(self) -> None:
        world = World()
        world.home()
        client = world.client()
        for _ in range(150):
            client.say("ping")
        assert client.closed == (4029, "Rate limited")
        assert client.types()[-1] == "error"

    def test_nothing_that_ends_a_call_is_said_in_one(self) -> None:
        """An ``error`` is the end of the call in the mobile app."""
        for sends_frames in (False, True):
            world = World()
            home = world.home()
            client = world.client()
            home.say("answer", sessionId=world.session(home, client), data={})
            client.forget()
            for _ in range(200):
                if sends_frames:
                    world.hub.charge_control_frame(client.connection)
                else:
                    client.say_bytes(b"x")
            assert client.closed is not None
            assert not client.heard

    def test_junk_and_a_flood_at_once(self) -> None:
        peer = World().connect()
        for _ in range(100):
            peer.say("ping")
        for _ in range(50):
            peer.say_bytes(b"x")
        assert peer.closed == (1008, "Too many bad messages")

    def test_making_way(self) -> None:
        """A client that waits for an answer gets one before it makes way."""
        world = World(capacity=4)
        world.home()
        clients = [world.client(text="198.51.100.1") for _ in range(3)]
        world.connect("192.0.2.2")
        assert clients[-1].codes() == ["rate-limited"]
        assert [peer.closed is None for peer in clients] == [True, True, False]

    def test_an_open_session_that_makes_way_has_not_failed(self) -> None:
        world = World(home_sessions=2)
        home = world.home()
        world.session(home, world.client(text="198.51.100.1"))
        first = world.client(text="198.51.100.1")
        world.session(home, first)
        world.client(text="198.51.100.2")
        assert first.types() == ["error"]
        assert Event.SESSION_FAILED not in world.reported()
        assert world.reported().count(Event.SESSION_ENDED) == 1
