"""Peers that read too slowly."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.send_buffer import STALL_SECONDS, STALLED_BYTES, UNSENT_BYTES
from ma_signaling.transport.timers import TICK_SECONDS
from tests.support.memory_server import CLOSE, PONG, Server, Socket, frame


class BackPressureTestCase(SynchronousTestCase):
    """A home and its client; what waits for either is what a test says."""

    def setUp(self) -> None:
        self.server = Server(send_buffer_bytes=200_000)
        self.home = self.server.home()
        self.client, self.session = self.server.session(self.home)
        self.offer = {"type": "offer", "data": "x" * 10_000}
        self.waiting: dict[Socket, int] = {}

    def stall(self, peer: Socket, size: int) -> None:
        """Let so many bytes wait for a peer."""
        self.waiting[peer] = size
        peer.transport.unsent = lambda: self.waiting[peer]
        peer.protocol.pauseProducing()


class ClientTest(BackPressureTestCase):
    """A client that does not read."""

    def test_who_fills_the_buffer_is_cut(self) -> None:
        self.client.protocol.pauseProducing()
        self.client.protocol.send(b"x" * 130_000)
        assert not self.client.transport.aborted
        self.client.protocol.send(b"x" * 10_000)
        assert self.client.transport.aborted

    def test_who_takes_nothing_is_cut(self) -> None:
        self.client.protocol.pauseProducing()
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert self.client.transport.aborted

    def test_who_takes_a_little_is_not(self) -> None:
        self.stall(self.client, 150_000)
        for _ in range(5):
            self.waiting[self.client] -= 10_000
            self.server.advance(STALL_SECONDS + TICK_SECONDS)
            self.client.protocol.send(b"x" * 5000)
            self.waiting[self.client] += 5004
        assert not self.client.transport.aborted
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert self.client.transport.aborted

    def test_who_takes_it_in_time_is_not(self) -> None:
        self.client.protocol.pauseProducing()
        self.server.advance(STALL_SECONDS - 1)
        self.client.protocol.resumeProducing()
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert not self.client.transport.aborted

    def test_what_it_takes_between_two_looks(self) -> None:
        """Whoever has taken something goes on, also if it was noticed for another reason."""
        self.stall(self.client, 190_000)
        self.server.advance(STALL_SECONDS - 1)
        self.waiting[self.client] -= 50_000
        self.client.protocol.send(b"x" * 15_000)
        self.waiting[self.client] += 15_004
        self.server.advance(1 + TICK_SECONDS)
        assert not self.client.transport.aborted
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert self.client.transport.aborted


class HomeTest(BackPressureTestCase):
    """A home that does not read: it handles one message at a time, and some take it 15 s."""

    def test_past_half_its_senders_are_told(self) -> None:
        self.home.protocol.pauseProducing()
        for _ in range(5):
            self.client.say(**self.offer)
        assert [message["code"] for message in self.client.heard()] == ["home-busy"]
        assert len(self.home.heard()) == 4
        self.home.protocol.resumeProducing()
        self.client.say(**self.offer)
        assert self.client.heard() == []

    def test_what_it_has_taken_counts_no_more(self) -> None:
        """However much has gone to it since it was last quite empty."""
        self.stall(self.home, 70_000)
        for _ in range(30):
            self.client.say(**self.offer)
            self.server.advance(0.5)
        assert self.client.heard() == []

    def test_its_pings_alone_decide(self) -> None:
        """Whatever clients send meanwhile: they are told, and it stays."""
        self.stall(self.home, 150_000)
        for _ in range(50):
            self.client.say(**self.offer)
            self.server.advance(1)
            for opcode, payload in self.home.frames():
                if opcode == PONG - 1:
                    self.home.send(frame(PONG, payload))
        codes = {message.get("code") for message in self.client.heard()}
        assert "home-busy" in codes
        assert not self.home.transport.aborted
        self.server.advance(65)
        assert self.home.transport.aborted


class AllTogetherTest(BackPressureTestCase):
    """What waits for all peers together is bounded."""

    def test_the_one_with_most_is_cut(self) -> None:
        """Not whoever is written to next."""
        others = [self.server.connect(f"192.0.2.{number}") for number in range(2, 5)]
        self.stall(others[0], 100_000)
        self.stall(others[1], 150_000)
        self.stall(others[2], 120_000)
        self.stall(self.home, 170_000)
        self.server.hub.capacity.unsent += UNSENT_BYTES - 539_999
        others[0].protocol.send(b"x" * 10_000)
        assert [peer.transport.aborted for peer in others] == [False, True, False]
        assert not self.home.transport.aborted, "homes come last"
        assert others[0].frames()[-1] == (1, b"x" * 10_000)

    def test_who_has_said_goodbye_is_cut_as_well(self) -> None:
        self.stall(self.client, 150_000)
        self.client.send(frame(CLOSE))
        assert not self.client.transport.aborted
        other = self.server.connect("192.0.2.2")
        self.stall(other, 100_000)
        self.server.hub.capacity.unsent += UNSENT_BYTES - 249_999
        other.protocol.send(b"one more")
        assert self.client.transport.aborted
        assert not other.transport.aborted

    def test_none_is_cut_for_what_was_taken_meanwhile(self) -> None:
        self.stall(self.client, 150_000)
        self.server.hub.capacity.unsent += UNSENT_BYTES - 150_000
        self.waiting[self.client] = 70_000
        self.client.protocol.send(b"one more")
        assert not self.client.transport.aborted

    def test_homes_get_less_while_much_waits_for_all(self) -> None:
        self.home.protocol.pauseProducing()
        self.server.hub.capacity.unsent += UNSENT_BYTES // 2
        self.client.say(**self.offer)
        assert [message["code"] for message in self.client.heard()] == ["home-busy"]

    def test_counted_to_the_end(self) -> None:
        peers = [self.server.connect(f"192.0.2.{number}") for number in range(2, 22)]
        for peer in peers:
            peer.protocol.pauseProducing()
        assert self.server.hub.capacity.unsent == len(peers) * STALLED_BYTES
        for peer in peers:
            peer.lose()
        assert self.server.hub.capacity.unsent == 0
