"""What waits for a peer that reads too slowly, from when Twisted says so until nothing waits any more."""

from __future__ import annotations

from typing import Any

from ma_signaling.capacity import Capacity
from ma_signaling.transport import unsent

STALLED_BYTES = 64 * 1024
"""What waits when Twisted reports that a peer is slow (FileDescriptor.bufferSize)."""

STALL_SECONDS = 10.0
"""How long a peer may take nothing of it."""

UNSENT_BYTES = 64 * 1024 * 1024
"""What may wait for all peers together."""


class Backlog:
    """Bytes that wait for one peer, counted among those of all (``Capacity.unsent``)."""

    def __init__(self, transport: Any, capacity: Capacity) -> None:
        self._transport = transport
        self._capacity = capacity
        self.bytes = 0
        self._set(unsent(transport, STALLED_BYTES))

    def takes(self, size: int, most: int) -> bool:
        """Count ``size`` more; False: more than ``most`` wait now, or too many for all peers together."""
        self._set(self.bytes + size)
        if self.bytes > most:
            self.has_shrunk()
        return self.bytes <= most and self._capacity.unsent <= UNSENT_BYTES

    def has_shrunk(self) -> bool:
        """Whether the peer has read since the last look; what waits is counted anew."""
        before = self.bytes
        self._set(unsent(self._transport, before))
        return self.bytes < before

    def clear(self) -> None:
        """Nothing waits any more, or nobody to read it."""
        self._set(0)

    def _set(self, size: int) -> None:
        self._capacity.unsent += size - self.bytes
        self.bytes = size
