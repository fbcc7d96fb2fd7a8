"""Several nodes, one namespace: the protocol holds whichever node a peer is connected to."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.messages.nodes import Beat
from ma_signaling.cluster.messages.packing import CLASSES, pack, unpack
from ma_signaling.cluster.messages.sessions import Undeliverable
from ma_signaling.core import messages
from ma_signaling.core.events import Event
from tests.support.memory_cluster import Cluster
from tests.support.sample_candidates import HOST, RELAY, SRFLX, sdp

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class SessionTest(SynchronousTestCase):
    """A home on node 0, a client on node 1."""

    def setUp(self) -> None:
        self.cluster = Cluster()
        self.home = self.cluster.home(0, iceServers=[{"urls": "stun:a"}])
        assert self.home.forget() == [REGISTERED]

    def test_all_the_way(self) -> None:
        client = self.cluster.client(1)
        (announced,) = self.home.forget()
        session_id = announced["sessionId"]
        assert announced["type"] == "client-connected"
        self.home.say("session-ready", sessionId=session_id, iceServers=[{"urls": "stun:b"}])
        self.cluster.settle()
        assert client.forget() == [
            {
                "type": "connected",
                "remoteId": "HOME",
                "sessionId": session_id,
                "iceServers": [{"urls": "stun:b"}],
            }
        ]
        client.say("offer", data={"sdp": "o"}, remoteId="HOME")
        self.cluster.settle()
        assert self.home.forget() == [
            {"type": "offer", "data": {"sdp": "o"}, "remoteId": "HOME", "sessionId": session_id}
        ]
        self.home.say("answer", sessionId=session_id, data={"sdp": "a"})
        for number in range(5):
            self.home.say("ice-candidate", sessionId=session_id, data=number)
            client.say("ice-candidate", data=number)
        self.cluster.settle()
        assert client.types() == ["answer"] + 5 * ["ice-candidate"]
        assert [message["data"] for message in self.home.heard] == [0, 1, 2, 3, 4]
        self.home.forget()
        client.goodbye()
        self.cluster.settle()
        assert self.home.forget() == [{"type": "client-disconnected", "sessionId": session_id}]
        self.home.say("ice-candidate", sessionId=session_id, data=9)
        assert self.home.heard == [], "what comes late is ignored"

    def test_a_message_is_parsed_once(self) -> None:
        """Only the node of the peer that has sent it looks into it; the trace counts its candidates all the same."""
        client = self.cluster.client(1)
        session_id = self.cluster.session(self.home, client)
        parse = Mock(wraps=messages.parse)
        self.patch(messages, "parse", parse)
        client.say("ice-candidate", data={"candidate": SRFLX})
        self.home.say("ice-candidate", sessionId=session_id, data={"candidate": HOST})
        self.home.say("answer", sessionId=session_id, data=sdp(HOST, RELAY))
        self.cluster.settle()
        assert (self.home.types(), client.types()) == (["ice-candidate"], ["ice-candidate", "answer"])
        assert parse.call_count == 3
        trace = self.cluster.worlds[1].trace(session_id)
        assert trace["client"]["trickled"] == {"srflx/udp/ipv4": 1}
        assert trace["home"]["trickled"] == {"host/udp/ipv4": 1}
        assert trace["home"]["inSdp"] == {"host/udp/ipv4": 1, "relay/udp/ipv4": 1}

    def test_no_session_ready(self) -> None:
        """The registered ICE servers are known everywhere, the latest ones too."""
        client = self.cluster.client(1)
        self.cluster.clock.advance(10)
        assert client.heard[0]["iceServers"] == [{"urls": "stun:a"}]
        self.home.say("register-server", remoteId="HOME", iceServers=[])
        self.cluster.settle()
        client.say("connect-request", remoteId="HOME")
        self.cluster.clock.advance(11)
        assert client.heard[-1]["iceServers"] == []

    def test_unknown_home(self) -> None:
        client = self.cluster.client(1, "NOBODY")
        assert [message["code"] for message in client.heard] == ["server-not-found"]
        assert self.cluster.worlds[1].hub.registry.find("NOBODY") is None
        assert self.cluster.worlds[1].hub.counts()["pendingClients"] == 0

    def test_check(self) -> None:
        assert self.cluster.is_online(1) is True
        assert self.cluster.is_online(1, "NOBODY") is False
        self.home.breaks()
        assert self.cluster.is_online(1) is False

    def test_guessing(self) -> None:
        """Guesses count where they are made, and the block that follows holds everywhere."""
        guesser = self.cluster.worlds[1].connect(STRANGER)
        for number in range(10):
            guesser.say("connect-request", remoteId=f"GUESS{number}")
            self.cluster.settle(0.1)
        assert guesser.closed == (4008, "Blocked for brute force")
        other = self.cluster.client(0, text=STRANGER)
        assert other.heard[0]["code"] == "rate-limited"

    def test_home_says_goodbye(self) -> None:
        client = self.cluster.client(1)
        self.cluster.session(self.home, client)
        waiting = self.cluster.client(1, text=STRANGER)
        self.home.goodbye()
        self.cluster.settle()
        assert client.heard == [{"type": "peer-disconnected"}]
        assert [message["code"] for message in waiting.heard] == ["server-disconnected"]
        assert self.cluster.worlds[1].hub.registry.find("HOME") is None

    def test_client_breaks(self) -> None:
        """Before the answer as a goodbye, after it the home isn't told."""
        for answered in (False, True):
            client = self.cluster.client(1)
            session_id = self.cluster.session(self.home, client)
            if answered:
                self.home.say("answer", sessionId=session_id, data={})
            self.cluster.settle()
            client.breaks()
            self.cluster.settle()
            assert self.home.types() == ([] if answered else ["client-disconnected"])
            home = self.cluster.worlds[0].hub.registry.find("HOME")
            assert home is not None
            assert not self.cluster.worlds[0].hub.sessions.remote.of(home)
            self.home.forget()

    def test_nothing_stays(self) -> None:
        client = self.cluster.client(1)
        self.cluster.session(self.home, client)
        client.goodbye()
        self.cluster.settle(5)
        assert self.cluster.worlds[1].hub.registry.find("HOME") is None
        assert not any("HOME" in subject for subject in self.cluster.lines[1].wanted)
        self.home.goodbye()
        self.cluster.settle(5)
        assert not any("HOME" in subject for subject in self.cluster.lines[0].wanted)

    def test_counts(self) -> None:
        self.cluster.session(self.home, self.cluster.client(1))
        self.cluster.settle(3)
        for world in self.cluster.worlds:
            assert world.hub.counts()["cluster"] == {
                "nodes": 2,
                "servers": 1,
                "clients": 1,
                "pendingClients": 0,
            }
        assert [world.hub.counts()["servers"] for world in self.cluster.worlds] == [1, 0]

    def test_wrong_session(self) -> None:
        """A home is told what it would be told if its client were here."""
        client = self.cluster.client(1)
        session_id = self.cluster.session(self.home, client)
        other = self.cluster.home(0, "OTHER", STRANGER)
        other.forget()
        other.say("offer", sessionId=session_id, data={})
        self.cluster.settle()
        assert [message["code"] for message in other.heard] == ["client-not-found"]
        assert client.heard == []


