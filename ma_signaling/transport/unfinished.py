"""What has come of messages that aren't whole yet: bounded for all connections together, and shared by address.

Nobody is made to finish a message: the pings between its fragments are answered. So one address with thousands of
connections could have this server keep most of a message for each of them, for as long as it likes.
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
"""What is kept of the unfinished messages of all connections together."""

FREE_BYTES = 4 * 1024
"""What is kept of each without being counted: a connection takes about as much by itself."""

PIECE_BYTES = 64
"""What each piece takes besides, however short it is."""

Cut = Callable[[], None]
"""Cut a connection; it must not raise."""


class UnfinishedMessages:
    """The unfinished messages of all connections, as far as they are counted."""

    def __init__(self) -> None:
        self._shares: Shares[Cut] = Shares(UNFINISHED_BYTES)

    @property
    def size(self) -> int:
        """How many bytes are counted."""
        return self._shares.used

    def grow(
        self, place: Place[Cut] | None, size: int, key: str, connection: str, cut: Cut
    ) -> Place[Cut] | None:
        """Give the message of a connection of the address ``key`` a place of ``size`` bytes, or let its ``place`` grow.

        Those who have most are cut for it. None: it would be more than its own share.
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
    """Counts what is kept of a message that doesn't come whole, and cuts a connection for whose there is no room."""

    address: ClientAddress
    _kept_bytes = 0
    _kept: Place[Cut] | None = None
    """Its share of what is kept of all; None while it keeps little."""

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
            # One that was cut for it has taken it along.
            self._keep_nothing()

    def onMessageEnd(self) -> None:
        self._keep_nothing()
        super().onMessageEnd()

    def _keep_nothing(self) -> None:
        """Stop counting: the message is whole, or nobody will see its end."""
        self._kept_bytes = 0
        if self._kept is not None:
            self._kept.release()
            self._kept = None

    @guarded
    def _cut_unfinished(self) -> None:
        self._keep_nothing()
        self.cut("its message does not come to an end")
