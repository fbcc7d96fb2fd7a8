"""A bound on the incomplete messages of all connections together, shared between addresses.

Nothing forces a peer to finish a message: it answers the pings between its fragments. Without the bound, one address
with thousands of connections could have this server keep most of a message for each, as long as it likes.
"""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.shares import Place, Shares
from ma_signaling.transport.fast_path import OPEN
from ma_signaling.transport.guarded import guarded
from ma_signaling.transport.liveness import Liveness

UNFINISHED_BYTES = 32 * 1024 * 1024
"""The most that is kept of the incomplete messages of all connections together."""

FREE_BYTES = 4 * 1024
"""How much of each message isn't counted: a connection takes about as much anyway."""

PIECE_BYTES = 64
"""The overhead of each piece, however short it is."""

Cut = Callable[[], None]
"""Cuts a connection; must not raise."""


class UnfinishedMessages:
    """The counted bytes of the incomplete messages of all connections."""

    def __init__(self) -> None:
        self._shares: Shares[Cut] = Shares(UNFINISHED_BYTES)

    @property
    def size(self) -> int:
        """How many bytes are counted."""
        return self._shares.used

    def grow(
        self, place: Place[Cut] | None, size: int, key: str, connection: str, cut: Cut
    ) -> Place[Cut] | None:
        """Let the message of a connection at the address ``key`` take ``size`` bytes in all; ``place`` is what it had.

        Connections of parties that have most are cut for it. Returns its place, None if that exceeds its share.
        """
        path = (*blocks_of(key), connection)
        losers = self._shares.all_givers_for(path, size - (0 if place is None else place.size))
        if losers is None:
            return None
        for cut_loser in losers:
            cut_loser()
        if place is None:
            return self._shares.take(path, cut, size)
        place.resize(size)
        return place


class CountedMessages(Liveness):
    """Counts the bytes of an incomplete message, and cuts the connection if there is no room for them."""

    address: ClientAddress
    _kept_bytes = 0
    _kept: Place[Cut] | None = None
    """Its place in ``UnfinishedMessages``; None up to ``FREE_BYTES``."""

    def onMessageFrameData(self, payload: bytes) -> None:
        super().onMessageFrameData(payload)
        self._kept_bytes += len(payload) + PIECE_BYTES
        if self._kept_bytes <= FREE_BYTES or self.state != OPEN or self.connection is None:
            return
        key, name = self.address.key, self.connection.id
        place = self.factory.unfinished.grow(self._kept, self._kept_bytes, key, name, self._cut_unfinished)
        if place is None:
            self._cut_unfinished()
            return
        self._kept = place
        if self.state != OPEN:
            # Cutting another connection has ended this one as well.
            self._keep_nothing()

    def onMessageEnd(self) -> None:
        self._keep_nothing()
        super().onMessageEnd()

    def _keep_nothing(self) -> None:
        """Stop counting: the message is complete, or never will be."""
        self._kept_bytes = 0
        if self._kept is not None:
            self._kept.release()
            self._kept = None

    @guarded
    def _cut_unfinished(self) -> None:
        self._keep_nothing()
        self.cut("its message does not come to an end")
