"""Peers that read too slowly."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.send_buffer import STALL_SECONDS
from ma_signaling.transport.timers import TICK_SECONDS
from tests.support.memory_server import Server


class BackPressureTest(SynchronousTestCase):
    """A peer that does not read."""

    def setUp(self) -> None:
        self.server = Server(send_buffer_bytes=200_000)
        self.home = self.server.home()
        self.client, self.session = self.server.session(self.home)
        self.candidate = {"type": "ice-candidate", "data": "x" * 10_000}

    def test_past_half_its_senders_are_told(self) -> None:
        self.home.protocol.pauseProducing()
        for _ in range(5):
            self.client.say(**{**self.candidate, "type": "offer"})
        assert [message["code"] for message in self.client.heard()] == ["home-busy"]
        assert len(self.home.heard()) == 4
        self.home.protocol.resumeProducing()
        self.client.say(**self.candidate)
        assert self.client.heard() == []

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
        transport = self.client.transport
        transport.dataBuffer, transport.offset, transport._tempDataLen = b"x" * 150_000, 0, 0
        self.client.protocol.pauseProducing()
        for _ in range(5):
            transport.offset += 10_000
            self.server.advance(STALL_SECONDS + TICK_SECONDS)
            self.client.protocol.send(b"x" * 5000)
            transport._tempDataLen += 5004
        assert not transport.aborted
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert transport.aborted

    def test_who_takes_it_in_time_is_not(self) -> None:
        self.client.protocol.pauseProducing()
        self.server.advance(STALL_SECONDS - 1)
        self.client.protocol.resumeProducing()
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert not self.client.transport.aborted

    def test_what_it_has_taken_counts_no_more(self) -> None:
        """However much has gone to it since it was last quite empty."""
        transport = self.home.transport
        transport.dataBuffer, transport.offset, transport._tempDataLen = b"x" * 70_000, 0, 0
        self.home.protocol.pauseProducing()
        for _ in range(30):
            self.client.say(**self.candidate)
            self.server.clock.advance(0.2)
        assert self.client.heard() == []

    def test_what_it_takes_between_two_looks(self) -> None:
        """Whoever has taken something goes on, also if it was noticed for another reason."""
        transport = self.client.transport
        transport.dataBuffer, transport.offset, transport._tempDataLen = b"x" * 190_000, 0, 0
        self.client.protocol.pauseProducing()
        self.server.advance(STALL_SECONDS - 1)
        transport.offset += 50_000
        self.client.protocol.send(b"x" * 15_000)
        transport._tempDataLen += 15_004
        self.server.advance(1 + TICK_SECONDS)
        assert not transport.aborted
        self.server.advance(STALL_SECONDS + TICK_SECONDS)
        assert transport.aborted
