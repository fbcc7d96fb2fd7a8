"""Jobs and deadlines that outlive their exceptions; pings in both layers, and who leaves them unanswered."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.sockets import DirectServer
from ma_signaling.transport.timers import TICK_SECONDS, Deadlines, KeepAlive, Periodic, Waiting
from tests.support.memory_server import PING, PONG, TEXT, Server, frame


class Failing:
    """Fails at its deadline, and when it is to be pinged."""

    deadline: dict[Waiting, Any] | None = None
    transport = None
    is_put_off = False
    slot = 0
    calls = 0

    def deadline_passed(self) -> None:
        """Fail."""
        self.calls += 1
        raise RuntimeError("a deadline")

    def keep_alive(self, payload: bytes, frames: bytes) -> None:
        """Fail."""
        self.calls += 1
        raise RuntimeError("a ping")


class PeriodicTest(SynchronousTestCase):
    """A job goes on after an exception."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.outcomes: list[Exception | None] = []
        self.calls = 0
        self.periodic = Periodic("a job", 5, self.job, self.clock)
        self.periodic.startService()

    def job(self) -> None:
        """Do what the test says; nothing where it says nothing."""
        self.calls += 1
        if self.outcomes and (problem := self.outcomes.pop(0)) is not None:
            raise problem

    def test_goes_on(self) -> None:
        self.outcomes = [RuntimeError(), RuntimeError(), None, RuntimeError()]
        self.clock.pump([5] * 6)
        assert self.calls == 6
        assert len(self.flushLoggedErrors(RuntimeError)) == 2, "one for each row of failures"

    def test_stops(self) -> None:
        self.periodic.stopService()
        self.periodic.stopService()
        self.clock.advance(5)
        assert (self.calls, self.clock.getDelayedCalls()) == (0, [])


class DeadlinesTest(SynchronousTestCase):
    """The queue of deadlines."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.deadlines = Deadlines(self.clock)
        self.deadlines.startService()

    def test_goes_on_after_an_exception(self) -> None:
        failing = [Failing() for _ in range(3)]
        for each in failing[:2]:
            self.deadlines.set(each, 2)
        self.clock.pump([TICK_SECONDS] * 5)
        self.deadlines.set(failing[2], 2)
        self.clock.pump([TICK_SECONDS] * 50)
        assert [each.calls for each in failing] == [1, 1, 1]
        assert len(self.flushLoggedErrors(RuntimeError)) == 3

    def test_a_deadline_that_sets_another(self) -> None:
        """Of a length that there was none of before."""
        first, second = Failing(), Failing()
        self.deadlines.set(first, 2)
        first.deadline_passed = lambda: self.deadlines.set(second, 1)  # type: ignore[method-assign]
        self.clock.pump([TICK_SECONDS] * 10)
        assert second.calls == 1
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_never_early(self) -> None:
        self.clock.advance(TICK_SECONDS / 2)
        failing = Failing()
        self.deadlines.set(failing, 2)
        self.clock.pump([TICK_SECONDS] * 4)
        assert failing.calls == 0
        self.clock.advance(TICK_SECONDS)
        assert failing.calls == 1
        self.flushLoggedErrors(RuntimeError)

    def test_a_loop_that_stands_still_lets_none_pass(self) -> None:
        failing = Failing()
        self.deadlines.set(failing, 2)
        self.clock.advance(3600)
        assert failing.calls == 0


class VerdictTest(SynchronousTestCase):
    """Nobody is judged before what its socket holds was read."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.deadlines = Deadlines(self.clock)
        self.deadlines.startService()
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        self.addCleanup(ours.close)
        port = SimpleNamespace(_realPortNumber=8787)
        reactor: Any = SimpleNamespace(addReader=id, removeReader=id, removeWriter=id)
        self.transport: Any = DirectServer(ours, Protocol(), ("192.0.2.1", 1), port, 0, reactor)
        self.judged = 0
        self.is_put_off = False
        """As a connection's."""

    deadline: dict[Waiting, Any] | None = None

    def deadline_passed(self) -> None:
        """Be judged."""
        self.judged += 1

    def test_nothing_to_read(self) -> None:
        self.deadlines.after_reading(self, self.deadline_passed)
        assert self.judged == 0
        self.clock.advance(0)
        assert self.judged == 1

    def test_something_to_read(self) -> None:
        self.peer.send(b"x" * 100_000)
        self.deadlines.after_reading(self, self.deadline_passed)
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.transport.doRead()
        # What comes later is not waited for.
        self.peer.send(b"x" * 50_000)
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 0
        self.transport.doRead()
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 2

    def test_what_was_read_in_time_counts(self) -> None:
        """A deadline that is cleared by what was unread when it was due."""
        self.peer.send(b"x")
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        self.transport.doRead()
        self.deadlines.clear(self)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0

    def test_received_but_put_off(self) -> None:
        self.is_put_off = True
        self.deadlines.after_reading(self, self.deadline_passed)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.is_put_off = False
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1

    def test_a_lag_before_is_added(self) -> None:
        """As after `kill -STOP`, a minute, `kill -CONT`, also if the loop's own timers have not run yet."""
        for is_noticed in (False, True):
            self.judged = 0
            self.clock.pump([TICK_SECONDS] * 50)
            if not is_noticed:
                self.clock.callLater(60, self.deadlines.after_reading, self, self.deadline_passed)
            self.clock.advance(60)
            if is_noticed:
                self.deadlines.after_reading(self, self.deadline_passed)
            self.clock.pump([TICK_SECONDS] * 119)
            assert self.judged == 0
            self.clock.pump([TICK_SECONDS] * 3)
            assert self.judged == 1

    def test_who_is_not_read(self) -> None:
        """What its socket holds is not read because of what it does itself, such as not reading replies."""
        self.transport.startReading()
        self.peer.send(b"x" * 100_000)
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.transport.stopReading()
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1

    def test_gone(self) -> None:
        self.peer.send(b"x" * 100_000)
        self.deadlines.after_reading(self, self.deadline_passed)
        self.clock.advance(TICK_SECONDS)
        self.transport.connected = 0
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1


