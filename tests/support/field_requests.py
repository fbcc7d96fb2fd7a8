"""Upgrade requests as clients in the field send them, and a protocol that records its calls."""

from __future__ import annotations

from typing import Any

from ma_signaling.transport.fast_path import AutobahnPath
from ma_signaling.transport.protocol import SignalingProtocol
from tests.support.memory_server import UPGRADE

BROWSER = (
    b"GET /ws HTTP/1.1\r\nHost: signaling.example.org\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    b"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
    b"Upgrade: websocket\r\nOrigin: https://app.music-assistant.io\r\nSec-WebSocket-Version: 13\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
FIREFOX = BROWSER.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade").replace(
    b"; client_max_window_bits", b""
)
AIOHTTP = (
    b"GET /ws HTTP/1.1\r\nHost: [2001:db8::1]:8787\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.13 aiohttp/3.14.5\r\n\r\n"
)
OKHTTP = (
    b"GET /ws?x=1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nHost: 192.0.2.9:8787\r\n"
    b"Accept-Encoding: gzip\r\nUser-Agent: okhttp/5.1.0\r\n\r\n"
)
KTOR = OKHTTP.replace(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"").replace(
    b"Connection: Upgrade", b"connection: upgrade"
)
FIELD = [BROWSER, FIREFOX, AIOHTTP, OKHTTP, KTOR, UPGRADE + b"\r\n"]


class Recorder(SignalingProtocol):
    """Records the calls of Autobahn or of the fast path."""

    events: list[tuple[object, ...]]

    def onOpen(self) -> None:
        self.events = [("open",)]
        super().onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.events.append(("message", payload, isBinary))
        super().onMessage(payload, isBinary)

    def onMessages(self, payloads: list[bytes]) -> int:
        return AutobahnPath.onMessages(self, payloads)

    def onPing(self, payload: bytes) -> None:
        self.events.append(("ping", payload))
        super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        self.events.append(("pong", payload))
        super().onPong(payload)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        self.events.append(("close frame", code, reasonRaw))
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.connection is not None:
            # Without the reason, which Autobahn words for people, and which this server doesn't use.
            self.events.append(("closed", wasClean, code))
        super().onClose(wasClean, code, reason)
