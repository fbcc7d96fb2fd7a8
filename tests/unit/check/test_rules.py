"""`ma-signaling check`, as a person or a monitoring system runs it: the real command, server and homes."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.check.address import websocket_urls
from ma_signaling.check.answers import stop_for
from ma_signaling.check.handshake_answers import explain
from ma_signaling.check.outcome import Status
from ma_signaling.core import remote_id
from tests import ROOT
from tests.support.webrtc_peers import remote_id_from_fingerprint


class RulesTests(SynchronousTestCase):
    """What needs no process."""

    def test_addresses(self) -> None:
        cases = {
            "wss://host/ws": ["wss://host/ws"],
            "https://host": ["wss://host/ws"],
            "http://host:8787/": ["ws://host:8787/ws"],
            "ws://[::1]:1/other": ["ws://[::1]:1/other"],
            "signaling.example.org": ["wss://signaling.example.org/ws"],
            "signaling.example.org:443": ["wss://signaling.example.org:443/ws"],
            "signaling.example.org:9000/x": [
                "wss://signaling.example.org:9000/x",
                "ws://signaling.example.org:9000/x",
            ],
            "localhost": ["ws://localhost:8787/ws", "wss://localhost:8787/ws"],
            "192.168.1.5:9000": ["ws://192.168.1.5:9000/ws", "wss://192.168.1.5:9000/ws"],
            "pi.local:8787": ["ws://pi.local:8787/ws", "wss://pi.local:8787/ws"],
        }
        assert {text: websocket_urls(text) for text in cases} == cases
        for text in (
            "ftp://x",
            "wss://",
            "wss://host:99999/ws",
            "wss://[::1/ws",
            "a..b",
            "wss://a b/ws",
            "u:p@host",
        ):
            self.assertRaises(ValueError, websocket_urls, text)

    def test_http_answers(self) -> None:
        url = "wss://host/else"
        cases: list[tuple[int, dict[str, str], str]] = [
            (301, {"location": "https://other/ws"}, "another address (301): try wss://other/ws"),
            (302, {"location": "/login"}, "(302): try wss://host/login"),
            (308, {"location": url}, "the same address"),
            (307, {}, "the same address"),
            (307, {"location": "ftp://x"}, "does not say a usable one"),
            (401, {}, "a login is asked for"),
            (404, {}, "no signaling server at this path (404): try wss://host/ws"),
            (200, {}, "a web page is there, and no signaling server (200): try wss://host/ws"),
            (429, {"retry-after": "7"}, "for now (429): try again in 7 s"),
            (429, {"retry-after": "soon\x1b"}, "for now (429)"),
            (502, {}, "a proxy answers, but not the signaling server"),
            (599, {}, "an error (599)"),
        ]
        for status, headers, phrase in cases:
            found = explain(url, status, headers)
            assert phrase in found, found
            assert "\x1b" not in found

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
