"""What a connection may send: charged to sessions, and never one's to another."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import FakePeer, World


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
            client.say("offer", data={})
        assert len(self.home.heard) == 200
        assert client.codes() == ["rate-limited"]
        assert client.closed is None
        client.say("offer", data={})
        assert client.closed == (4029, "Rate limited")

    def test_any_flood_is_closed(self) -> None:
        """Also of one that is read as seldom as this server wants: of bytes, or of few messages."""
        floods: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
            ({}, "offer", {"data": "x" * 65_000}),
            ({}, "offer", {"data": "x" * 20_000}),
            ({}, "offer", {"data": "x" * 5_000}),
            ({}, "offer", {"data": "x" * 20_000, "sessionId": "earlier"}),
            ({"message_rate": 0.1, "message_burst": 10}, "offer", {"data": "x"}),
            ({"control_rate": 0.1}, "ping", {}),
        ]
        for settings, kind, fields in floods:
            self.world = World(**settings)
            self.home = self.world.home()
            client, session_id = self.open()
            client.say("connect-request", remoteId="HOME")
            self.world.session(self.home, client)
            if "sessionId" in fields:
                fields["sessionId"] = session_id
            began = self.world.clock.seconds()
            while client.closed is None and self.world.clock.seconds() < began + 90:
                client.say(kind, **fields)
                self.world.advance(client.pauses.pop() if client.pauses else 0.001)
            assert client.closed == (4029, "Rate limited"), (settings, kind)

    def test_told_once_a_second(self) -> None:
        client, _ = self.open()
        for _ in range(200):
            client.say("offer", data="x")
        for _ in range(3):
            for _ in range(30):
                client.say("offer", data="x")
            self.world.advance(1)
        assert len(client.codes()) == 3

    def test_bytes_of_a_session(self) -> None:
        client, _ = self.open()
        for _ in range(10):
            client.say("offer", data="x" * 60_000)
        assert len(self.home.heard) == 8
        assert client.codes() == ["rate-limited"]

    def test_bytes_of_a_session_from_its_home(self) -> None:
        client, session_id = self.open()
        for _ in range(10):
            self.home.say("offer", sessionId=session_id, data="x" * 60_000)
        assert len(client.heard) == 8
        assert self.home.codes() == ["rate-limited"]

    def test_no_one_session_closes_its_home(self) -> None:
        client, session_id = self.open()
        other, other_id = self.open()
        for _ in range(1000):
            self.home.say("offer", sessionId=session_id, data={})
        assert len(client.heard) == 199
        assert self.home.closed is None
        self.home.say("answer", sessionId=other_id, data={})
        assert other.types() == ["answer"]

    def party(self) -> list[tuple[FakePeer, str]]:
        """Open twenty sessions with the home."""
        return [self.open() for _ in range(20)]

    def test_a_home_that_floods_one_session_of_many(self) -> None:
        """It is read on: all that it sends in the others is delivered, and at once."""
        (flooded, flooded_id), *others = self.party()
        for _ in range(50):
            for _ in range(100):
                self.home.say("ice-candidate", sessionId=flooded_id, data={})
            for _, session_id in others:
                self.home.say("ice-candidate", sessionId=session_id, data={})
        assert self.home.pauses == []
        assert len(flooded.heard) == 199
        assert [len(client.heard) for client, _ in others] == [50] * 19

    def test_a_client_that_floods_one_session_of_many(self) -> None:
        """It is read more slowly, and closed; nobody else is."""
        (flooding, _), *others = self.party()
        for _ in range(400):
            flooding.say("ice-candidate", data={})
        for client, _ in others:
            client.say("ice-candidate", data={})
        assert len(self.home.heard) == 200 + 19 + 1
        assert flooding.pauses
        assert flooding.closed == (4029, "Rate limited")
        assert [peer.pauses for peer in (self.home, *(client for client, _ in others))] == [[]] * 20

    def test_a_flood_that_costs_too_much_in_all(self) -> None:
        """Homes that send on and on are read more slowly; one that sends a little more than it may isn't."""
        floods = [("ice-candidate", "x", 25_000), ("offer", "x" * 60_000, 400)]
        for kind, data, count in floods:
            self.setUp()
            _, session_id = self.open()
            payload = json.dumps({"type": kind, "sessionId": session_id, "data": data}).encode()
            for _ in range(count):
                self.home.say_bytes(payload)
            assert max(self.home.pauses) <= 1
            assert self.home.closed is None
            other = self.world.home("OTHER")
            client = self.world.client("OTHER")
            other_id = self.world.session(other, client)
            for _ in range(2 * 199):
                other.say("ice-candidate", sessionId=other_id, data={})
            assert other.pauses == []
            self.home.pauses.clear()
            self.world.advance(10)
            for _ in range(9 if data == "x" else 2):
                self.home.say_bytes(payload)
            assert self.home.pauses == []

    def test_flood_of_pings(self) -> None:
        """Defect 15."""
        for _ in range(149):
            self.home.say("ping")
        assert self.home.types().count("pong") == 49
        assert self.home.closed == (4029, "Rate limited")

    def test_flood_of_what_is_not_forwarded(self) -> None:
        """However it is answered, it costs the connection."""
        _, session_id = self.open()
        leaving = self.world.home("LEAVING")
        orphan = self.world.client("LEAVING")
        self.world.session(leaving, orphan)
        leaving.goodbye()
        self.world.advance(60)
        ended, ended_id = self.open()
        ended.goodbye()
        floods: list[tuple[FakePeer, dict[str, str]]] = [
            (self.world.connect(), {"type": "pong"}),
            (self.world.connect(), {"type": "nonsense"}),
            (self.world.connect(), {"type": "offer"}),
            (self.world.connect(), {"type": "session-ready"}),
            (self.world.connect(), {"type": "session-ready", "sessionId": ended_id}),
            (self.world.client(), {"type": "register-server", "remoteId": "NEW"}),
            (orphan, {"type": "offer"}),
            (self.world.home("A"), {"type": "connect-request", "remoteId": "HOME"}),
            (self.world.home("B"), {"type": "answer"}),
            (self.world.home("C"), {"type": "answer", "sessionId": session_id}),
            (self.world.home("D"), {"type": "answer", "sessionId": "unknown"}),
            (self.world.home("E"), {"type": "session-ready", "sessionId": session_id}),
        ]
        for peer, message in floods:
            for _ in range(150):
                peer.say(**message)
            assert peer.closed == (4029, "Rate limited"), message

    def test_flood_for_sessions_that_have_ended(self) -> None:
        """What comes late is ignored, however often, but its bytes cost a client's connection."""
        client, earlier = self.open()
        client.say("connect-request", remoteId="HOME")
        self.world.session(self.home, client)
        message = {"type": "ice-candidate", "sessionId": earlier, "data": "x" * 60_000}
        for _ in range(8):
            client.say(**message)
        self.world.advance(8)
        for _ in range(8 + 99):
            client.say(**message)
        assert client.closed is None
        client.say(**message)
        assert client.closed == (4029, "Rate limited")
        assert "rate-limited" not in client.codes()

    def test_flood_after_a_session_that_is_not_named(self) -> None:
        client, _ = self.open()
        self.home.goodbye()
        for _ in range(8 + 99):
            client.say("ice-candidate", data="x" * 60_000)
        assert client.closed is None
        client.say("ice-candidate", data="x" * 60_000)
        assert client.closed == (4029, "Rate limited")

    def test_guests_that_leave_before_their_offers_are_answered(self) -> None:
        """The home answers one after the other, and goes on when they have left: that costs it nothing."""
        for _ in range(20):
            client, session_id = self.open()
            for _ in range(200):
                client.say("offer", data={})
            client.goodbye()
            for _ in range(200):
                self.home.say("answer", sessionId=session_id, data="x" * 4000)
            self.world.advance(0.5)
        assert self.home.closed is None
        assert self.home.codes() == []
        assert self.home.pauses == []

    def test_a_slow_drip_beyond_a_budget(self) -> None:
        """A hundred messages dropped within a minute are a flood; fewer aren't, for however long."""
        client, _ = self.open()
        for _ in range(200):
            client.say("offer", data={})
        for _ in range(300):
            self.world.advance(1)
            for _ in range(21):
                client.say("offer", data={})
        assert client.closed is None

    def test_flood_of_what_cannot_be_read(self) -> None:
        """It costs the connection as well, until there is too much of it."""
        peer = World(control_burst=10).connect()
        for _ in range(20):
            peer.say_bytes(b"nonsense")
        assert peer.codes() == ["bad-message"] * 10 + ["rate-limited"]

    def test_limits_that_are_off(self) -> None:
        world = World(control_burst=0, connect_requests_per_minute=0, guesses_per_minute=0)
        peer = world.connect()
        for number in range(500):
            peer.say("connect-request", remoteId=f"GUESS{number}")
        assert peer.codes() == ["server-not-found"] * 500
