"""The fast path: what nearly every connection does, nearly all the time, handled without Autobahn.

What it skips, and why that is safe:

- **A new connection**: Autobahn gives each some 70 attributes, options copied from the factory among them, and formats
  them for a debug line. Here they belong to the class, as Autobahn itself sets them on a connection made for that
  purpose; those that could change in place have a stand-in (``_STAND_INS``).
- **A frame**: text, ping, pong or close, masked, unfragmented and whole, on an open connection that is inside no other
  frame or message, goes at once to the method that Autobahn would call for it, or, where more text follows, with that
  to ``onMessages``. Text must be UTF-8 (section 8.1); of a close frame, Autobahn's ``onCloseFrame`` judges code and
  reason, but for the usual goodbye, which has no fault.
- **Sending**, on either path: a text frame is a header and the payload. What Autobahn does besides is formatting debug
  lines.

Everything else is left to Autobahn: fragments, binary frames, reserved bits, long and bad lengths, bad UTF-8,
halves of frames, what comes after a close. A test compares the two paths.
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
"""The length is in the two bytes that follow."""

_HEAD = Struct("!BBH").unpack_from

# Names of this module: a look-up in the classes of either costs several times as much, for every frame.
OPEN = WebSocketServerProtocol.STATE_OPEN
CLOSED = WebSocketServerProtocol.STATE_CLOSED

_ABNORMAL = WebSocketServerProtocol.CLOSE_STATUS_CODE_ABNORMAL_CLOSE
_CLOSE_REPLY = b"\x88\x02\x03\xe8"
"""A close frame with 1000."""

GOODBYES = (None, 1000, 1001)
"""The codes by which a peer says that it is leaving; any other end of a connection is a break (docs/protocol.md)."""

_log = Logger(namespace="ma_signaling")


class _Unheard:
    """Stands for the futures of a connection's opening and closing: nobody waits for them here."""

    def callback(self, result: object) -> None: ...


_STAND_INS: dict[str, object] = {
    "is_open": _Unheard(),
    "is_closed": _Unheard(),
    "send_queue": (),  # for writes in pieces, which nobody asks for
    "trafficStats": TrafficStats(),  # counts that nobody reads
    "utf8validator": cached_property(lambda _: Utf8Validation()),
    "_transport_details": TransportDetails(),  # never said to be secure: nobody asks for a TLS channel ID
    "_valid_events": None,
    "_results": None,
}


class AutobahnPath(PacedReading):
    """Frames and messages as Autobahn handles them."""

    # What Autobahn sets when it shakes hands.
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
        """Take the first of several messages that were read together, or more; returns how many.

        One by one, unless a class knows what to do with several.
        """
        self.onMessage(payloads[0], False)
        return 1

    def begin(self, reply: bytes, rest: bytes) -> None:
        """Send the reply that opens the WebSocket, and go on with what followed the request."""
        self.transport.write(reply)
        self.state = self.STATE_OPEN
        self.onOpen()
        if rest:
            self.dataReceived(rest)


class FastPath(AutobahnPath):
    """The usual cases without Autobahn; all others go to it. ``with_fast_path`` gives this class its attributes."""

    max_fast_bytes = 0
    """Longer messages go to Autobahn."""
    most_at_once = MAX_STEPS
    """At most so many messages are unmasked before the first of them is taken."""

    def __init__(self) -> None:
        """Leave out Autobahn's own: what it sets are attributes of the class here."""

    def connectionMade(self) -> None:
        """Leave out Autobahn's TCP_NODELAY: a listening socket hands its own on (``prepare``)."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave out Autobahn's own, which looks for timers that there are none of."""
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
        # Until a read passes without a pause: what is unmasked ahead of one would be unmasked again after it.
        self.most_at_once = 1

    def _take_share(self, data: bytes) -> bytes:
        if self.state == OPEN and not self.data and self.current_frame is None and not self.inside_message:
            try:
                data = self._take_frames(data)
            finally:
                if cork.is_in:
                    cork.pull()
            if self.most_at_once == 1 and self._steps_left > 0:
                self.most_at_once = MAX_STEPS
            if not data or self._steps_left <= 0:
                return data
        return super()._take_share(data)

    def _take_frames(self, data: bytes) -> bytes:
        """Take the usual frames at the start of ``data``; returns what follows them."""
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
        """Take ``payload`` and the messages after it, from ``end`` on in ``data``; returns where the last taken ends.

        That isn't the last there is if one of them has ended or paused this connection.
        """
        payloads, ends = [payload], [end]
        most = min(self._steps_left, self.most_at_once)
        while len(ends) < most and (found := whole_frame(data, end, self.max_fast_bytes)):
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
            # The reply, and with TLS its end, go by one write.
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


def whole_frame(data: bytes, start: int, most_bytes: int) -> tuple[int, bytes, int] | None:
    """Return the frame that starts in ``data`` at ``start``: opcode, payload unmasked, and where it ends.

    None unless all of it is there, final, masked, without reserved bits, and short (RFC 6455 section 5.2).
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
    if end > len(data) or end - payload_at > most_bytes:
        return None
    return first - FIN, apply_mask(data[payload_at:end], data[mask_at:payload_at]), end


def text_frame(payload: bytes) -> bytes:
    """Return a server's frame for a message (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c" % size + payload
    if size < 65536:
        return (0x817E0000 | size).to_bytes(4) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def ping_frames(payload: bytes) -> bytes:
    """Return a server's WebSocket ping with ``payload``, and after it a JSON ping."""
    return b"%c%c" % (FIN | PING, len(payload)) + payload + text_frame(messages.PING)


def with_fast_path(protocol: type[AutobahnPath], factory: Any) -> type[AutobahnPath]:
    """Return a class like ``protocol``, with the fast path, for connections of ``factory`` and with its options.

    ``protocol`` itself where this Autobahn keeps something in a connection that is unknown here.
    """
    blank = WebSocketServerProtocol()
    blank.factory = factory
    blank._connectionMade()  # noqa: SLF001 - what it sets is what this is about
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
                "The fast path is off: this version of Autobahn has an attribute {name} that is unknown here",
                name=name,
            )
            return protocol
    limits = (factory.maxFramePayloadSize, factory.maxMessagePayloadSize)
    attributes.update(
        CONFIG_ATTRS=(),
        max_fast_bytes=min(size or 65535 for size in limits),
    )
    return type(protocol.__name__, (protocol, FastPath), attributes)
