"""The fast path: the common cases of nearly every connection, handled without Autobahn.

What it skips, and why that is safe:

- **A new connection**: Autobahn gives each some 70 attributes, including options copied from the factory, and formats
  them for a debug line. Here they are class attributes, with the values that Autobahn sets on a connection made for
  that purpose; stand-ins (``_STAND_INS``) replace mutable ones.
- **A frame**: a text, ping, pong or close frame, masked, unfragmented and whole, on an open connection that is inside
  no other frame or message, goes straight to the method that Autobahn would call for it; if more text frames follow,
  all of them to ``onMessages``. Text must be UTF-8 (RFC 6455 section 8.1). Autobahn's ``onCloseFrame`` checks code and
  reason of a close frame, except for the usual goodbye, which has nothing to check.
- **Sending**, on either path: a text frame is a header and the payload. All that Autobahn does beyond that is to format
  debug lines.

Everything else is left to Autobahn: fragments, binary frames, reserved bits, long and invalid lengths, invalid UTF-8,
incomplete frames, frames after a close. A test compares the two paths.
"""

from __future__ import annotations

from functools import cached_property
from struct import Struct
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.protocol import TrafficStats
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.transport.payloads import Unmasking, Utf8Validation, apply_mask, is_utf8
from ma_signaling.transport.reading import MAX_STEPS, PacedReading
from ma_signaling.transport.sockets import cork

FIN = MASKED = 0x80
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
"""Opcodes (RFC 6455 section 5.2)."""

FIN_TEXT = FIN | TEXT
LONGER = MASKED | 126
"""The second byte of a masked frame whose length is in the next two bytes."""

_HEAD = Struct("!BBH").unpack_from

# Module globals, for speed: a lookup in a class costs several times as much, for every frame.
OPEN = WebSocketServerProtocol.STATE_OPEN
CLOSED = WebSocketServerProtocol.STATE_CLOSED

_ABNORMAL = WebSocketServerProtocol.CLOSE_STATUS_CODE_ABNORMAL_CLOSE
_CLOSE_REPLY = b"\x88\x02\x03\xe8"
"""A close frame with 1000."""

GOODBYES = (None, 1000, 1001)
"""The close codes of a goodbye; any other end of a connection is a break (docs/protocol.md)."""

_log = Logger(namespace="ma_signaling")


class _Unheard:
    """Replaces Autobahn's futures for opening and closing, which nobody waits for here."""

    def callback(self, result: object) -> None: ...


_STAND_INS: dict[str, object] = {
    "is_open": _Unheard(),
    "is_closed": _Unheard(),
    "send_queue": (),  # for chopped writes, which aren't used
    "trafficStats": TrafficStats(),  # counts that nobody reads
    "utf8validator": cached_property(lambda _: Utf8Validation()),
    "_transport_details": TransportDetails(),  # without a TLS channel ID, which nobody asks for
    "_valid_events": None,
    "_results": None,
}


class AutobahnPath(PacedReading):
    """Frames and messages handled by Autobahn."""

    # Set by Autobahn's own handshake, which isn't used here.
    websocket_version = 13
    inside_message = False
    current_frame: Any = None
    current_frame_masker: Any
    utf8validator: Any
    connection: Connection | None

    def _connectionMade(self) -> None:
        super()._connectionMade()
        self.utf8validator = Utf8Validation()

    def onFrameBegin(self) -> None:
        if self.current_frame.mask and self.current_frame.length:
            self.current_frame_masker = Unmasking(self.current_frame.mask)
        super().onFrameBegin()

    def onMessages(self, payloads: list[bytes]) -> int:
        """Handle one or more of several messages that were read together, from the first on; return how many.

        This default handles one; a subclass may handle more.
        """
        self.onMessage(payloads[0], False)
        return 1

    def begin(self, reply: bytes, rest: bytes) -> None:
        """Send the reply that opens the WebSocket, then handle ``rest``, the bytes after the request."""
        self.transport.write(reply)
        self.state = self.STATE_OPEN
        self.onOpen()
        if rest:
            self.dataReceived(rest)


