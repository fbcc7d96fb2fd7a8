"""One WebSocket connection.

Autobahn implements RFC 6455. This class adds what Autobahn leaves to its users: a bounded send buffer, close codes,
keep-alive (``liveness``), and the translation between a socket and the core (a ``Peer``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling.core.capacity import SocketPlace
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.ending import BREAK, FAULT, GOODBYE, HALF_CLOSED, MAKE_WAY, failed
from ma_signaling.core.errors import BAD_MESSAGE
from ma_signaling.monitoring.muted_log import SILENCE
from ma_signaling.transport.fast_path import CONTINUATION, GOODBYES, OPEN, AutobahnPath, text_frame
from ma_signaling.transport.guarded import guarded
from ma_signaling.transport.send_buffer import STALL_SECONDS, SendBuffer
from ma_signaling.transport.timers import Waiting
from ma_signaling.transport.unfinished import CountedMessages

if TYPE_CHECKING:
    from ma_signaling.transport.factory import SignalingFactory

LINGER_SECONDS = 2.0
"""How long a closing handshake may take before the TCP connection is cut."""

MAX_FRAMES_AFTER_CLOSE = 50
"""How many frames are read after a close frame was sent, to find the reply."""

_log = Logger(namespace="ma_signaling")


@implementer(IHalfCloseableProtocol)
class SignalingProtocol(CountedMessages):
    """A WebSocket connection: to the core a ``Peer``, to Twisted a protocol."""

    log = SILENCE
    factory: SignalingFactory
    connection: Connection | None = None
    transport: Any
    slot = 0
    place: SocketPlace | None = None
    """Its place among all sockets. Once the WebSocket is open, ``connection`` has it as well."""
    deadline_queue: dict[Waiting, float] | None = None
    _in_close_frame = False
    _frames_after_close = 0
    _send_buffer: SendBuffer | None = None

    _take = guarded(AutobahnPath._take)  # noqa: SLF001 - a method of its own, inherited

    # From Twisted

    @guarded
    def readConnectionLost(self) -> None:
        """End the connection once the peer has ended its side, but finish sending."""
        if self.connection is not None:
            self.factory.hub.end(self.connection, HALF_CLOSED)
        self._set_deadline(LINGER_SECONDS)
        self.dropConnection()

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._clear_deadline()
            self._close_send_buffer()
            self._keep_nothing()
            self.factory.hub.capacity.closed(self.place)
        finally:
            super().connectionLost(reason)
            # They refer to each other: don't leave the cycle to the garbage collector.
            self.connection = None

    @guarded
    def pauseProducing(self) -> None:
        if self._send_buffer is None and self.state == self.STATE_OPEN:
            self._send_buffer = self.factory.send_buffers.open(self)
            self._set_deadline(STALL_SECONDS)

    @guarded
    def resumeProducing(self) -> None:
        if self._send_buffer is not None and self.state == self.STATE_OPEN:
            self._close_send_buffer()
            self._clear_deadline()

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` follows."""

    # From Autobahn

    @guarded
    def onOpen(self) -> None:
        self._clear_deadline()
        self.connection = self.factory.hub.connected(self, self.address, self.place)
        self.factory.opened(self)
        self.registerProducer(self, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        assert self.connection is not None
        # Not guarded itself: ``_take`` guards a whole read.
        self.factory.hub.received(self.connection, payload)

    def onMessages(self, payloads: list[bytes]) -> int:
        assert self.connection is not None
        return self.factory.hub.received_some(self.connection, payloads)

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.current_frame.opcode == CONTINUATION and self.connection is not None:
            # The message is charged only once, but each frame takes as much time, however short it is.
            self.factory.hub.charge_control_frame(self.connection)

    def processData(self) -> bool:
        if self._frames_after_close > MAX_FRAMES_AFTER_CLOSE:
            self.data = b""
            return False
        more: bool = super().processData()
        return more

    def onFrameBegin(self) -> None:
        if self.state != self.STATE_OPEN:
            self._frames_after_close += 1
        super().onFrameBegin()

    def onPing(self, payload: bytes) -> None:
        if self.connection is not None and self.factory.hub.charge_control_frame(self.connection):
            self.sendPong(payload)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        is_first = self.state == self.STATE_OPEN
        self._in_close_frame = True
        # Autobahn doesn't know 1014 (Bad Gateway), which was registered after RFC 6455.
        stop: bool | None = super().onCloseFrame(1000 if code == 1014 else code, reasonRaw)
        self._in_close_frame = False
        if is_first and self.connection is not None:
            self.factory.hub.end(self.connection, GOODBYE if code in GOODBYES else BREAK)
            self._set_deadline(LINGER_SECONDS)
        return stop

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        # Autobahn drops TCP at a second fault. The first has been answered, and LINGER_SECONDS bound what follows.
        if self.state != self.STATE_CLOSING:
            super()._fail_connection(code, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        # Autobahn resets TCP once both close frames were sent, and the reset may overtake ours.
        super()._closeConnection(abort and not self._in_close_frame)

    def dropConnection(self, abort: bool = False) -> None:
        if self.state == self.STATE_CLOSED:
            # Autobahn assumes that TCP is closed too; it isn't while something is still to be sent.
            self._closeConnection(abort)
        else:
            super().dropConnection(abort)

    @guarded
    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.connection is not None:
            self.factory.hub.end(self.connection, BREAK)
            self.factory.closed(self)

    def sendCloseFrame(
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,
        isReply: bool = False,
    ) -> None:
        if self.state == self.STATE_OPEN and not isReply and self.connection is not None:
            try:
                self.factory.hub.end(self.connection, failed(BAD_MESSAGE, code))
            finally:
                super().sendCloseFrame(code, reasonUtf8, isReply)
                self._set_deadline(LINGER_SECONDS)
        else:
            super().sendCloseFrame(code, reasonUtf8, isReply)

    # From the core and the keep-alive

    @guarded
    def give_way(self) -> None:
        if self.connection is None:
            self.dropConnection(abort=True)
        else:
            self.factory.hub.end(self.connection, MAKE_WAY)

    @property
    def congested(self) -> bool:
        buffer = self._send_buffer
        return buffer is not None and buffer.is_beyond(self.factory.settings.send_buffer_bytes // 2)

    def send(self, message: bytes) -> None:
        buffer = self._send_buffer
        if buffer is not None and not buffer.takes(len(message), self.factory.settings.send_buffer_bytes):
            self.cut_slow()
        if self.state == OPEN:
            self.transport.write(text_frame(message))

    @property
    def keeps_up(self) -> bool:
        return self._send_buffer is None

    def send_all(self, messages: list[bytes]) -> None:
        if self.state == OPEN:
            self.transport.write(b"".join(map(text_frame, messages)))

    def after_reading(self, call: Callable[[], None]) -> None:
        self.factory.deadlines.after_reading(self, call)

    def close(self, code: int, reason: str) -> None:
        self.sendCloseFrame(code, reason.encode())

    def drop(self) -> None:
        self.dropConnection(abort=True)

    # From the send buffers

    @property
    def is_home(self) -> bool:
        return self.connection is not None and self.connection.role is Role.HOME

    def cut_slow(self) -> None:
        self.cut("it does not read what it is sent")

    # Internals

    def fail(self, where: str) -> None:
        """End the connection for a fault of this server, while the exception is being handled."""
        name = "a connection" if self.connection is None else self.connection.id
        _log.failure("{connection}: {where} failed", connection=name, where=where)
        try:
            if self.connection is not None:
                self.factory.hub.end(self.connection, FAULT)
        except Exception:  # noqa: BLE001 - most likely the same one
            self.dropConnection(abort=True)
        if self.state == OPEN:
            self.dropConnection(abort=True)

    def _close_send_buffer(self) -> None:
        if self._send_buffer is not None:
            self._send_buffer.close()
            self._send_buffer = None

    def _set_deadline(self, seconds: float) -> None:
        self.factory.deadlines.set(self, seconds)

    def _clear_deadline(self) -> None:
        self.factory.deadlines.clear(self)

    @guarded
    def deadline_passed(self) -> None:
        """Cut a peer that takes too long for the closing handshake, or to read its send buffer."""
        if self.state != self.STATE_OPEN:
            self._closeConnection(abort=True)
        elif self._send_buffer is not None and (self.is_home or self._send_buffer.has_taken()):
            # A home handles one message at a time: only an unanswered ping shows that it is too slow.
            self._set_deadline(STALL_SECONDS)
        else:
            self.cut_slow()
