"""A client's WebSocket to a signaling server, with Autobahn on asyncio."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import orjson
from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from ma_signaling.check.answers import RESTART, closed, code_of, stop_for, stranger
from ma_signaling.check.handshake_answers import explain, explain_other_protocol
from ma_signaling.check.outcome import OtherProtocol, Status, Stop
from ma_signaling.core.errors import SERVER_DISCONNECTED

Message = dict[str, Any]

FAREWELL_SECONDS = 2.0
CLOSES_WITHIN_SECONDS = 1.0
"""A stopping server sends the same error as for a home that left, but closes within this time."""

HEAD_START_SECONDS = 0.25
"""The head start of one address of a host before the next (RFC 8305 section 8)."""

MAX_HEAD_BYTES = 65536
"""The most bytes of a response head; a longer one is judged by its first line."""


class _Protocol(WebSocketClientProtocol):
    """Passes everything to its factory's ``Signaling``."""

    factory: Any
    http_status_line: str

    def processHandshake(self) -> None:
        """Check the start of the answer first: Autobahn waits for the end of a head, which only HTTP has."""
        self.factory.signaling.is_answering = True
        beginning = bytes(self.data[:5])
        if not b"HTTP/".startswith(beginning[:5]):
            self.factory.signaling.refused(OtherProtocol(explain_other_protocol(self.factory.url, beginning)))
            self.dropConnection(abort=True)
            return
        head, end, _ = bytes(self.data).partition(b"\r\n\r\n")
        if not end and len(head) > MAX_HEAD_BYTES:
            self.http_status_line, self.http_headers = head.partition(b"\r\n")[0].decode("latin-1"), {}
            self.failHandshake("")
            return
        # Autobahn decodes the head as UTF-8 for its log, and would fail.
        if end and not head.isascii():
            self.data = head.decode("ascii", "replace").encode("ascii", "replace") + self.data[len(head) :]
        super().processHandshake()

    def failHandshake(self, reason: str) -> None:
        status = re.match(r"HTTP/\S+ +(\d{3})\b", getattr(self, "http_status_line", ""))
        if status is None or status[1] == "101":
            text = "the server's answer to the WebSocket's handshake makes no sense"
        else:
            text = explain(self.factory.url, int(status[1]), self.http_headers)
        self.factory.signaling.refused(Stop(Status.UNKNOWN, text))
        super().failHandshake(reason)

    def onOpen(self) -> None:
        self.factory.signaling.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            message = None
        if isinstance(message, dict):
            self.factory.signaling.take(message)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        # Not only in ``onClose``: messages before it, in the same packet, may not have been handled by the check yet.
        reason = (reasonRaw or b"").decode("utf-8", "replace")
        self.factory.signaling.lost(code, reason, is_over=False)
        stop: bool | None = super().onCloseFrame(code, reasonRaw)
        return stop

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.factory.signaling.refused(OtherProtocol(explain_other_protocol(self.factory.url, b"")))
        # Without Autobahn's reasons, which are for developers; the server's comes with its close frame.
        self.factory.signaling.lost(None, "")


class Signaling:
    """One connection. Received messages are kept until they are waited for."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._received: list[Message] = []
        self._failure: Stop | None = None
        self._suspicion: Stop | None = None
        """The failure, unless the server turns out to be restarting."""
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()
        self.is_answering = False
        """Whether the answer to the handshake has begun."""
        self._protocol: Any = None
        self._transport: Any = None

    async def open(self, url: str, trust: ssl.SSLContext, address: str = "") -> None:
        """Connect, to this IP ``address`` of the host or to any. ``trust`` decides which certificates are accepted.

        Raises OSError, ``OtherProtocol`` or ``Stop`` if no WebSocket can be opened.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        factory: Any = WebSocketClientFactory(url)
        factory.signaling = self
        factory.setProtocolOptions(maxMessagePayloadSize=1024 * 1024, openHandshakeTimeout=0)
        factory.protocol = _Protocol
        loop = asyncio.get_running_loop()
        self._transport, self._protocol = await loop.create_connection(
            factory,
            address or str(parts.hostname),
            parts.port or (443 if secure else 80),
            ssl=trust if secure else None,
            server_hostname=parts.hostname if secure else None,
            happy_eyeballs_delay=HEAD_START_SECONDS,
        )
        await self._opened

    def send(self, type: str, **fields: object) -> None:
        """Send a message; does nothing while the connection is closing."""
        if self._protocol.state == _Protocol.STATE_OPEN:
            self._protocol.sendMessage(orjson.dumps({"type": type, **fields}))

    async def first(self, type: str) -> Message:
        """Return the first message of a type, or wait for it. Raises ``Stop`` for an error or a lost connection."""
        async for message in self.all(type):
            return message
        raise AssertionError("all() goes on until it raises")

    async def all(self, type: str) -> AsyncIterator[Message]:
        """Yield every message of a type, and wait for more. Raises ``Stop`` for an error or a lost connection."""
        seen = 0
        while True:
            while seen < len(self._received):
                seen += 1
                if self._received[seen - 1].get("type") == type:
                    yield self._received[seen - 1]
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Say goodbye, so that the home forgets the session."""
        if self._protocol is None or self._closed.is_set():
            return
        try:
            if self._protocol.state == _Protocol.STATE_OPEN:
                self._protocol.sendClose(1000)
                await asyncio.wait_for(self._closed.wait(), FAREWELL_SECONDS)
        except TimeoutError:
            pass
        finally:
            self._transport.abort()

    def opened(self) -> None:
        """Note that the handshake is done."""
        if not self._opened.done():
            self._opened.set_result(None)

    def refused(self, why: Exception) -> None:
        """Fail ``open``: the server doesn't open a WebSocket."""
        if not self._opened.done():
            self._opened.set_exception(why)

    def forget(self) -> None:
        """Drop the messages that were received so far."""
        self._received.clear()

    def verify(self) -> None:
        """Raise ``Stop`` if the session has ended by now."""
        if self._failure is not None:
            raise self._failure

    def take(self, message: Message) -> None:
        """Handle a message."""
        if message.get("type") == "ping":
            self.send("pong")
        elif message.get("type") == "error":
            self._refuse(stop_for(message), code_of(message))
        elif message.get("type") == "peer-disconnected":
            self._fail(Stop(Status.CRITICAL, "the home has left"))
        elif who := stranger(message):
            self._fail(Stop(Status.UNKNOWN, who))
        self._received.append(message)
        self._changed.set()

    def lost(self, code: int | None, reason: str, *, is_over: bool = True) -> None:
        """Note that the connection is closed, or with ``is_over`` False is closing."""
        if is_over:
            self._closed.set()
        failure = Stop(Status.UNKNOWN, closed(code, reason))
        self.refused(failure)
        self._fail(failure if code == RESTART else self._suspicion or failure)

    def _refuse(self, why: Stop, code: object) -> None:
        if code != SERVER_DISCONNECTED.code:
            self._fail(why)
            return
        self._suspicion = self._suspicion or why
        asyncio.get_running_loop().call_later(CLOSES_WITHIN_SECONDS, self._fail, why)

    def _fail(self, failure: Stop) -> None:
        self._failure = self._failure or failure
        self._changed.set()
