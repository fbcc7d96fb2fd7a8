"""Requests for pages and the REST API, in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import Reply, Server


class WebTestCase(SynchronousTestCase):
    """A server with one home."""

    def setUp(self) -> None:
        self.server = Server()
        self.home = self.server.connect("192.0.2.1")
        self.home.say(type="register-server", remoteId="HOME")

    def ask(self, path: str, method: str = "GET", headers: str = "", host: str = "192.0.2.2") -> Reply:
        """Return the reply to one request, on a connection of its own."""
        client = self.server.accept(host)
        client.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode("latin-1"))
        reply = Reply(client.transport.value())
        client.lose(clean=True)
        return reply
