"""What is kept of messages that don't come to an end."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport import unfinished
from ma_signaling.transport.unfinished import FREE_BYTES, PIECE_BYTES
from tests.support.memory_server import PONG, TEXT, Server, Socket, frame

ROOM = 128 * 1024
STRANGER, OTHER = "198.51.100.1", "203.0.113.1"
MESSAGE = b'{"type":"ping","x":"' + b"x" * 50_000 + b'"}'


class UnfinishedMessagesTest(SynchronousTestCase):
    """There is room for two messages and a half."""

    def setUp(self) -> None:
        self.patch(unfinished, "UNFINISHED_BYTES", ROOM)
        self.server = Server()

    def counted(self) -> int:
        size: int = self.server.factory.unfinished.size
        return size

    def begin(self, host: str, size: int = len(MESSAGE)) -> Socket:
        """A connection that has sent the first fragment of a message, and its pongs."""
        client = self.server.connect(host)
        client.send(frame(TEXT, MESSAGE[:size], fin=False) + frame(PONG))
        return client

    def test_the_address_with_most_gives_way(self) -> None:
        strangers = [self.begin(STRANGER) for _ in range(2)]
        other = self.begin(OTHER, 40_000)
        assert sum(client.transport.aborted for client in strangers) == 1
        other.send(frame(0, MESSAGE[40_000:]))
        assert other.heard() == [{"type": "pong"}]
        assert self.counted() == len(MESSAGE) + PIECE_BYTES

    def test_who_has_most_gets_no_more(self) -> None:
        other = self.begin(OTHER, 40_000)
        strangers = [self.begin(STRANGER) for _ in range(4)]
        assert [client.transport.aborted for client in strangers] == [False, True, True, True]
        assert not other.transport.aborted
        assert self.counted() <= ROOM

    def test_a_frame_that_comes_byte_by_byte(self) -> None:
        """Each piece takes memory of its own."""
        client = self.server.connect(STRANGER)
        message = frame(TEXT, MESSAGE)
        most = 0
        for at in range(0, 8_000, 2):
            client.send(message[at : at + 2])
            most = max(most, self.counted())
            if client.transport.aborted:
                break
        assert ROOM - FREE_BYTES < most <= ROOM
        assert client.transport.aborted
        assert self.counted() == 0

    def test_nothing_stays_counted(self) -> None:
        for end in (self.ends, self.breaks, self.fails):
            client = self.begin(STRANGER)
            assert self.counted()
            end(client)
            assert self.counted() == 0, end

    def ends(self, client: Socket) -> None:
        client.send(frame(0, b""))
        assert client.heard() == [{"type": "pong"}]

    def breaks(self, client: Socket) -> None:
        client.lose()

    def fails(self, client: Socket) -> None:
        client.send(frame(TEXT, b"no continuation"))
        assert client.close_code() == 1002
        client.lose()

    def test_usual_messages_are_not_counted(self) -> None:
        """Not even where a read ends within one."""
        counted = list[Any]()
        self.patch(self.server.factory.unfinished, "grow", lambda *more: counted.append(more))
        client = self.server.connect(STRANGER)
        message = frame(TEXT, b'{"type":"ping","x":"' + b"x" * 3_000 + b'"}')
        client.send(message[:1_500])
        client.send(message[1_500:] + message)
        assert client.heard() == [{"type": "pong"}] * 2
        assert not counted
