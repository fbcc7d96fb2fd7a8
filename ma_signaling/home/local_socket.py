"""A WebSocket of Music Assistant whose reading can be made to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from ma_signaling.home.memory import Share

if TYPE_CHECKING:
    _Base = aiohttp.ClientWebSocketResponse[bool]
else:
    _Base = aiohttp.ClientWebSocketResponse

_HEADER = 10
"""Bytes of a frame besides its content, at most."""


class LocalSocket(_Base):
    """Counts what arrives, in a share, until it is said to be passed on: parts of a message too, of which aiohttp
    tells nothing until it is whole."""

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: Any, *more: Any, **named: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *more, **named)
        self._connection: Any = response.connection.protocol

    def count_in(self, share: Share) -> None:
        """Hold in ``share`` what arrives from now on."""
        connection, receive = self._connection, self._connection.data_received
        self._read = share.reader(connection.pause_reading, connection.resume_reading)

        def count(data: bytes) -> None:
            receive(data)
            self._read.take(len(data))

        connection.data_received = count

    def pass_on(self, size: int) -> None:
        """Hold a message of ``size`` bytes no longer."""
        self._read.release(size + _HEADER)

    def end(self) -> None:
        """Hold nothing."""
        self._read.close()