class FastPath(AutobahnPath):
    """Handles the common cases; Autobahn gets all others. ``with_fast_path`` adds the class attributes."""

    max_fast_bytes = 0
    """Longer messages go to Autobahn."""
    max_ahead = MAX_STEPS
    """How many messages are unmasked, at most, before the first of them is handled."""

    def __init__(self) -> None:
        """Skip Autobahn's, whose attributes belong to the class here."""

    def connectionMade(self) -> None:
        """Skip Autobahn's, which sets TCP_NODELAY: it is inherited from the listening socket (``sockets.prepare``)."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Skip Autobahn's, which cancels timers that aren't used here."""
        self.state = CLOSED
        self.onClose(self.wasClean, self.remoteCloseCode if self.wasClean else _ABNORMAL, None)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        if self.state != OPEN or reasonRaw is not None or code not in GOODBYES:
            stop: bool | None = super().onCloseFrame(code, reasonRaw)
            return stop
        self.remoteCloseCode = code
        self.wasClean = self.droppedByMe = True
        self.transport.write(_CLOSE_REPLY)
        self.unregisterProducer()
        self.state = CLOSED
        self._closeConnection()
        return None

    def pause_reading(self, seconds: float) -> None:
        super().pause_reading(seconds)
        # Until a read passes without a pause: messages that are unmasked ahead must be unmasked again after a pause.
        self.max_ahead = 1

    def _take_share(self, data: bytes) -> bytes:
        if self.state == OPEN and not self.data and self.current_frame is None and not self.inside_message:
            try:
                data = self._take_frames(data)
            finally:
                if cork.is_in:
                    cork.pull()
            if self.max_ahead == 1 and self._steps_left > 0:
                self.max_ahead = MAX_STEPS
            if not data or self._steps_left <= 0:
                return data
        return super()._take_share(data)

    def _take_frames(self, data: bytes) -> bytes:
        """Handle the common frames at the start of ``data``; return what follows them."""
        start, size, max_bytes = 0, len(data), self.max_fast_bytes
        while self._steps_left > 0 and self.state == OPEN and (found := whole_frame(data, start, max_bytes)):
            opcode, payload, end = found
            if end < size and not cork.is_in:
                cork.put_in()
            if opcode == TEXT and (payload.isascii() or is_utf8(payload)):
                if end < size:
                    end = self._take_messages(payload, data, end)
                else:
                    self._steps_left -= 1
                    self.onMessage(payload, False)
            elif self._take_control_frame(opcode, payload):
                self._steps_left -= 1
            else:
                break
            start = end
            if start == size:
                return b""
        return data[start:] if start else data

    def _take_messages(self, payload: bytes, data: bytes, end: int) -> int:
        """Handle the text ``payload``, and text frames that follow in ``data`` from ``end`` on.

        Returns where the last frame that was handled ends. Frames remain if one ended or paused this connection.
        """
        payloads, ends = [payload], [end]
        max_count = min(self._steps_left, self.max_ahead)
        while len(ends) < max_count and (found := whole_frame(data, end, self.max_fast_bytes)):
            opcode, payload, end = found
            if opcode != TEXT or not (payload.isascii() or is_utf8(payload)):
                break
            payloads.append(payload)
            ends.append(end)
        at, count = 0, len(ends)
        while at < count and self._steps_left > 0 and self.state == OPEN:
            taken = self.onMessages(payloads[at:])
            self._steps_left -= taken
            at += taken
        return ends[at - 1]

    def _take_control_frame(self, opcode: int, payload: bytes) -> bool:
        if opcode == PONG:
            self.onPong(payload)
        elif opcode == PING:
            self.onPing(payload)
        elif opcode == CLOSE and len(payload) != 1:
            code: Any = int.from_bytes(payload[:2]) if payload else None
            reason: Any = payload[2:] or None
            # So that the reply, with TLS the ``close_notify`` as well, goes by one write.
            cork.put_in()
            self.onCloseFrame(code, reason)
        else:
            return False
        return True

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if sync or chopsize:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)


def whole_frame(data: bytes, start: int, max_bytes: int) -> tuple[int, bytes, int] | None:
    """Return opcode, unmasked payload and end of the frame that begins in ``data`` at ``start``.

    None unless it is complete, final, masked, without reserved bits, and its payload has at most ``max_bytes``
    (RFC 6455 section 5.2).
    """
    if len(data) < start + 6:
        return None
    first, second, longer = _HEAD(data, start)
    if second == LONGER:
        if longer < 126 or first != FIN_TEXT:
            return None
        mask_at, end = start + 4, start + 8 + longer
    elif MASKED <= second < LONGER:
        mask_at, end = start + 2, start + second - (MASKED - 6)
    else:
        return None
    payload_at = mask_at + 4
    if end > len(data) or end - payload_at > max_bytes:
        return None
    return first - FIN, apply_mask(data[payload_at:end], data[mask_at:payload_at]), end


def text_frame(payload: bytes) -> bytes:
    """Return the unmasked text frame for ``payload`` (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c" % size + payload
    if size < 65536:
        return (0x817E0000 | size).to_bytes(4) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def ping_frames(payload: bytes) -> bytes:
    """Return an unmasked WebSocket ping with ``payload``, followed by a JSON ping."""
    return b"%c%c" % (FIN | PING, len(payload)) + payload + text_frame(messages.PING)


def with_fast_path(protocol: type[AutobahnPath], factory: Any) -> type[AutobahnPath]:
    """Return ``protocol`` with the fast path added, for connections of ``factory`` and with its options.

    Returns ``protocol`` itself if this version of Autobahn has a connection attribute that is unknown here.
    """
    blank = WebSocketServerProtocol()
    blank.factory = factory
    blank._connectionMade()  # noqa: SLF001 - sets the attributes that are copied below
    attributes: dict[str, Any] = {}
    for name, value in vars(blank).items():
        if name in _STAND_INS:
            attributes[name] = _STAND_INS[name]
        elif callable(value):
            attributes[name] = staticmethod(value)
        elif name in protocol.CONFIG_ATTRS or isinstance(value, bool | int | str | bytes | None):
            attributes[name] = value
        elif name != "factory":
            _log.warn(
                "The fast path is off: this version of Autobahn has an unknown attribute {name}",
                name=name,
            )
            return protocol
    limits = (factory.maxFramePayloadSize, factory.maxMessagePayloadSize)
    attributes.update(
        CONFIG_ATTRS=(),
        max_fast_bytes=min(size or 65535 for size in limits),
    )
    return type(protocol.__name__, (protocol, FastPath), attributes)
