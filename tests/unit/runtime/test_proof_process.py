"""The process that asks for proofs, as the server sees it: a fake one, which says what the test says."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from twisted.internet.error import ProcessDone
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.runtime import prover
from ma_signaling.runtime.proof_process import HANG_SECONDS, MAX_LINE, MAX_PROOFS, RETIRE_SECONDS
from ma_signaling.runtime.prover import FRESH_SECONDS, IDLE_SECONDS, ChildProver
from ma_signaling.webrtc.description import MAX_BYTES, MAX_CANDIDATES
from tests.support.fake_process import FakeChild, FakeReactor
from tests.support.fake_prover import FakeAsked

HOME = "A" * 26


class ProcessTest(SynchronousTestCase):
    """A prover with a fake process."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.settings = Settings(proof_networks=(ip_network("127.0.0.0/8"),), stun_urls=("stun:s.example",))
        servers = IceServers(self.settings, b"secret")
        reactor: Any = self.reactor
        self.prover = ChildProver(self.settings, lambda: servers, reactor, wall=lambda: 1000.0)

    def ask(self) -> tuple[Any, FakeAsked]:
        contender = FakeAsked()
        return self.prover.ask(HOME, contender), contender

    @property
    def child(self) -> FakeChild:
        return self.reactor.children[-1]

    def test_a_proof(self) -> None:
        session, contender = self.ask()
        means = {
            "networks": ["127.0.0.0/8"],
            "address": None,
            "isRelayOnly": False,
            "stun": ["s.example", 3478],
            "turn": None,
        }
        assert self.child.heard == [{"ask": 1, "remoteId": HOME, "means": means}]
        assert contender.heard == []
        self.child.say(offer=1, sdp="ours")
        session.answer({"type": "answer", "sdp": "theirs"})
        session.candidate({"candidate": "candidate:1", "sdpMid": "0"})
        assert self.child.heard[1:] == [
            {"answer": 1, "sdp": "theirs"},
            {"candidate": 1, "text": "candidate:1"},
        ]
        self.child.say(proved=1)
        self.child.say(ended=1)
        session.candidate({"candidate": "candidate:2"})
        session.answer({"sdp": "again"})
        session.cancel()
        assert contender.heard == [{"type": "offer", "sdp": "ours"}, "proved"]
        assert len(self.child.heard) == 3

    def test_no_proof(self) -> None:
        _, contender = self.ask()
        self.child.say(failed=1, reason="no connection")
        self.child.say(ended=1)
        assert contender.heard == ["no connection"]

    def test_no_secrets(self) -> None:
        """What the process is told goes through the pipe; its environment and arguments tell nothing."""
        self.settings.turn_urls = ("turn:t.example:1234",)
        self.ask()
        assert set(self.child.environment) == {"PYTHONPATH"}
        assert self.child.arguments[1:] == ["-P", "-m", "ma_signaling.webrtc.child"]
        server, port, username, _ = self.child.heard[0]["means"]["turn"]
        assert (server, port) == ("t.example", 1234)
        assert username.startswith("4600:")
        assert "secret" not in str(self.child.heard)

    def test_cancelled(self) -> None:
        session, contender = self.ask()
        session.cancel()
        session.cancel()
        session.answer({"sdp": "x"})
        session.candidate({"candidate": "x"})
        assert self.child.heard[1:] == [{"cancel": 1}]
        self.child.say(offer=1, sdp="ours")
        self.child.say(proved=1)
        self.child.say(ended=1)
        assert contender.heard == []
        assert not self.child.is_killed

    def test_answers_that_are_none(self) -> None:
        nonsense: tuple[object, ...] = (
            None,
            7,
            "sdp",
            [],
            {},
            {"sdp": 7},
            {"sdp": "x" * (MAX_BYTES + 1)},
            {"sdp": "x" * 10_000_000},
        )
        for data in nonsense:
            session, contender = self.ask()
            session.answer(data)
            assert contender.heard == [], "it must not call back at once"
            self.reactor.advance(0)
            assert contender.heard == ["the answer makes no sense"]
            assert [*self.child.heard[-1]] == ["cancel"]
            self.child.say(ended=self.child.heard[-1]["cancel"])

    def test_candidates_without_end(self) -> None:
        session, _ = self.ask()
        nonsense: tuple[object, ...] = (
            None,
            {},
            {"candidate": 7},
            {"candidate": ""},
            {"candidate": "x" * 513},
            [],
        )
        for data in nonsense:
            session.candidate(data)
        for _ in range(1000):
            session.candidate({"candidate": "x" * 512})
        assert len(self.child.heard) == 1 + MAX_CANDIDATES

    def test_one_process_for_all(self) -> None:
        contenders = [self.ask()[1] for _ in range(MAX_PROOFS)]
        assert len(self.reactor.children) == 1
        _, late = self.ask()
        assert late.heard == []
        self.reactor.advance(0)
        assert late.heard == ["too many proofs at once"]
        self.child.say(failed=1, reason="x")
        self.child.say(ended=1)
        _, again = self.ask()
        self.reactor.advance(0)
        assert again.heard == []
        self.child.say(proved=self.child.heard[-1]["ask"])
        assert again.heard == ["proved"]
        assert [len(contender.heard) for contender in contenders[:2]] == [1, 0]

    def test_idle(self) -> None:
        self.ask()
        self.reactor.advance(HANG_SECONDS - 1)
        self.child.say(ended=1)
        self.reactor.advance(IDLE_SECONDS - 1)
        self.ask()
        self.reactor.advance(2)
        assert not self.child.is_closed
        self.child.say(ended=2)
        self.reactor.advance(IDLE_SECONDS)
        assert self.child.is_closed
        self.child.end(ProcessDone(0))
        self.reactor.advance(RETIRE_SECONDS)
        assert not self.child.is_killed
        assert not self.reactor.getDelayedCalls()
        self.ask()
        assert len(self.reactor.children) == 2

    def test_idle_and_deaf(self) -> None:
        """Who doesn't end when asked to is killed; whoever asks meanwhile gets another process."""
        self.ask()
        self.child.say(ended=1)
        self.reactor.advance(IDLE_SECONDS)
        first = self.child
        _, contender = self.ask()
        assert self.child is not first
        self.reactor.advance(RETIRE_SECONDS)
        assert first.is_killed
        first.end()
        assert contender.heard == []

    def test_dies(self) -> None:
        first, second = self.ask()[1], self.ask()[1]
        self.child.protocol.errReceived(b"x" * 5000)
        self.child.protocol.errReceived(b"\nTraceback\n  File\nMemoryError: \xff" + b"y" * 500 + b"\n")
        with capturedLogs() as logged:
            self.child.end()
        (line,) = map(formatEvent, logged)
        assert line.startswith("The process that asks for proofs has ended: "), line
        assert "signal 9" in line
        assert " MemoryError: \ufffdyyy" in line
        assert len(line) < 400
        assert first.heard == second.heard == ["the process that asks for proofs has ended"]
        assert not self.reactor.getDelayedCalls()
        self.ask()
        assert len(self.reactor.children) == 2

    def test_dies_and_one_who_waits_fails(self) -> None:
        """The others are told, and so is whoever stops the server."""
        (_, first), (_, second) = self.ask(), self.ask()

        def fail(reason: str) -> None:
            raise RuntimeError(reason)

        first.failed = fail  # type: ignore[method-assign]
        stopped = self.prover.stopService()
        with self.assertRaises(RuntimeError):
            self.child.end()
        assert second.heard == ["the process that asks for proofs has ended"]
        assert stopped is not None
        assert stopped.called

    def test_hangs(self) -> None:
        """Even where nobody waits for the proof any more."""
        session, contender = self.ask()
        session.cancel()
        _, other = self.ask()
        self.reactor.advance(HANG_SECONDS)
        assert self.child.is_killed
        self.child.end()
        assert contender.heard == []
        assert other.heard == ["the process that asks for proofs has ended"]
        assert not self.reactor.getDelayedCalls()

    def test_breaks_the_rules(self) -> None:
        nonsense, endless = "it writes nonsense", "its line has no end"
        for said, why in (
            (b"nonsense\n", nonsense),
            (b"7\n", nonsense),
            (b"{}\n", nonsense),
            (b'{"proved":99}\n', nonsense),
            (b'{"proved":"1"}\n', nonsense),
            (b'{"offer":1,"sdp":7}\n', nonsense),
            (b"x" * (MAX_LINE + 1), endless),
        ):
            _, contender = self.ask()
            with capturedLogs() as logged:
                self.child.protocol.outReceived(said)
            assert self.child.is_killed, said
            lines = list(map(formatEvent, logged))
            assert lines == [f"The process that asks for proofs is killed: {why}"], said
            self.child.say(proved=1)
            assert contender.heard == [], "who breaks the rules is believed no more"
            self.child.end()
            assert contender.heard == ["the process that asks for proofs has ended"], said

    def test_offers_twice(self) -> None:
        _, contender = self.ask()
        self.child.protocol.outReceived(b'{"offer":1,"sdp":"a"}\n{"offer":1,')
        self.child.protocol.outReceived(b'"sdp":"b"}\n')
        assert contender.heard == [{"type": "offer", "sdp": "a"}]

    def test_cannot_start(self) -> None:
        self.reactor.problem = OSError(11, "Resource temporarily unavailable")
        _, contender = self.ask()
        assert contender.heard == []
        self.reactor.advance(0)
        assert contender.heard == ["the process that asks for proofs can't be started"]
        self.reactor.problem = None
        self.ask()
        assert len(self.reactor.children) == 1

    def test_stopped_when_it_cannot_start(self) -> None:
        self.reactor.problem = OSError(24, "Too many open files")
        self.ask()
        stopped = self.prover.stopService()
        assert stopped is not None
        self.successResultOf(stopped)

    def test_stop(self) -> None:
        assert self.prover.stopService() is None
        _, contender = self.ask()
        stopping = self.prover.stopService()
        assert self.child.is_killed
        assert stopping is not None
        self.assertNoResult(stopping)
        self.child.end()
        self.successResultOf(stopping)
        assert contender.heard == ["the process that asks for proofs has ended"]

    def test_obstacle(self) -> None:
        """It is looked for again after a while: a setting has changed, or an address."""
        self.settings.proof = "off"
        assert self.prover.obstacle == "off"
        self.settings.proof = "relay"
        assert self.prover.obstacle == "off"
        self.reactor.advance(FRESH_SECONDS)
        assert self.prover.obstacle == "no relay by UDP is set (--turn-urls)"
        self.settings.turn_urls = ("turns:t.example", "turn:t.example?transport=tcp")
        self.reactor.advance(FRESH_SECONDS)
        assert self.prover.obstacle == "no relay by UDP is set (--turn-urls)"
        self.settings.turn_urls = ("turn:t.example",)
        self.reactor.advance(FRESH_SECONDS)
        assert self.prover.obstacle is None

    def test_without_the_extra(self) -> None:
        self.patch(prover, "find_spec", lambda name: None)
        assert self.prover.obstacle == "aiortc is not installed (extra proof)"
