"""A session's story: what is remembered of it, what is made of it, and who hears it."""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.stories import REMEMBERED, Stories
from ma_signaling.story import End, Side, Story
from ma_signaling.verdicts import VERDICTS
from tests.candidates import ADDRESS, HOST, HOST_MDNS, RELAY, SRFLX, sdp
from tests.heart import FakePeer, World
from tests.wire import Reply, Server


class StoryTestCase(SynchronousTestCase):
    """A world, and what `GET /api/sessions/S` would answer in it."""

    def setUp(self) -> None:
        self.world = World()

    def story(self, session_id: str) -> dict[str, Any]:
        told: dict[str, Any] | None = self.world.story(session_id)
        assert told is not None
        return told

    def verdict(self, session_id: str) -> str:
        verdict = self.story(session_id)["verdict"]
        assert verdict["text"] == VERDICTS[verdict["code"]]
        code: str = verdict["code"]
        return code

    def asked(self, home: FakePeer) -> tuple[FakePeer, str]:
        """A client that has just asked, and its session."""
        client = self.world.client()
        session_id: str = home.heard_of("client-connected")[-1]["sessionId"]
        return client, session_id


class TimesTest(StoryTestCase):
    """What is remembered, and when it was."""

    def test_whole_call(self) -> None:
        home = self.world.home()
        self.world.advance(5)
        client, session_id = self.asked(home)
        assert self.story(session_id) == {
            "age": 0,
            "announced": 0,
            "client": {"trickled": {}, "inSdp": {}},
            "home": {"trickled": {}, "inSdp": {}},
            "verdict": {"code": "waiting", "text": VERDICTS["waiting"]},
        }
        self.world.advance(0.25)
        home.say("session-ready", sessionId=session_id)
        self.world.advance(0.25)
        client.say("offer", data=sdp())
        for candidate in (HOST, SRFLX, ""):
            self.world.advance(0.1)
            client.say("ice-candidate", data={"candidate": candidate})
        self.world.advance(0.2)
        home.say("answer", sessionId=session_id, data=sdp(HOST, RELAY))
        home.say("ice-candidate", sessionId=session_id, data={"candidate": RELAY})
        self.world.advance(1)
        client.goodbye()
        self.world.advance(2)
        assert self.story(session_id) == {
            "age": 4000,
            "announced": 0,
            "connected": 250,
            "ready": True,
            "ended": 2000,
            "endedBy": "client",
            "end": "client-left",
            "client": {
                "offer": 500,
                "firstCandidate": 600,
                "lastCandidate": 800,
                "trickled": {"host/udp/ipv4": 1, "srflx/udp/ipv4": 1, "end": 1},
                "inSdp": {},
            },
            "home": {
                "answer": 1000,
                "firstCandidate": 1000,
                "lastCandidate": 1000,
                "trickled": {"relay/udp/ipv4": 1},
                "inSdp": {"host/udp/ipv4": 1, "relay/udp/ipv4": 1},
            },
            "verdict": {"code": "negotiated", "text": VERDICTS["negotiated"]},
        }

    def test_latest_description(self) -> None:
        """Another offer replaces what the one before listed, and not when that came."""
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST, SRFLX))
        self.world.advance(1)
        client.say("offer", data=sdp(RELAY))
        story = self.story(session_id)["client"]
        assert (story["offer"], story["inSdp"]) == (0, {"relay/udp/ipv4": 1})

    def test_no_address(self) -> None:
        """Neither what is told nor what is kept has an address in it."""
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST, SRFLX, HOST_MDNS))
        client.say("ice-candidate", data={"candidate": SRFLX})
        assert ADDRESS not in json.dumps(self.story(session_id))
        story = self.world.hub.sessions.stories._under_way[session_id]
        kept = [getattr(each, name) for each in (story, story.client, story.home) for name in each.__slots__]
        assert not any(isinstance(value, str | bytes | dict | list) for value in kept), kept

    def test_only_what_was_forwarded(self) -> None:
        home, stranger = self.world.home(), self.world.home("OTHER", "192.0.2.9")
        client, session_id = self.asked(home)
        client.say("offer", data=sdp(HOST))
        stranger.say("answer", sessionId=session_id, data=sdp(HOST))
        assert "offer" not in self.story(session_id)["client"]
        assert "answer" not in self.story(session_id)["home"]

    def test_remembered_for_ten_minutes(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        self.world.advance(1000)
        client.goodbye()
        self.world.advance(REMEMBERED - 1)
        assert self.story(session_id)["end"] == "client-left"
        self.world.advance(2)
        assert self.world.story(session_id) is None
        assert not len(self.world.hub.sessions.stories)


class VerdictsTest(StoryTestCase):
    """What each course of events comes down to."""

    def test_before_the_answer(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        assert self.verdict(session_id) == "waiting"
        home.say("session-ready", sessionId=session_id)
        assert self.verdict(session_id) == "no-offer"
        client.say("offer", data=sdp(HOST))
        assert self.verdict(session_id) == "no-answer"
        client.goodbye()
        assert self.verdict(session_id) == "no-answer"

    def test_silent_home(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        self.world.advance(10)
        assert self.story(session_id)["ready"] is False
        client.say("offer", data=sdp(HOST))
        assert self.verdict(session_id) == "home-silent"

    def test_client_gave_up(self) -> None:
        client, session_id = self.asked(self.world.home())
        client.breaks()
        assert self.verdict(session_id) == "client-gave-up"
        assert self.story(session_id)["end"] == "client-lost"

    def test_client_asked_again(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        client.say("connect-request", remoteId="HOME")
        story = self.story(session_id)
        assert (story["end"], story["endedBy"]) == ("client-asked-again", "client")

    def test_home_lost_and_back(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST))
        self.world.advance(1)
        home.breaks()
        assert self.verdict(session_id) == "home-away"
        self.world.advance(10)
        self.world.home()
        story = self.story(session_id)
        assert (story["homeLost"], story["homeReturned"]) == (1000, 11000)
        assert story["verdict"]["code"] == "no-answer"

    def test_home_lost_again(self) -> None:
        """It is the latest break that is told."""
        home = self.world.home()
        _, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        for lost_at in (1000, 3000):
            self.world.advance(1)
            home.breaks()
            story = self.story(session_id)
            assert story["homeLost"] == lost_at
            assert "homeReturned" not in story
            self.world.advance(1)
            home = self.world.home()
            assert self.story(session_id)["homeReturned"] == lost_at + 1000

    def test_home_lost_for_good(self) -> None:
        home = self.world.home()
        _, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        home.breaks()
        self.world.advance(self.world.settings.grace)
        assert self.verdict(session_id) == "home-did-not-return"
        story = self.story(session_id)
        assert (story["end"], story["endedBy"]) == ("home-lost", "home")

    def test_home_did_not_return_for_a_parked_request(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        home.breaks()
        assert self.verdict(session_id) == "home-away"
        self.world.advance(self.world.settings.park)
        assert client.types() == ["error"]
        assert self.verdict(session_id) == "home-did-not-return"
        story = self.story(session_id)
        assert (story["end"], story["endedBy"]) == ("park-expired", "server")

    def test_home_left(self) -> None:
        home = self.world.home()
        _, session_id = self.asked(home)
        home.goodbye()
        assert self.verdict(session_id) == "home-left"

    def test_evicted_home(self) -> None:
        """A holder that didn't answer a check keeps its sessions for a while, and then they end."""
        home = self.world.home()
        _, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        self.world.connect("192.0.2.99").say("register-server", remoteId="HOME")
        self.world.advance(self.world.settings.takeover_timeout)
        assert self.verdict(session_id) == "home-away"
        self.world.advance(self.world.settings.grace)
        assert self.verdict(session_id) == "home-did-not-return"

    def test_crowded_out(self) -> None:
        self.world = World(home_sessions=1)
        home = self.world.home()
        _, session_id = self.asked(home)
        self.world.client(text="198.51.100.2")
        assert self.verdict(session_id) == "home-busy"

    def test_server_stops(self) -> None:
        home = self.world.home()
        client, waiting = self.asked(home)
        client, calling = self.asked(home)
        home.say("session-ready", sessionId=calling)
        client.say("offer", data=sdp(HOST))
        while self.world.hub.say_goodbye(1):
            pass
        for session_id in (waiting, calling):
            assert self.verdict(session_id) == "server-stopped"
            assert self.story(session_id)["endedBy"] == "server"

    def test_after_the_answer(self) -> None:
        cases = [
            ((), (HOST,), "no-client-candidates"),
            ((HOST,), (), "no-home-candidates"),
            ((HOST_MDNS,), (HOST,), "only-local"),
            ((SRFLX,), (HOST,), "no-relay"),
            ((HOST,), (HOST, SRFLX), "no-relay"),
            ((HOST,), (RELAY,), "negotiated"),
            ((RELAY,), (HOST,), "negotiated"),
        ]
        home = self.world.home()
        for offered, answered, code in cases:
            client, session_id = self.asked(home)
            home.say("session-ready", sessionId=session_id)
            client.say("offer", data=sdp(*offered))
            home.say("answer", sessionId=session_id, data=sdp(*answered))
            assert self.verdict(session_id) == code, (offered, answered)

    def test_end_of_candidates_is_none(self) -> None:
        side = Side()
        side.sent({"type": "ice-candidate", "data": {"candidate": ""}}, 1.0)
        assert not side.has_any()


class BoundsTest(SynchronousTestCase):
    """Many stories cost little, and the oldest go first."""

    def test_oldest_go_first(self) -> None:
        stories = Stories(3)
        begun = {name: stories.begin(name, 1.0) for name in "abc"}
        ended = begun["b"]
        assert ended is not None
        ended.ended(End.CLIENT_LEFT, 2.0)
        stories.ended("b", 2.0)
        stories.begin("d", 3.0)
        assert [bool(stories.tell(name, 3.0)) for name in "abcd"] == [True, False, True, True]
        stories.begin("e", 4.0)
        assert [bool(stories.tell(name, 4.0)) for name in "acde"] == [False, True, True, True]
        # The session of a forgotten story goes on, and ends.
        stories.ended("a", 5.0)
        assert len(stories) == 3

    def test_size_of_one(self) -> None:
        """Whatever peers send, a story has the same size, below 2 KiB."""
        story = Story(1e9)
        for number in range(1000):
            at = 1e9 + number
            for side in (story.client, story.home):
                side.sent({"type": "offer", "data": {"sdp": "a" * 5000 + "\na=" + HOST}}, at)
                side.sent({"type": "ice-candidate", "data": {"candidate": SRFLX * 20}}, at)
        parts: list[Story | Side] = [story, story.client, story.home]
        kept = [getattr(part, name) for part in parts for name in part.__slots__]
        size = sum(sys.getsizeof(each) for each in {id(each): each for each in (*parts, *kept)}.values())
        assert size < 2048, size

    def test_off(self) -> None:
        world = World(session_stories=0)
        home = world.home()
        client = world.client()
        session_id = world.session(home, client)
        client.say("offer", data=sdp(HOST))
        home.breaks()
        world.home()
        assert world.story(session_id) is None
        assert world.hub.sessions.get(session_id) is not None
        client.goodbye()


class RestTest(SynchronousTestCase):
    """`GET /api/sessions/S`."""

    def setUp(self) -> None:
        self.server = Server(lookups_per_minute=5, guesses_per_minute=2)

    def ask(self, path: str) -> Reply:
        client = self.server.accept("192.0.2.3")
        client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reply = Reply(client.transport.value())
        client.lose(clean=True)
        return reply

    def test_story(self) -> None:
        home, client = self.server.connect("192.0.2.1"), self.server.connect("192.0.2.2")
        home.say(type="register-server", remoteId="HOME")
        client.say(type="connect-request", remoteId="HOME")
        session_id = home.heard()[-1]["sessionId"]
        reply = self.ask(f"/api/sessions/{session_id}")
        assert reply.status == 200
        assert reply.json["verdict"]["code"] == "waiting"

    def test_unknown_and_limited(self) -> None:
        """Unknown ones cost a lookup each, and are no guesses of a Remote ID."""
        for number in range(5):
            reply = self.ask(f"/api/sessions/{number:032}")
            assert (reply.status, reply.json) == (404, {"error": "Session not found"})
        reply = self.ask("/api/sessions/x")
        assert (reply.status, reply.json["error"]) == (429, "Rate limited")
        assert int(reply.headers["retry-after"]) == reply.json["retryAfter"]
        assert self.ask("/api/sessions").status == 404
        assert self.ask("/api/sessions/a/b").status == 404
