"""What waits for peers that read too slowly, from when Twisted says so until nothing waits any more."""

from __future__ import annotations

from typing import Protocol

from ma_signaling.core.capacity import Capacity
from ma_signaling.transport.sockets import unsent

STALLED_BYTES = 64 * 1024
"""What waits when Twisted reports that a peer is slow (FileDescriptor.bufferSize)."""

STALL_SECONDS = 10.0
"""How long a client may take nothing of it."""

UNSENT_BYTES = 64 * 1024 * 1024
"""What may wait for all peers together."""


class SlowPeer(Protocol):
    """A connection that bytes wait for."""

    transport: object

    @property
    def is_home(self) -> bool:
        """Whether its pings alone decide whether it reads too slowly."""

    def cut_slow(self) -> None:
        """Cut it, for it reads too slowly."""


class SendBuffers:
    """The send buffers of all slow peers; their sum is ``Capacity.unsent``."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._buffers: dict[SendBuffer, None] = {}

    @property
    def is_crowded(self) -> bool:
        """Whether half of what may wait for all together does: from then on, slow homes get nothing from clients."""
        return self.capacity.unsent > UNSENT_BYTES // 2

    def open(self, peer: SlowPeer) -> SendBuffer:
        """Return the send buffer of a peer that has become slow; ``close`` must follow."""
        buffer = SendBuffer(self, peer)
        self._buffers[buffer] = None
        return buffer

    def discard(self, buffer: SendBuffer) -> None:
        """Forget a buffer that is empty."""
        self._buffers.pop(buffer, None)

    def make_room(self) -> None:
        """Cut the peers with most unsent bytes, homes last, until all unsent bytes are within their bound."""
        while self.capacity.unsent > UNSENT_BYTES:
            for buffer in self._buffers:
                buffer.look()
            if self.capacity.unsent > UNSENT_BYTES:
                largest = max(self._buffers, key=lambda each: (not each.peer.is_home, each.size))
                largest.peer.cut_slow()
                largest.close()


class SendBuffer:
    """Bytes that wait for one peer. What is sent is added up, and what the peer has taken is seen when it matters."""

    def __init__(self, all_buffers: SendBuffers, peer: SlowPeer) -> None:
        self.peer = peer
        self.size = 0
        self._all = all_buffers
        self._has_taken = False
        self._set(unsent(peer.transport, STALLED_BYTES))

    def takes(self, size: int, max_size: int) -> bool:
        """Add ``size`` bytes; returns whether no more than ``max_size`` wait now."""
        if self.size + size > max_size:
            self.look()
        self._set(self.size + size)
        self._all.make_room()
        return self.size <= max_size

    def is_beyond(self, max_size: int) -> bool:
        """Return whether more than ``max_size`` bytes wait; for a home, also whether too many wait for all peers."""
        if self.size > max_size:
            self.look()
        return self.size > max_size or (self.peer.is_home and self._all.is_crowded)

    def has_taken(self) -> bool:
        """Return whether the peer has taken anything since the last call."""
        self.look()
        has_taken, self._has_taken = self._has_taken, False
        return has_taken

    def look(self) -> None:
        """See what the peer has taken meanwhile."""
        waiting = unsent(self.peer.transport, self.size)
        self._has_taken = self._has_taken or waiting < self.size
        self._set(waiting)

    def close(self) -> None:
        """Nothing waits any more, or nobody to read it."""
        self._set(0)
        self._all.discard(self)

    def _set(self, size: int) -> None:
        self._all.capacity.unsent += size - self.size
        self.size = size
