"""Pings and pongs of one connection, which show whether its peer is still there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ma_signaling.core import messages
from ma_signaling.transport.fast_path import AutobahnPath
from ma_signaling.transport.guarded import guarded


class Liveness(AutobahnPath):
    """Pings the peer for the keep-alive, and for the probe of a contest for a Remote ID."""

    factory: Any
    _send_buffer: Any = None
    """The send buffer of a peer that reads slowly; None while nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        # Set here, so that all connections share one table of these names (``DirectServer.__init__``).
        self._is_silent = False
        """Whether the latest ping of the keep-alive is still unanswered."""
        self._keep_alive_payload = b""
        """The payload of the latest ping of the keep-alive."""
        self._ping_payload = b""
        """The payload of the latest ping of any kind; empty once it was answered."""
        self._pongs_due = 0

    def send(self, message: bytes) -> None:
        raise NotImplementedError

    def after_reading(self, call: Callable[[], None]) -> None:
        raise NotImplementedError

    def cut(self, reason: str) -> None:
        """Cut the connection without a close frame; ``reason`` is for the log."""
        if self.connection is not None:
            self.factory.hub.cutting(self.connection, reason)
        self.dropConnection(abort=True)

    def ping(self, payload: bytes) -> None:
        """Send a ping for a probe."""
        self._ping_payload = payload
        self._pongs_due += 1
        self.sendPing(payload)

    @guarded
    def keep_alive(self, payload: bytes, frames: bytes) -> None:
        """Send the keep-alive's pings (``timers.KeepAlive``), or cut a peer that didn't answer the previous ones."""
        if self._is_silent:
            self.after_reading(self._cut_if_silent)
        elif self.state != self.STATE_OPEN:
            return
        elif self._ping_payload or self._send_buffer is not None:
            self._is_silent = True
            # A peer may answer only the latest ping (RFC 6455 section 5.5.3), so a probe's payload goes with this one.
            self._keep_alive_payload = self._ping_payload or payload
            self.ping(self._keep_alive_payload)
            self.send(messages.PING)
        else:
            self._is_silent = True
            self._keep_alive_payload = self._ping_payload = payload
            self._pongs_due += 1
            self.transport.write(frames)

    def onPong(self, payload: bytes) -> None:
        # The keep-alive's own ping counts even if probes followed it: strangers decide how often a home is probed.
        if payload == self._keep_alive_payload:
            self._is_silent = False
        if payload == self._ping_payload:
            self._is_silent = False
            self._ping_payload = b""
        if self.connection is None:
            return
        # A pong that was asked for isn't charged: strangers decide how many probes a home must answer.
        if self._pongs_due > 0:
            self._pongs_due -= 1
        elif not self.factory.hub.charge_control_frame(self.connection):
            return
        self.factory.hub.pong(self.connection, payload)

    @guarded
    def _cut_if_silent(self) -> None:
        if self._is_silent and self.state == self.STATE_OPEN:
            self.cut("no answer to a ping")