class LimitTest(SynchronousTestCase):
    """A home's own protection counts the clients of all nodes."""

    def test_sessions_a_minute(self) -> None:
        cluster = Cluster(3, home_sessions_per_minute=3)
        cluster.home(0)
        clients = [cluster.client(node, text="203.0.113.1") for node in (0, 1, 2, 1)]
        assert [client.types() for client in clients] == [[], [], [], ["error"]]
        assert clients[3].heard[0]["code"] == "home-busy"

    def test_open_sessions(self) -> None:
        """The newest without an offer, of the address that has most, makes way, wherever its client is."""
        cluster = Cluster(3, home_sessions=3)
        home = cluster.home(0)
        home.forget()
        crowd = [cluster.client(1, text="203.0.113.1") for _ in range(2)]
        guest = cluster.client(0, text="203.0.113.2")
        late = cluster.client(2, text="203.0.113.3")
        assert [message["code"] for message in crowd[1].heard] == ["home-busy"]
        assert [client.types() for client in (crowd[0], guest, late)] == [[], [], []]
        assert home.types() == 3 * ["client-connected"] + ["client-disconnected", "client-connected"]

    def test_an_answered_call_makes_way_in_silence(self) -> None:
        cluster = Cluster(2, home_sessions=2)
        home = cluster.home(0)
        crowd = []
        for _ in range(2):
            crowd.append(cluster.client(1, text="203.0.113.1"))
            home.say("answer", sessionId=cluster.session(home, crowd[-1]), data={})
        cluster.settle()
        assert [client.types() for client in crowd] == 2 * [["answer"]]
        cluster.client(0, text="203.0.113.2")
        cluster.settle()
        assert cluster.worlds[1].hub.own_counts()["clients"] == 1
        assert [client.types() for client in crowd] == 2 * [["answer"]]

    def test_a_home_that_floods_one_session_of_many(self) -> None:
        """Its own node charges it, and reads on: what it sends in the others is delivered."""
        cluster = Cluster(2)
        home = cluster.home(0)
        home.forget()
        clients, session_ids = [], []
        for _ in range(20):
            clients.append(cluster.client(1))
            session_ids.append(cluster.session(home, clients[-1]))
        for _ in range(50):
            for _ in range(20):
                home.say("ice-candidate", sessionId=session_ids[0], data={})
            for session_id in session_ids[1:]:
                home.say("ice-candidate", sessionId=session_id, data={})
        cluster.settle()
        assert home.pauses == []
        assert [len(client.heard_of("ice-candidate")) for client in clients] == [200] + [50] * 19

    def test_home_does_not_read(self) -> None:
        cluster = Cluster()
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        home.congested = True
        client.say("ice-candidate", data={})
        cluster.settle()
        assert not client.heard
        assert cluster.worlds[1].reported().count(Event.MESSAGE_DROPPED) == 1
        client.say("offer", data={})
        cluster.settle()
        assert [message["code"] for message in client.heard] == ["home-busy"]
        assert home.heard == []


