"""A WebSocket to Music Assistant whose reading can be paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from ma_signaling.home.memory import Share

if TYPE_CHECKING:
    _Base = aiohttp.ClientWebSocketResponse[bool]
else:
    _Base = aiohttp.ClientWebSocketResponse

_HEADER = 10
"""The most bytes of a frame besides its content."""


class LocalSocket(_Base):
    """Counts received bytes in a share until they are passed on, including those of an incomplete message, which
    aiohttp doesn't report."""

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: Any, *more: Any, **named: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *more, **named)
        self._connection: Any = response.connection.protocol

    def count_in(self, share: Share) -> None:
        """Count in ``share`` the bytes that arrive from now on."""
        connection, receive = self._connection, self._connection.data_received
        self._read = share.reader(connection.pause_reading, connection.resume_reading)

        def count(data: bytes) -> None:
            receive(data)
            self._read.take(len(data))

        connection.data_received = count

    def pass_on(self, size: int) -> None:
        """Stop counting a message of ``size`` bytes, which has been passed on."""
        self._read.release(size + _HEADER)

    def end(self) -> None:
        """Stop counting everything."""
        self._read.close()
