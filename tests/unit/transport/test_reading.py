"""How much is taken in one turn, and how many connections go on in one with what was put off."""

from __future__ import annotations

from functools import partial
from unittest import TestCase

from twisted.internet.task import Clock

from ma_signaling.transport.protocol import LINGER_SECONDS
from ma_signaling.transport.reading import MAX_GOING_ON, MAX_STEPS, PutOff
from ma_signaling.transport.timers import TICK_SECONDS
from tests.support.memory_server import CLOSE, PING, TEXT, Server, frame


class PutOffTest(TestCase):
    """Turns of the loop are short, however many connections wait for one."""

    def setUp(self) -> None:
        self.turns = Clock()
        self.put_off = PutOff(self.turns)
        self.taken: list[int] = []

    def turn(self) -> int:
        """Let one turn pass; returns how many went on."""
        before = len(self.taken)
        # As a reactor does, which leaves for the next turn what is added in this one.
        calls, self.turns.calls = self.turns.calls, []
        for call in calls:
            call.func(*call.args, **call.kw)
        return len(self.taken) - before

    def test_a_bounded_number_in_order(self) -> None:
        for number in range(2 * MAX_GOING_ON + 1):
            self.put_off.add(0, partial(self.taken.append, number))
        assert [self.turn() for _ in range(4)] == [MAX_GOING_ON, MAX_GOING_ON, 1, 0]
        assert self.taken == sorted(self.taken)

    def test_who_is_put_off_again_waits_for_all_others(self) -> None:
        def go_on(number: int) -> None:
            self.taken.append(number)
            self.put_off.add(0, partial(go_on, number))

        for number in range(MAX_GOING_ON + 1):
            self.put_off.add(0, partial(go_on, number))
        self.turn()
        self.turn()
        assert self.taken[MAX_GOING_ON : MAX_GOING_ON + 2] == [MAX_GOING_ON, 0]

    def test_in_time(self) -> None:
        self.put_off.add(2, lambda: self.taken.append(1))
        self.turns.advance(1.9)
        assert not self.taken
        self.turns.advance(0.1)
        assert self.taken == [1]

    def test_a_fault_of_one_keeps_nobody_waiting(self) -> None:
        self.put_off.add(0, lambda: self.taken.append(1 // 0))
        for _ in range(MAX_GOING_ON):
            self.put_off.add(0, lambda: self.taken.append(2))
        with self.assertRaises(ZeroDivisionError):
            self.turn()
        self.turn()
        assert len(self.taken) == MAX_GOING_ON


class GoodbyeTest(TestCase):
    """A connection whose goodbye is the last that a turn takes of it ends like any other."""

    def test_as_the_last_step(self) -> None:
        candidate, goodbye = frame(TEXT, b'{"type":"ice-candidate","data":{}}'), frame(CLOSE, b"\x03\xe8")
        for fast_path, steps_a_frame in ((True, 1), (False, 2)):
            server = Server(fast_path=fast_path)
            peer, _ = server.session(server.home())
            peer.protocol.dataReceived(candidate * (MAX_STEPS // steps_a_frame - 1) + goodbye)
            assert not peer.protocol.is_put_off, "it would be read no more"
            assert peer.close_code() == 1000
            # Something waits to be sent, so that TCP isn't gone yet.
            server.advance(LINGER_SECONDS + TICK_SECONDS)
            assert peer.transport.aborted, fast_path

    def test_cut_while_something_is_put_off(self) -> None:
        server = Server()
        peer = server.connect()
        peer.protocol.dataReceived(frame(PING) * (MAX_STEPS + 1))
        peer.protocol.dropConnection()
        server.advance(TICK_SECONDS)
        assert not peer.protocol.is_put_off
