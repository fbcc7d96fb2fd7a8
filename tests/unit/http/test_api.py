"""`/api/sessions`: who learns what happened in a session."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import Reply, Server


class TracePageTest(SynchronousTestCase):
    """`GET /api/sessions/S`."""

    def setUp(self) -> None:
        self.server = Server(lookups_per_minute=5, guesses_per_minute=2)

    def ask(self, path: str) -> Reply:
        client = self.server.accept("192.0.2.3")
        client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reply = Reply(client.transport.value())
        client.lose(clean=True)
        return reply

    def test_trace(self) -> None:
        home, client = self.server.connect("192.0.2.1"), self.server.connect("192.0.2.2")
        home.say(type="register-server", remoteId="HOME")
        client.say(type="connect-request", remoteId="HOME")
        session_id = home.heard()[-1]["sessionId"]
        reply = self.ask(f"/api/sessions/{session_id}")
        assert reply.status == 200
        assert reply.json["verdict"]["code"] == "waiting"

    def test_unknown_and_limited(self) -> None:
        """Unknown ones cost a lookup each, and are no guesses of a Remote ID."""
        for number in range(5):
            reply = self.ask(f"/api/sessions/{number:032}")
            assert (reply.status, reply.json) == (404, {"error": "Session not found"})
        reply = self.ask("/api/sessions/x")
        assert (reply.status, reply.json["error"]) == (429, "Rate limited")
        assert int(reply.headers["retry-after"]) == reply.json["retryAfter"]
        assert self.ask("/api/sessions").status == 404
        assert self.ask("/api/sessions/a/b").status == 404