class KeepAliveTest(SynchronousTestCase):
    """Two kinds of pings, and who counts as dead."""

    def setUp(self) -> None:
        self.server = Server()

    def advance(self, seconds: float) -> None:
        self.server.advance(seconds)

    def test_both_pings(self) -> None:
        client = self.server.connect()
        self.advance(29)
        assert client.frames() == []
        self.advance(1)
        (ping, json_ping) = client.frames()
        assert (ping[0], json_ping) == (PING, (TEXT, b'{"type":"ping"}'))
        assert len(ping[1]) == 4

    def test_both_in_one_write(self) -> None:
        client = self.server.connect()
        written: list[bytes] = []
        client.transport.write = written.append  # type: ignore[method-assign]
        self.advance(30)
        (both,) = written
        assert (both[:2], both[6:8], both[8:]) == (b"\x89\4", b"\x81\x0f", b'{"type":"ping"}')

    def test_answered(self) -> None:
        client = self.server.connect()
        for _ in range(5):
            self.advance(30)
            (_, payload), _ = client.frames()
            client.send(frame(PONG, payload))
        assert not client.transport.aborted

    def test_only_the_pong_that_was_asked_for_counts(self) -> None:
        """Whoever reads nothing can't know its payload."""
        client = self.server.connect()
        self.advance(30)
        for payload in (b"", b"guess"):
            client.send(frame(PONG, payload))
        self.advance(30)
        assert client.transport.aborted

    def test_only_a_websocket_pong_counts(self) -> None:
        client = self.server.connect()
        self.advance(30)
        client.say(type="pong")
        client.say(type="ping")
        self.advance(29)
        assert not client.transport.aborted
        self.advance(1)
        assert client.transport.aborted

    def test_goes_on_after_an_exception(self) -> None:
        clock: Any = Clock()
        keepalive, failing = KeepAlive(clock, 30, bytes), Failing()
        keepalive.startService()
        keepalive.add(failing)
        clock.pump([1] * 90)
        assert failing.calls == 3
        assert len(self.flushLoggedErrors(RuntimeError)) == 3

    def test_a_jump_of_the_clock_kills_nobody(self) -> None:
        client = self.server.connect()
        self.advance(30)
        self.server.clock.advance(3600)
        assert not client.transport.aborted

    def test_challenge_goes_with_later_pings(self) -> None:
        """A peer may answer only the latest ping (RFC 6455 section 5.5.3), so each carries the challenge."""
        home = self.server.home()
        self.advance(28)
        newcomer = self.server.connect("198.51.100.1")
        newcomer.say(type="register-server", remoteId="HOME")
        ((_, challenge),) = home.frames()
        assert len(challenge) == 8
        self.advance(2)
        assert home.frames() == [(PING, challenge), (TEXT, b'{"type":"ping"}')]
        home.send(frame(PONG, challenge))
        assert newcomer.heard()[0]["code"] == "remote-id-taken"

    def test_answers_to_checks_cost_nothing(self) -> None:
        """However many strangers ask for its Remote ID, a home that answers keeps it."""
        server = Server(connections_per_minute=0)
        home = server.home()
        for _ in range(200):
            newcomer = server.connect("198.51.100.1")
            newcomer.say(type="register-server", remoteId="HOME")
            ((_, challenge),) = home.frames()
            home.send(frame(PONG, challenge))
            assert newcomer.heard()[0]["code"] == "remote-id-taken"
        assert home.frames() == []

    def test_late_answers_to_checks_cost_nothing(self) -> None:
        """Also when the stranger has left before."""
        server = Server(connections_per_minute=0)
        home = server.home()
        for _ in range(300):
            newcomer = server.connect("198.51.100.1")
            newcomer.say(type="register-server", remoteId="HOME")
            ((_, challenge),) = home.frames()
            newcomer.lose()
            home.send(frame(PONG, challenge))
        assert home.frames() == []
        assert server.counts()["servers"] == 1

    def test_pongs_that_nobody_asked_for_cost(self) -> None:
        client = self.server.connect()
        client.send(frame(PONG) * 500)
        self.advance(55)
        assert client.close_code() == 4029
