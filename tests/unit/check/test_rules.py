"""`ma-signaling check`, as a person or a monitoring system runs it: the real command, server and homes."""

from __future__ import annotations

import re
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.check.address import websocket_urls
from ma_signaling.check.answers import stop_for, stranger
from ma_signaling.check.handshake_answers import explain, explain_failure
from ma_signaling.check.outcome import Status
from ma_signaling.core import remote_id
from ma_signaling.testing import remote_id_from_fingerprint
from tests import ROOT


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
            "wss://bücher.example/ä b?c d#e": ["wss://xn--bcher-kva.example/%C3%A4%20b?c%20d"],
            "https://host:/%2F": ["wss://host/%2F"],
        }
        assert {text: websocket_urls(text) for text in cases} == cases
        example = "an address such as wss://host/ws"
        mistakes = {
            "": example,
            "ftp://x": example,
            "wss://": example,
            "wss:/host/ws": example,
            "wss://[::1/ws": example,
            "wss://host:99999/ws": "a number from 1 to 65535",
            "host:0": "a number from 1 to 65535",
            "host:ws": "a number from 1 to 65535",
            "::1": "needs brackets",
            "ws://2001:db8::1/ws": "needs brackets",
            "a..b": "not a host name",
            "wss://a b/ws": "not a host name",
            f"wss://{'ü' * 63}.example": "not a host name",
            "u:p@host": "without user name and password",
        }
        for text, phrase in mistakes.items():
            with self.assertRaisesRegex(ValueError, phrase):
                websocket_urls(text)

    def test_http_answers(self) -> None:
        url = "wss://host/else"
        cases: list[tuple[int, dict[str, str], str]] = [
            (301, {"location": "https://other/ws"}, "another address (301): try wss://other/ws"),
            (
                302,
                {"location": "/login"},
                "a web page (302): https://host/login: is the address right? Some networks",
            ),
            (302, {"location": "//x/" + "y" * 999}, "y: is the address right?"),
            (308, {"location": url}, "the same address"),
            (307, {}, "does not say a usable one"),
            (304, {}, "an error (304)"),
            (307, {"location": "ftp://x"}, "does not say a usable one"),
            (401, {}, "a login is asked for"),
            (404, {}, "no signaling server at this path (404): try wss://host/ws"),
            (200, {}, "a web page is there, and no signaling server (200): try wss://host/ws"),
            (429, {"retry-after": "7"}, "for now (429): try again in 7 s"),
            (429, {"retry-after": "soon\x1b"}, "for now (429)"),
            (502, {}, "a proxy answers, but not the signaling server"),
            (521, {}, "a proxy answers, but not the signaling server"),
            (511, {}, "this network asks for a login first"),
            (599, {}, "an error (599)"),
        ]
        for status, headers, phrase in cases:
            found = explain(url, status, headers)
            assert phrase in found, found
            assert "\x1b" not in found
            assert len(found) < 400
        assert "or it wants TLS: try wss://host/ws" in explain("ws://host/ws", 400, {})
        assert "TLS" not in explain("wss://host/ws", 400, {})
        assert "Some networks ask for a login" in explain("wss://host/ws", 200, {})

    def test_names_that_nobody_tells(self) -> None:
        problems = {socket.EAI_NONAME: "there is no such host", socket.EAI_AGAIN: "is this machine online?"}
        for number, phrase in problems.items():
            assert phrase in explain_failure("wss://host/ws", socket.gaierror(number, "x"))

    def test_others(self) -> None:
        """What an address leads to that was taken for the signaling server's."""
        assert "a Music Assistant answers" in stranger({"server_version": "2.10.0"})
        assert "a Home Assistant answers" in stranger({"type": "auth_required", "ha_version": "2026.1"})
        assert not stranger({"type": "connected", "server_version": "x"})
        assert not stranger({"type": "ping"})

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
        assert stop_for({}).text == "the server refuses, and does not say why"

    def test_fingerprints(self) -> None:
        for byte in (0, 0x2F, 0xFF):
            fingerprint = ":".join(f"{(byte + each) % 256:02X}" for each in range(32))
            made = remote_id.from_fingerprint(fingerprint)
            assert made == remote_id_from_fingerprint(fingerprint)
            assert remote_id.is_fingerprint(made)
        assert not remote_id.is_fingerprint("MA-X7K9-P2M4")

    def test_server_does_without(self) -> None:
        """The server imports nothing of it; a home's agent is no part of the server."""
        package = ROOT / "ma_signaling"
        clients = (package / "check", package / "home")
        others = [path for path in package.rglob("*.py") if path.parent not in clients]
        assert package / "runtime" / "service.py" in others
        importing = [path for path in others if re.search(r"\bma_signaling\.check\b", path.read_text())]
        assert importing == [package / "__main__.py"]
