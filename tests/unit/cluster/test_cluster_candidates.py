"""Candidates that come together go to another node together, and fare as they would one by one."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import chain, combinations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.sessions import ToClient
from ma_signaling.core.candidate_counts import named
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer
from tests.support.sample_candidates import HOST, RELAY, SRFLX

CANDIDATES = [HOST, SRFLX, RELAY, "", "nonsense"]
OWNER, OTHER = "192.0.2.1", "203.0.113.8"
SITUATIONS = (
    *("pending", "offered", "answered", "unknown to the home's node", "little fits", "turned away"),
    *("home is slow", "client is slow", "home lags", "client lags"),
    *("home is away", "home is back", "home asks for proof"),
)


class Play:
    """A home at one node, and its client at another."""

    def __init__(self, situations: set[str]) -> None:
        self.cluster = Cluster(
            has_proofs="home asks for proof" in situations,
            home_sessions=2 if "turned away" in situations else 20,
        )
        if "little fits" in situations:
            for line in self.cluster.lines:
                line.max_batch_bytes = 1024
        self.home = self.cluster.home(0, text=OWNER)
        if "turned away" in situations:
            self.cluster.session(self.home, self.cluster.client(1))
        self.client = self.cluster.client(1)
        self.id: str = self.home.heard_of("client-connected")[-1]["sessionId"]
        if "pending" not in situations:
            self._say(self.home, "session-ready", sessionId=self.id)
        if situations & {"offered", "answered", "home asks for proof"}:
            self._say(self.client, "offer", data={"sdp": ""})
        if situations & {"answered", "home asks for proof"}:
            self._say(self.home, "answer", sessionId=self.id, data={"sdp": ""})
        self._move(situations)
        if "unknown to the home's node" in situations:
            remote = self.cluster.worlds[0].hub.sessions.remote
            for session in remote.all():
                remote.remove(session)
        if "turned away" in situations:
            self.cluster.server.lose = lambda op, subject: op == "full"
            self.cluster.client(0, text="198.51.100.7")
        self.home.congested = "home is slow" in situations
        self.client.congested = "client is slow" in situations
        self.home.lags, self.client.lags = "home lags" in situations, "client lags" in situations

    def _move(self, situations: set[str]) -> None:
        if situations & {"home is away", "home is back"}:
            self.home.breaks()
            self.cluster.settle()
        if "home asks for proof" in situations:
            self.home.breaks()
            self.home = self.cluster.home(0, text=OTHER)
        elif "home is back" in situations:
            self.home = self.cluster.home(0, text=OWNER)

    def _say(self, peer: FakePeer, type: str, **fields: object) -> None:
        peer.say(type, **fields)
        self.cluster.settle()

    def send(self, sender: FakePeer, *, together: bool) -> Counter[str]:
        """Let a peer send the candidates; returns the operations by which they went to the other node."""
        self.cluster.server.sent.clear()
        payloads = [
            json.dumps({"type": "ice-candidate", "data": {"candidate": each}, "sessionId": self.id}).encode()
            for each in CANDIDATES * 3
        ]
        if together:
            sender.say_together(payloads)
        else:
            for payload in payloads:
                sender.say_bytes(payload)
        self.cluster.settle()
        return Counter(op for _, op in self.cluster.server.sent if "to-" in op)

    def seen(self) -> list[object]:
        """What the peers have heard, and what is counted of the session."""
        session = self.cluster.worlds[1].hub.sessions.get(self.id)
        remote = self.cluster.worlds[0].hub.sessions.remote.get(self.id)
        negotiation = remote and remote.negotiation
        heard = [
            [message for message in peer.heard if message["type"] != "registered"] for peer in self._peers()
        ]
        self.home.congested = self.client.congested = False
        if not self.home.left:
            self.home.breaks()
        back = self.cluster.home(0, text=OWNER)
        budgets = []
        if session is not None:
            budgets.append(session.from_client)
        if remote is not None:
            budgets.append(remote.from_home)
        sides = []
        if session is not None and session.trace is not None:
            sides = [session.trace.client, session.trace.home]
        told = repr([*heard, back.heard]).replace(self.id, "ID")
        return [
            re.sub("[0-9a-f]{32}", "another ID", told),
            [(budget._messages, budget._bytes) for budget in budgets],
            negotiation,
            [(side.first_candidate_at, named(side.trickled)) for side in sides],
        ]

    def _peers(self) -> tuple[FakePeer, FakePeer]:
        return self.home, self.client


class CandidatesTest(SynchronousTestCase):
    """Of one session, from either side."""

    def test_one_message_of_the_bus_for_all(self) -> None:
        for situation in ("offered", "answered"):
            play = Play({situation})
            for sender, receiver, op in (
                (play.client, play.home, "to-home"),
                (play.home, play.client, "to-client"),
            ):
                receiver.forget()
                assert play.send(sender, together=True) == {op: 1}
                heard = [message["data"]["candidate"] for message in receiver.heard_of("ice-candidate")]
                assert heard == CANDIDATES * 3

    def test_no_more_together_than_the_bus_takes(self) -> None:
        play = Play({"answered", "little fits"})
        for sender, op in ((play.client, "to-home"), (play.home, "to-client")):
            sent = play.send(sender, together=True)
            assert sent.keys() == {op}
            assert 2 <= sent[op] < 15

    def test_one_that_is_longer_goes_by_itself(self) -> None:
        play = Play({"answered", "little fits"})
        for line in play.cluster.lines:
            line.max_batch_bytes = 10
        for sender, op in ((play.client, "to-home"), (play.home, "to-client")):
            assert play.send(sender, together=True) == {op: 15}

    def test_another_home_has_no_part_in_it(self) -> None:
        play = Play({"answered"})
        play.client.forget()
        for node in (0, 1):
            play.send(play.cluster.home(node, f"OTHER{node}", text=OTHER), together=True)
        assert play.client.heard == []

    def test_what_another_node_says_is_ignored(self) -> None:
        play = Play({"answered"})
        play.client.forget()
        message = ToClient(
            sender="n7",
            remote_id="HOME",
            session=play.id,
            type="ice-candidate",
            places=b"\0\0",
            announcement=1,
        )
        play.cluster.lines[1].node.received(pack(message, [b"{}", b"{}"]))
        assert play.client.heard == []

    def test_a_session_that_was_turned_away_stays_so(self) -> None:
        """Its node may not know yet."""
        play = Play({"offered", "turned away"})
        play.home.forget()
        assert play.send(play.client, together=True) == {"to-home": 1}
        assert play.home.heard_of("ice-candidate") == []

    def test_whatever_the_situation(self) -> None:
        for situations in chain(combinations(SITUATIONS, 1), combinations(SITUATIONS, 2)):
            for is_from_home in (True, False):
                seen = []
                for together in (True, False):
                    play = Play(set(situations))
                    sender = play.home if is_from_home else play.client
                    if sender.left:
                        continue
                    play.send(sender, together=together)
                    seen.append(play.seen())
                assert not seen or seen[0] == seen[1], (situations, is_from_home, seen)
