"""The line that tells a person at a terminal where to look."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.runtime.where_to_look import where_to_look


class WhereToLookTest(SynchronousTestCase):
    """By the ports of the settings."""

    def test_places(self) -> None:
        for settings, place in (
            (
                Settings(),
                "http://localhost:8787/ in a browser; homes and clients connect to ws://localhost:8787/ws",
            ),
            (Settings(port=("80",)), "http://localhost/ in"),
            (Settings(port=("unix:/x", "8443"), tls_cert="c"), "wss://localhost:8443/ws"),
            (Settings(port=("443",), acme_domain=("a.example.org",)), "https://a.example.org/ in"),
        ):
            line = where_to_look(settings)
            assert line is not None
            assert place in line, line
        for port in ("unix:/x", "systemd:domain=INET6:index=0", "haproxy:tcp:8787"):
            assert where_to_look(Settings(port=(port,))) is None
