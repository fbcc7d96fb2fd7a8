"""The log has one line for one event, however many parts of the server report it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.admin.actions import KICKED
from ma_signaling.core.access import parse_allowed, parse_denied
from ma_signaling.core.ending import BREAK, FAULT, Ending
from ma_signaling.monitoring import log_writer
from tests.support.fake_prover import FakeProver
from tests.support.memory_hub import FakePeer, World
from tests.support.takeover_case import PROVABLE, STRANGER

NAME = "[A-Z0-9-]+…[0-9a-f]{8}"


class OneLineTest(SynchronousTestCase):
    """A home, its client and its open session."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.home = self.world.home(PROVABLE)
        self.client = self.world.client(PROVABLE)
        self.session_id = self.world.session(self.home, self.client)
        self.world.advance(12)

    def end(self, peer: FakePeer, how: Ending) -> None:
        self.world.hub.end(peer.connection, how)

    def assert_lines(self, event: Callable[[], object], *expected: str) -> None:
        with capturedLogs() as events:
            event()
        lines = [each["line"] for each in events if "line" in each and each["log_level"] > LogLevel.debug]
        self.assertEqual(len(lines), len(expected), lines)
        for line, pattern in zip(lines, expected, strict=True):
            self.assertRegex(line, f"^{pattern.replace('NAME', NAME)}$")

    def test_a_home_goes(self) -> None:
        lost = r"c1: home NAME lost after 12 s \(%s\), its grace time begins"
        for way, line in (
            (lambda: self.end(self.home, KICKED), lost % "closed with 1013 Closed by the operator"),
            (lambda: self.end(self.home, FAULT), lost % "closed with 1011 Internal error"),
            (lambda: cut(self.home), lost % "no answer to a ping"),
            (lambda: self.end(self.home, BREAK), "c1: home NAME lost after 12 s, its grace time begins"),
            (lambda: flood(self.home), lost % "closed with 4029 Rate limited"),
        ):
            self.begin()
            self.assert_lines(way, line)

    def test_a_home_leaves(self) -> None:
        session = "session [0-9a-f]{8} of home NAME ended after 12 s: home-left"
        self.assert_lines(self.home.goodbye, "c1: home NAME left after 12 s", session)
        self.begin()
        another = "c1: home NAME left after 12 s \\(registers another Remote ID\\)"
        self.assert_lines(
            lambda: self.home.say("register-server", remoteId="OTHER"),
            another,
            session,
            r"c1 \(192\.0\.2\.0/24\): home NAME registered",
        )

    def test_a_ban(self) -> None:
        self.world.hub.access.denied = parse_denied(PROVABLE)
        self.assert_lines(
            lambda: sum(self.world.hub.enforce_access()),
            r"c1: home NAME left after 12 s \(closed with 1008 .*\)",
            "session .* ended after 12 s: home-left",
        )

    def test_a_client_goes(self) -> None:
        line = "session [0-9a-f]{8} of home NAME ended after 12 s: client-l(eft|ost)"
        self.assert_lines(lambda: cut(self.client), rf"{line} \(no answer to a ping\)")
        self.begin()
        kicked = rf"{line} \(closed with 1013 Closed by the operator\)"
        self.assert_lines(lambda: self.end(self.client, KICKED), kicked)
        self.begin()
        self.assert_lines(self.client.goodbye, line)

    def test_a_connection_without_anything(self) -> None:
        for _ in range(2):
            peer = self.world.connect()
        self.assert_lines(lambda: cut(peer), "c4: dropped, no answer to a ping")

    def test_a_connection_is_refused(self) -> None:
        self.world.hub.access.allowed = parse_allowed("SOMEBODY")
        self.assert_lines(
            lambda: self.world.connect().say("register-server", remoteId="OTHER"),
            r"c3 \(192\.0\.2\.0/24\): home NAME is not allowed here",
        )

    def test_a_guesser(self) -> None:
        def guess() -> None:
            peer = self.world.connect(STRANGER)
            for number in range(20):
                peer.say("connect-request", remoteId=f"NONE{number}")

        self.assert_lines(guess, r"203\.0\.113\.0/24 guessed too many Remote IDs, .*")

    def test_takeovers(self) -> None:
        taken = r"c3 \(203\.0\.113\.0/24\): registers home NAME, which c1 holds: %s"

        def contend(wait: float, *, lives: bool) -> None:
            self.world.connect(STRANGER).say("register-server", remoteId=PROVABLE)
            if lives:
                self.home.pong()
            self.world.advance(wait)

        self.assert_lines(lambda: contend(0, lives=True), taken % "refused: .*")
        self.begin()
        self.assert_lines(lambda: contend(5, lives=False), taken % r"won by silence after 5\.0 s")

    def test_a_takeover_by_proof(self) -> None:
        """It has two connections, and one line that names both."""
        prover = FakeProver()
        self.begin(prover=prover)
        newcomer = self.world.connect(STRANGER)

        def win() -> None:
            newcomer.say("register-server", remoteId=PROVABLE)
            self.home.pong()
            self.world.advance(10)
            asked = next(each for each in prover.proofs if each.asked is newcomer.connection.asking)
            asked.asked.proved()

        self.assert_lines(
            win,
            r"c3 \(203\.0\.113\.0/24\): registers home NAME, which c1 holds: won by proof after 10\.0 s",
        )

    def test_all_is_said_at_debug(self) -> None:
        """Whoever follows the code wants each of them."""
        log = re.compile("peer closed: connection=c1")
        log_writer.set_level("debug")
        self.addCleanup(log_writer.set_level, "info")
        with capturedLogs() as events:
            self.end(self.home, KICKED)
        self.assertEqual(sum(log.match(each.get("line", "")) is not None for each in events), 1)


def cut(peer: FakePeer) -> None:
    """What the transport does with a peer that answers no ping."""
    peer._hub.cutting(peer.connection, "no answer to a ping")
    peer.breaks()


def flood(peer: FakePeer) -> None:
    """Say more than is taken."""
    for _ in range(200):
        peer.say("ping")
