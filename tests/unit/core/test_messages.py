"""Every message and error of the wire contract, one peer at a time."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.connection import Role
from tests.support.memory_hub import FakePeer, World

NOT_FOUND = (
    "Server not found. Make sure your Music Assistant server is running and has Remote Access enabled."
)


def error(text: str, code: str, **more: object) -> list[dict[str, Any]]:
    """What a peer hears of one error."""
    return [{"type": "error", "error": text, "code": code, **more}]


class AnswersTest(SynchronousTestCase):
    """What a connection without a role is answered."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.connect()

    def heard_after(self, payload: bytes) -> list[dict[str, Any]]:
        self.peer.say_bytes(payload)
        return self.peer.forget()

    def test_bad_message(self) -> None:
        for payload in (
            b"",
            b"{",
            b"null",
            b"[]",
            b'"ping"',
            b"{}",
            b'{"type":null}',
            b'{"type":1}',
            b'{"type":"ping"}x',
            b'{"type":"\xff"}',
            b'{"type":"ping","x":NaN}',
            b'{"type":"ping","x":"\\ud800"}',
            b'{"type":"ping","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        ):
            assert self.heard_after(payload) == error("Invalid message format", "bad-message"), payload

    def test_unknown_type(self) -> None:
        assert self.heard_after(b'{"type":"hello"}') == error("Unknown message type: hello", "unknown-type")
        (answer,) = self.heard_after(b'{"type":"%b"}' % (b"x" * 100))
        assert answer["error"] == "Unknown message type: " + "x" * 64
        assert self.heard_after(b'{"type":""}') == error("Unknown message type: ", "unknown-type")

    def test_ping_and_pong(self) -> None:
        assert self.heard_after(b'{"type":"ping"}') == [{"type": "pong"}]
        assert self.heard_after(b'{"type":"pong"}') == []

    def test_remote_id(self) -> None:
        """Defect 21: a number is no Remote ID, and is told so."""
        for kind in ("register-server", "connect-request"):
            for value in (None, 5, ["A"], "", "  "):
                self.peer.say(kind, remoteId=value)
                assert self.peer.forget() == error("Remote ID required", "remote-id-required"), value
            for value in ("A B", "ä", "A" * 65, "A/B", "A\x00B", "A\u0660", "A\nB"):
                self.peer.say(kind, remoteId=value)
                assert self.peer.forget() == error("Invalid Remote ID", "invalid-remote-id"), value
        assert self.peer.connection.role is Role.NONE

    def test_without_a_role(self) -> None:
        for kind in ("offer", "answer"):
            self.peer.say(kind, sessionId="S", data={})
            assert self.peer.forget() == error("Not registered", "not-registered")

    def test_session_ready_is_checked_in_order(self) -> None:
        for fields in ({}, {"sessionId": ""}, {"sessionId": 5}):
            self.peer.say("session-ready", **fields)
            assert self.peer.forget() == error("Session ID required", "session-id-required")
        self.peer.say("session-ready", sessionId="S")
        assert self.peer.forget() == []
        home = self.world.home()
        self.world.client()
        session_id = home.heard[-1]["sessionId"]
        self.peer.say("session-ready", sessionId=session_id)
        assert self.peer.forget() == error("Not a registered server", "not-a-server")
        other = self.world.home("OTHER")
        other.say("session-ready", sessionId=session_id, iceServers=[])
        assert other.heard == []

    def test_roles(self) -> None:
        home = self.world.home()
        home.say("connect-request", remoteId="HOME")
        assert home.forget() == error("Already registered as a server", "wrong-role")
        client = self.world.client()
        client.say("register-server", remoteId="CLIENT")
        assert client.forget() == error("Already connected as a client", "wrong-role")

    def test_failed_opening_takes_no_role(self) -> None:
        self.peer.say("connect-request", remoteId="NOBODY")
        assert self.peer.forget() == error(NOT_FOUND, "server-not-found")
        self.peer.say("register-server", remoteId="HOME")
        assert self.peer.forget() == [{"type": "registered", "remoteId": "HOME"}]

    def test_remote_ids_are_trimmed_and_upper_case(self) -> None:
        self.peer.say("register-server", remoteId=" ma-x7k9_p2m4\n")
        assert self.peer.forget() == [{"type": "registered", "remoteId": "MA-X7K9_P2M4"}]
        client = self.world.client("Ma-X7K9_p2m4")
        session_id = self.peer.heard[-1]["sessionId"]
        self.peer.say("session-ready", sessionId=session_id)
        assert client.heard == [
            {"type": "connected", "remoteId": "MA-X7K9_P2M4", "sessionId": session_id},
        ]

    def test_fifty_bad_messages_within_a_minute(self) -> None:
        """Defect 15: junk is inside a limit."""
        for _ in range(49):
            self.peer.say_bytes(b"x")
            self.world.advance(1)
        assert self.peer.closed is None
        self.world.advance(30)
        self.peer.say_bytes(b"x")
        assert self.peer.closed is None
        for _ in range(49):
            self.peer.say_bytes(b"x")
            self.world.advance(0.5)
        assert self.peer.closed is not None
        assert self.peer.closed[0] == 1008


class ForwardingTest(SynchronousTestCase):
    """Offer, answer and candidates, there and back."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()
        self.client = self.world.client()
        self.session_id = self.world.session(self.home, self.client)

    def test_to_the_home_with_the_session_set(self) -> None:
        for written in ({}, {"sessionId": self.session_id}, {"sessionId": "forged"}, {"sessionId": None}):
            self.client.say("offer", **written, remoteId="HOME", data={"sdp": "v=0 ä"}, extra=[1, None])
            assert self.home.forget() == [
                {
                    "type": "offer",
                    "sessionId": self.session_id,
                    "remoteId": "HOME",
                    "data": {"sdp": "v=0 ä"},
                    "extra": [1, None],
                }
            ]

    def test_to_the_client_as_it_came(self) -> None:
        payload = b'{ "data":{"n":12345678901234567890.0e-5} , "type":"answer","sessionId":"%b"} '
        self.home.say_bytes(payload % self.session_id.encode())
        assert self.client.raw == [payload % self.session_id.encode()]

    def test_session_not_found(self) -> None:
        pending = self.world.client()
        pending.say("offer", data={})
        assert pending.forget() == error("Session not found", "session-not-found")

    def test_client_not_found(self) -> None:
        """Defect 3: a home that the session doesn't belong to isn't believed."""
        other = self.world.home("OTHER")
        for kind in ("offer", "answer"):
            other.say(kind, sessionId=self.session_id, data={})
            assert other.forget() == error("Client not found", "client-not-found")
        other.say("ice-candidate", sessionId=self.session_id, data={})
        assert other.forget() == []
        self.home.say("answer", sessionId="unknown", data={})
        assert self.home.forget() == error("Client not found", "client-not-found")
        self.home.say("answer", data={})
        assert self.home.forget() == error("Session ID required", "session-id-required")
        assert self.client.heard == []

    def test_client_not_found_while_pending(self) -> None:
        self.world.client()
        pending_id = self.home.forget()[-1]["sessionId"]
        self.home.say("answer", sessionId=pending_id, data={})
        assert self.home.forget() == error("Client not found", "client-not-found")

    def test_what_comes_late_for_an_ended_session_is_ignored_for_a_minute(self) -> None:
        self.client.goodbye()
        self.home.forget()
        for _ in range(300):
            self.home.say("ice-candidate", sessionId=self.session_id, data={})
        assert self.home.heard == []
        other = self.world.home("OTHER")
        other.say("offer", sessionId=self.session_id, data={})
        assert other.forget() == error("Client not found", "client-not-found")
        self.world.advance(60)
        self.home.say("offer", sessionId=self.session_id, data={})
        assert self.home.forget() == error("Client not found", "client-not-found")

    def test_a_client_whose_session_has_ended(self) -> None:
        """What it still sends costs nothing for a minute."""
        self.home.goodbye()
        self.client.forget()
        for _ in range(300):
            self.client.say("ice-candidate", data={})
        self.world.advance(59)
        self.client.say("ice-candidate", data={})
        assert self.client.is_there
        assert self.client.heard == []
        self.world.advance(1)
        self.client.say("offer", data={})
        assert self.client.forget() == error("Session not found", "session-not-found")

    def test_congested(self) -> None:
        busy = error(
            "Too many connections to this server. Try again in 1 seconds.", "home-busy", retryAfter=1
        )
        self.home.congested = self.client.congested = True
        self.client.say("offer", data={})
        assert self.client.forget() == busy
        self.home.say("answer", sessionId=self.session_id, data={})
        assert self.home.forget() == busy
        late = self.world.client()
        assert late.forget() == busy


def ice_servers_heard(**fields: object) -> object:
    """The list that a client gets when its home says session-ready with these fields."""
    world = World()
    home = world.home(iceServers=[{"urls": "stun:registered"}])
    client = world.client()
    home.say("session-ready", sessionId=home.heard[-1]["sessionId"], **fields)
    return client.heard[-1].get("iceServers", "left out")


class IceServersTest(SynchronousTestCase):
    """The list of ICE servers is passed on as given, and is never null."""

    def test_as_given(self) -> None:
        given = [
            {"urls": ["stun:a", "turn:b"], "username": "ü", "credential": "c", "more": {"n": 1.5}},
            {"urls": "stun:c"},
        ]
        assert ice_servers_heard(iceServers=given) == given
        assert ice_servers_heard(iceServers=[]) == []

    def test_left_out(self) -> None:
        assert ice_servers_heard() == "left out"
        for value in (None, "stun:a", {"urls": "stun:a"}, 5):
            assert ice_servers_heard(iceServers=value) == "left out"

    def test_too_deep_to_be_written_again(self) -> None:
        home = World().connect()
        home.say_bytes(
            b'{"type":"register-server","remoteId":"R","iceServers":%b}' % (b"[" * 500 + b"]" * 500)
        )
        assert home.heard == error("Invalid message format", "bad-message")


def open_session(world: World) -> tuple[FakePeer, FakePeer]:
    """A home and its client."""
    home = world.home()
    client = world.client()
    world.session(home, client)
    return home, client


class RestartTest(SynchronousTestCase):
    """Closing for a restart tells neither side anything but 1012."""

    def test_restart(self) -> None:
        """Defect 19."""
        world = World()
        home, client = open_session(world)
        waiting, idle = world.client(), world.connect()
        home.forget()
        assert not world.hub.drain(100)
        for peer in (home, client, waiting, idle):
            assert peer.closed is not None
            assert peer.closed[0] == 1012
            peer.breaks()
        assert home.heard == client.heard == idle.heard == []
        assert waiting.heard == error("Server disconnected", "server-disconnected")

    def test_thousands_in_a_rhythm(self) -> None:
        """Defect 24: not everybody comes back in the same second."""
        world = World()
        peers = [world.connect(f"192.0.2.{number}") for number in range(5)]
        closed = []
        for _ in range(3):
            world.hub.drain(2)
            closed.append(sum(peer.closed is not None for peer in peers))
        assert closed == [2, 4, 5]
        assert world.admit("192.0.2.9") > 0