class TraceTest(SynchronousTestCase):
    """What happened in a session is told by any node, though one alone knows it."""

    def test_elsewhere(self) -> None:
        cluster = Cluster(3)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        for node in range(3):
            told: list[dict[str, Any] | None] = []
            cluster.worlds[node].hub.lookups.trace(home.connection.address, session_id, told.append)
            cluster.settle()
            (trace,) = told
            assert trace is not None
            assert trace["verdict"]["code"] == "no-offer"

    def test_unknown(self) -> None:
        cluster = Cluster(2)
        told: list[dict[str, Any] | None] = []
        asker = cluster.worlds[0].connect(STRANGER).connection.address
        cluster.worlds[0].hub.lookups.trace(asker, "unknown", told.append)
        cluster.settle(2)
        assert told == [None]


class WireTest(SynchronousTestCase):
    """What comes by the bus may be anything."""

    def test_no_message(self) -> None:
        beat = b'["beat",{},false,"n1"]'
        assert unpack(beat) == (Beat(sender="n1", counts={}, can_ask=False), [])
        for payload in (
            b"",
            b"x",
            b"[]",
            b"{}",
            b'["op"]\x1fbody',
            b'["beat"]',
            beat.replace(b"false", b"0"),
            beat.replace(b"{}", b'{"homes":"1"}'),
            beat + b"x",
        ):
            with self.assertRaises(ValueError):
                unpack(payload)
        message = Undeliverable(sender="n1", remote_id="R", connection="c1")
        assert unpack(pack(message, [b"a\nb"])) == (message, [b"a\nb"])

    def test_every_message_is_handled(self) -> None:
        cluster = Cluster(1)
        assert set(cluster.lines[0].node._context._handlers) == set(CLASSES)
