"""`ma-signaling check`, as a person or a monitoring system runs it: the real command, server and homes."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.check.answers import stop_for, websocket_url
from ma_signaling.check.outcome import Status
from ma_signaling.core import remote_id
from tests import ROOT
from tests.support.webrtc_peers import remote_id_from_fingerprint


class RulesTests(SynchronousTestCase):
    """What needs no process."""

    def test_addresses(self) -> None:
        cases = {
            "wss://host/ws": "wss://host/ws",
            "https://host": "wss://host/ws",
            "http://host:8787/": "ws://host:8787/ws",
            "host": "wss://host/ws",
            "ws://[::1]:1/other": "ws://[::1]:1/other",
        }
        assert {text: websocket_url(text) for text in cases} == cases
        for text in ("ftp://x", "wss://", "wss://host:99999/ws"):
            self.assertRaises(ValueError, websocket_url, text)

    def test_errors(self) -> None:
        """Also those of a server that sends no codes."""
        offline = "Server not found. Make sure your Music Assistant server is running and has Remote Access enabled."
        cases: list[tuple[dict[str, Any], Status]] = [
            ({"error": "x", "code": "server-not-found"}, Status.CRITICAL),
            ({"error": offline}, Status.CRITICAL),
            ({"error": "Server disconnected"}, Status.CRITICAL),
            ({"error": "x", "code": "home-busy"}, Status.CRITICAL),
            ({"error": "x", "code": "rate-limited"}, Status.UNKNOWN),
            ({"error": "Rate limited. Try again in 5 seconds."}, Status.UNKNOWN),
            ({"error": None}, Status.UNKNOWN),
        ]
        for message, status in cases:
            assert stop_for(message).status is status, message

    def test_fingerprints(self) -> None:
        for byte in (0, 0x2F, 0xFF):
            fingerprint = ":".join(f"{(byte + each) % 256:02X}" for each in range(32))
            made = remote_id.from_fingerprint(fingerprint)
            assert made == remote_id_from_fingerprint(fingerprint)
            assert remote_id.is_fingerprint(made)
        assert not remote_id.is_fingerprint("MA-X7K9-P2M4")

    def test_server_does_without(self) -> None:
        """The server imports nothing of it."""
        sources = (ROOT / "ma_signaling").glob("*.py")
        importing = [path.name for path in sources if "ma_signaling.check" in path.read_text()]
        assert importing == ["__main__.py"]
