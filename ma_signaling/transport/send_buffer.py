"""What waits for a peer that reads too slowly, from when Twisted says so until nothing waits any more."""

from __future__ import annotations

from typing import Any

from ma_signaling.core.capacity import Capacity
from ma_signaling.transport.sockets import unsent

STALLED_BYTES = 64 * 1024
"""What waits when Twisted reports that a peer is slow (FileDescriptor.bufferSize)."""

STALL_SECONDS = 10.0
"""How long a peer may take nothing of it."""

UNSENT_BYTES = 64 * 1024 * 1024
"""What may wait for all peers together."""


class Backlog:
    """Bytes that wait for one peer, counted among those of all (``Capacity.unsent``).

    What is sent is added up, and what the peer has taken is seen when it matters.
    """

    def __init__(self, transport: Any, capacity: Capacity) -> None:
        self._transport = transport
        self._capacity = capacity
        self._bytes = 0
        self._has_read = False
        self._set(unsent(transport, STALLED_BYTES))

    def takes(self, size: int, most: int) -> bool:
        """Count ``size`` more; False: more than ``most`` wait now, or too many for all peers together."""
        if self._bytes + size > most:
            self._look()
        self._set(self._bytes + size)
        return self._bytes <= most and self._capacity.unsent <= UNSENT_BYTES

    def is_beyond(self, most: int) -> bool:
        """Whether more than ``most`` bytes wait."""
        if self._bytes > most:
            self._look()
        return self._bytes > most

    def has_read(self) -> bool:
        """Whether the peer has taken anything since this was asked last."""
        self._look()
        has_read, self._has_read = self._has_read, False
        return has_read

    def clear(self) -> None:
        """Nothing waits any more, or nobody to read it."""
        self._set(0)

    def _look(self) -> None:
        waiting = unsent(self._transport, self._bytes)
        self._has_read = self._has_read or waiting < self._bytes
        self._set(waiting)

    def _set(self, size: int) -> None:
        self._capacity.unsent += size - self._bytes
        self._bytes = size
