"""Ports that speak HTTP alone, in memory: how long a connection may take for its first request."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.http.channel import IDLE_SECONDS, HttpSite
from ma_signaling.http.metrics_page import make_metrics_site
from ma_signaling.http.redirect_site import RedirectSite, Root
from ma_signaling.transport.first_request import HEAD_SECONDS
from tests.support.memory_server import Server, Transport


class FirstHeadTest(SynchronousTestCase):
    """As at the main port."""

    def sites(self, server: Server) -> list[HttpSite]:
        """Return what listens for redirects, and for metrics."""
        main: Any = server.factory
        root = Root(["a.example"], 443, lambda _: None)
        return [RedirectSite(root, main, main.site.charge), make_metrics_site(server.metrics, main)]

    def test_deadline(self) -> None:
        for number in range(2):
            server = Server()
            site = self.sites(server)[number]
            address = IPv4Address("TCP", "192.0.2.1", 50000)
            slow, asking = (Transport(peerAddress=address) for _ in range(2))
            for transport in (slow, asking):
                transport.protocol = site.buildProtocol(address)
                transport.protocol.makeConnection(transport)
            asking.protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
            slow.protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: h\r\n")
            server.advance(HEAD_SECONDS - 1)
            assert not slow.disconnecting
            server.advance(2)
            assert slow.disconnecting
            assert asking.value().startswith((b"HTTP/1.1 301 ", b"HTTP/1.1 200 "))
            server.advance(IDLE_SECONDS - HEAD_SECONDS - 3)
            assert not asking.disconnecting
            server.advance(5)
            assert asking.disconnecting

    def test_requests_are_charged(self) -> None:
        """Those for the path that is unlimited at the main port, too."""
        server = Server(requests_per_minute=1)
        transport = Transport(peerAddress=IPv4Address("TCP", "192.0.2.1", 50000))
        transport.protocol = self.sites(server)[0].buildProtocol(None)
        transport.protocol.makeConnection(transport)
        transport.protocol.dataReceived(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n" * 2)
        assert transport.value().count(b"HTTP/1.1 301 ") == 1
        assert transport.aborted
