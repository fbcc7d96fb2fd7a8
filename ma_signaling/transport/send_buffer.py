"""Send buffers of peers that read too slowly: from when Twisted reports one until nothing waits for it any more."""

from __future__ import annotations

from typing import Protocol

from ma_signaling.core.capacity import Capacity
from ma_signaling.transport.sockets import unsent

STALLED_BYTES = 64 * 1024
"""How many bytes wait when Twisted reports that a peer is slow (FileDescriptor.bufferSize)."""

STALL_SECONDS = 10.0
"""How long a client may read none of them."""

UNSENT_BYTES = 64 * 1024 * 1024
"""How many bytes may wait for all peers together."""


class SlowPeer(Protocol):
    """A connection with a send buffer."""

    transport: object

    @property
    def is_home(self) -> bool:
        """Whether it is a home, which is cut only for unanswered pings, not for slow reading."""

    def cut_slow(self) -> None:
        """Cut it, because it reads too slowly."""


class SendBuffers:
    """The send buffers of all slow peers; their sum is ``Capacity.unsent``."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._buffers: dict[SendBuffer, None] = {}

    @property
    def is_crowded(self) -> bool:
        """Whether more than half of ``UNSENT_BYTES`` wait: from then on, slow homes get nothing from clients."""
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
        """Cut the peers with most unsent bytes, homes last, until no more than ``UNSENT_BYTES`` wait."""
        while self.capacity.unsent > UNSENT_BYTES:
            for buffer in self._buffers:
                buffer.look()
            if self.capacity.unsent > UNSENT_BYTES:
                largest = max(self._buffers, key=lambda each: (not each.peer.is_home, each.size))
                largest.peer.cut_slow()
                largest.close()


class SendBuffer:
    """The bytes that wait for one peer. Output is added up; what the peer has taken is looked up when it matters."""

    def __init__(self, all_buffers: SendBuffers, peer: SlowPeer) -> None:
        self.peer = peer
        self.size = 0
        self._all = all_buffers
        self._has_taken = False
        self._set(unsent(peer.transport, STALLED_BYTES))

    def takes(self, size: int, max_size: int) -> bool:
        """Add ``size`` bytes; return whether no more than ``max_size`` wait now."""
        if self.size + size > max_size:
            self.look()
        self._set(self.size + size)
        self._all.make_room()
        return self.size <= max_size

    def is_beyond(self, max_size: int) -> bool:
        """Return whether more than ``max_size`` bytes wait; for a home, also if ``SendBuffers.is_crowded``."""
        if self.size > max_size:
            self.look()
        return self.size > max_size or (self.peer.is_home and self._all.is_crowded)

    def has_taken(self) -> bool:
        """Return whether the peer has taken anything since the last call."""
        self.look()
        has_taken, self._has_taken = self._has_taken, False
        return has_taken

    def look(self) -> None:
        """Look up what the peer has taken meanwhile."""
        waiting = unsent(self.peer.transport, self.size)
        self._has_taken = self._has_taken or waiting < self.size
        self._set(waiting)

    def close(self) -> None:
        """Stop counting: nothing waits any more, or the connection has ended."""
        self._set(0)
        self._all.discard(self)

    def _set(self, size: int) -> None:
        self._all.capacity.unsent += size - self.size
        self.size = size
