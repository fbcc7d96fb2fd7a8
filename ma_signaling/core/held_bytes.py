"""How much is held of what clients have sent to homes: shares of each home's room, and of all, by clients' addresses.

It is held because a home is away, or may lose its connection before it has answered (``outbox``, ``kept_messages``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Place, Shares

MAX_BYTES_OF_HOME = 256 * 1024
"""What is held for one home: as it is sent at once when the home comes back, it must fit into its send buffer."""

MAX_BYTES_IN_ALL = 32 * 1024 * 1024
"""What is held for all homes."""

STEP = 4096
"""What a session takes of both at a time: some sixteen candidates, or an offer."""

Forget = Callable[[], None]
"""Hold nothing any more, for somebody who holds less needs the room."""


class Evicted(Protocol):
    """Hears of a session that holds nothing any more, for somebody who holds less needed the room."""

    def __call__(self, session_id: str, /, *, was_waiting: bool) -> None:
        """``was_waiting``: what it held was to be delivered; otherwise it may have been, and was kept."""


def _unheard(session_id: str, /, *, was_waiting: bool) -> None: ...


class HomeBytes:
    """The room of one home, which is a part of all."""

    __slots__ = ("_all", "_own", "evicted")

    def __init__(self, all_held: Shares[Forget], evicted: Evicted = _unheard) -> None:
        self._all = all_held
        self.evicted = evicted
        self._own: Shares[Forget] | None = None
        """None while nothing is held: most homes are idle most of the time."""

    def rooms(self) -> tuple[Shares[Forget], Shares[Forget]]:
        """Return what bounds another byte: the home's own room, then that of all."""
        if self._own is None:
            self._own = Shares(MAX_BYTES_OF_HOME)
        return self._own, self._all

    def tidy(self) -> None:
        """Be small again where nothing is held."""
        if self._own is not None and not self._own.used:
            self._own = None


class SessionBytes:
    """What is held of one session: its share grows by ``STEP`` bytes at a time, not with every candidate."""

    __slots__ = ("_forget", "_home", "_path", "_places", "_taken", "size")

    def __init__(self, home: HomeBytes, session_id: str, key: str, forget: Forget) -> None:
        """``key`` is what the client's address is counted by."""
        self._home = home
        self._path = (*blocks_of(key), session_id)
        self._forget = forget
        self._places: tuple[Place[Forget], ...] = ()
        self._taken = 0
        self.size = 0
        """How many bytes are held."""

    def add(self, size: int) -> bool:
        """Hold ``size`` more bytes; False: it would be more than this session's share."""
        held = self.size + size
        if held > self._taken and not self._take(held - self._taken):
            return False
        self.size = held
        return True

    def release(self) -> None:
        """Hold nothing any more."""
        for place in self._places:
            place.release()
        self._places = ()
        self._taken = self.size = 0

    def _take(self, least: int) -> bool:
        size = -(-least // STEP) * STEP
        losers: dict[Forget, None] = {}
        for shares in self._home.rooms():
            found = shares.all_givers_for(self._path, size)
            if found is None:
                return False
            losers |= dict.fromkeys(found)
        for forget in losers:
            forget()
        # Not those of before: when the last that held something has gone, the home is small again.
        rooms = self._home.rooms()
        if self._places:
            for place in self._places:
                place.resize(place.size + size)
        else:
            self._places = tuple(shares.take(self._path, self._forget, size) for shares in rooms)
        self._taken += size
        return True
