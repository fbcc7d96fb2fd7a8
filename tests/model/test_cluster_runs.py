"""In a cluster, messages that arrive by one read have the same effects as one by one, in any game."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any
from unittest import TestCase

from ma_signaling.core.candidate_counts import named
from tests.support.fake_prover import FakeProof
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer, World
from tests.support.sample_candidates import HOST, RELAY, SRFLX
from tests.support.takeover_case import PROVABLE

GAMES = 150
SETTINGS: list[dict[str, Any]] = [
    *({}, {"session_traces": 0}, {"home_sessions": 2}),
    {"message_burst": 20, "message_rate": 2},
    {"message_bytes_burst": 8000, "message_bytes_rate": 100},
]
OWNER, STRANGER = "192.0.2.1", "203.0.113.8"
UNKNOWN = "0" * 32
FAULTS = ["full", "detach", "lost", "busy", "registered", "attach"]
"""Operations whose messages get lost."""


class Game:
    """Homes that want one Remote ID, and clients, at two or three nodes; a seed decides what they do."""

    def __init__(self, seed: int, *, together: bool) -> None:
        self.random = Random(seed)
        self.together = together
        self.cluster = Cluster(
            self.random.choice((2, 3)), has_proofs=self.random.random() < 0.6, **self.random.choice(SETTINGS)
        )
        for line in self.cluster.lines:
            line.max_batch_bytes = self.random.choice((1024, 1 << 18))
        self.homes = [self.cluster.home(0, PROVABLE, OWNER)]
        self.clients: list[FakePeer] = []
        self.ended: list[FakeProof] = []
        for each in (self.a_client, self.is_ready, self.offers, self.answers):
            for _ in range(4):
                each()
                self.cluster.settle()
        often = (self.client_says, self.home_says) * 4
        seldom = (
            self.newcomer,
            self.somebody_leaves,
            self.is_slow,
            self.proof_ends,
            self.node_is_cut,
            self.loses,
        )
        self.moves = (
            *often,
            *(self.is_ready, self.offers, self.answers, self.a_client, self.waits, self.waits, self.waits),
            *seldom,
        )

    def play(self) -> list[object]:
        """Play the game; return all its visible effects."""
        for _ in range(40):
            self.random.choice(self.moves)()
        self.cluster.server.lose = lambda op, subject: False
        for line in self.cluster.lines:
            if line.is_cut:
                line.mend()
        self.cluster.settle(5)
        peers = [
            (peer.heard, peer.closed, peer.dropped, peer.pauses) for peer in (*self.homes, *self.clients)
        ]
        return [peers, *(_seen(world) for world in self.cluster.worlds)]

    # Moves

    def newcomer(self) -> None:
        world = self.random.choice(self.cluster.worlds)
        self.homes.append(world.connect(self.random.choice((OWNER, STRANGER))))
        self.homes[-1].say("register-server", remoteId=PROVABLE)

    def a_client(self) -> None:
        world = self.random.choice(self.cluster.worlds)
        self.clients.append(world.connect(f"198.51.100.{self.random.randint(1, 3)}"))
        self.clients[-1].say("connect-request", remoteId=PROVABLE)

    def is_ready(self) -> None:
        if home := self._one_of(self.homes):
            home.say("session-ready", sessionId=self._session(home))

    def offers(self) -> None:
        if client := self._one_of(self.clients):
            client.say("offer", data={"sdp": ""})

    def answers(self) -> None:
        if home := self._one_of(self.homes):
            home.say("answer", sessionId=self._session(home), data={"sdp": ""})

    def client_says(self) -> None:
        client = self._one_of(self.clients)
        said = [self._candidate() for _ in range(self.random.randint(2, 14))]
        self._mix(said, {"type": "offer", "data": {"sdp": ""}}, {**self._candidate(), "sessionId": UNKNOWN})
        if client:
            self._say(client, said)

    def home_says(self) -> None:
        home = self._one_of(self.homes)
        if home is None:
            return
        session_id = self._session(home)
        said = [{**self._candidate(), "sessionId": session_id} for _ in range(self.random.randint(2, 14))]
        # A candidate of another session, though it contains this one's ID.
        another = {**self._candidate(), "why": session_id, "sessionId": self._session(home)}
        self._mix(said, {"type": "answer", "data": {"sdp": ""}, "sessionId": session_id}, another)
        self._say(home, said)

    def somebody_leaves(self) -> None:
        if peer := self._one_of(self.random.choice((self.homes, self.clients))):
            self.random.choice((peer.breaks, peer.breaks, peer.goodbye))()

    def is_slow(self) -> None:
        if peer := self._one_of([*self.homes, *self.clients]):
            peer.congested, peer.lags = self.random.choice(((False, False), (False, True), (True, True)))

    def proof_ends(self) -> None:
        waiting = [
            proof
            for prover in self.cluster.provers
            for proof in prover.proofs
            if not proof.is_cancelled and proof not in self.ended
        ]
        if waiting:
            self.ended.append(self.random.choice(waiting))
            if self.random.random() < 0.6:
                self.ended[-1].asked.proved()
            else:
                self.ended[-1].asked.failed("timeout")

    def node_is_cut(self) -> None:
        line = self.random.choice(self.cluster.lines)
        if line.is_cut:
            line.mend()
        else:
            line.cut(noticed=self.random.random() < 0.7)

    def loses(self) -> None:
        lost = self.random.choice(FAULTS)
        self.cluster.server.lose = lambda op, subject: op == lost

    def waits(self) -> None:
        self.cluster.settle(self.random.choice((0, 0.5, 0.5, 2, 12)))

    # Messages

    def _one_of(self, peers: list[FakePeer]) -> FakePeer | None:
        there = [peer for peer in peers if peer.is_there]
        return self.random.choice(there) if there else None

    def _session(self, home: FakePeer) -> str:
        known = [message["sessionId"] for message in home.heard_of("client-connected")][-3:]
        return str(self.random.choice(known)) if known else UNKNOWN

    def _candidate(self) -> dict[str, object]:
        text = self.random.choice((HOST, SRFLX, RELAY, "", "nonsense", "x" * 300))
        return {"type": "ice-candidate", "data": {"candidate": text}}

    def _mix(self, said: list[dict[str, object]], *others: dict[str, object]) -> None:
        ping: dict[str, object] = {"type": "ping"}
        for other in (*others, ping):
            if self.random.random() < 0.2:
                said.insert(self.random.randint(0, len(said)), other)

    def _say(self, peer: FakePeer, messages: list[dict[str, object]]) -> None:
        said = [json.dumps(message).encode() for message in messages]
        if self.together:
            peer.say_together(said)
        else:
            for message in said:
                peer.say_bytes(message)


def _seen(world: World) -> list[object]:
    """Return what a node knows, has counted and has reported."""
    hub = world.hub
    return [
        [(event, details.get("limit"), details.get("reason")) for event, details in world.events],
        [(kind, *_numbers(each.from_homes), *_numbers(each.from_clients)) for kind, each in hub.traffic()],
        [
            (
                *(session.id, session.state, session.negotiation, list(session._kept)),
                *((budget._messages, budget._bytes) for budget in (session.from_client, session.from_home)),
                session.trace
                and [
                    (side.first_candidate_at, side.last_candidate_at, named(side.trickled))
                    for side in (session.trace.client, session.trace.home)
                ],
            )
            for session in hub.sessions.all()
        ],
        [
            (session.id, session.negotiation, session.from_home._messages, session.from_home._bytes)
            for session in hub.sessions.remote.all()
        ],
    ]


def _numbers(tally: Any) -> tuple[int, int]:
    return tally.messages, tally.bytes


def _named(seen: object) -> str:
    """Return the text of ``seen`` with numbers in place of random IDs, in the order of their appearance."""
    names: dict[str, str] = {}
    return re.sub("[0-9a-f]{32}", lambda found: names.setdefault(found[0], f"ID {len(names)}"), repr(seen))


class SameTest(TestCase):
    """Both ways, compared."""

    maxDiff = None

    def test_whatever_the_game(self) -> None:
        for seed in range(GAMES):
            seen = [_named(Game(seed, together=together).play()) for together in (True, False)]
            self.assertEqual(seen[0], seen[1], seed)
