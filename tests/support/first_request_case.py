"""First requests to a server in memory, and its answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import TEXT, UPGRADE, Reply, Server, Socket, frame

HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n"
PING = frame(TEXT, b'{"type":"ping"}')


class FirstRequestTestCase(SynchronousTestCase):
    """A server in memory, and assertions about its answers."""

    def setUp(self) -> None:
        self.server = Server()

    def sent(self, data: bytes) -> Socket:
        """Return a connection that has sent this."""
        client = self.server.accept()
        client.send(data)
        return client

    def reply(self, data: bytes) -> Reply:
        """Return the answer to this."""
        return Reply(self.sent(data).transport.value())

    def opens(self, *lines: bytes, without: bytes = b"") -> None:
        """Assert that a request with these field lines, in place of one, opens a WebSocket that works."""
        client = self.sent(changed(*lines, without=without) + PING)
        head = client.read_head()
        assert head.startswith(b"HTTP/1.1 101 "), (lines, head)
        assert b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in head
        assert b"Sec-WebSocket-Extensions" not in head
        assert b"Sec-WebSocket-Protocol" not in head
        assert client.heard() == [{"type": "pong"}], lines

    def refused(self, status: int, *lines: bytes, without: bytes = b"") -> Reply:
        """Assert that such a request is refused before the upgrade, and bytes after it aren't read as frames."""
        client = self.sent(changed(*lines, without=without) + b"x" * 21)
        reply = Reply(client.transport.value())
        assert reply.status == status, (lines, reply.status_line)
        assert isinstance(reply.json["error"], str)
        assert client.transport.disconnecting
        assert client.transport.value().count(b"HTTP/1.") == 1
        return reply


def changed(*lines: bytes, without: bytes = b"") -> bytes:
    """Return the usual request for a WebSocket with more field lines, and without those of one name."""
    kept = [line for line in UPGRADE.split(b"\r\n")[:-1] if not without or not line.startswith(without)]
    return b"\r\n".join([*kept, *lines, b"", b""])
