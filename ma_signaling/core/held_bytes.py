"""Bounds on the messages of clients that are held for homes, shared between clients' addresses.

They are held because a home is away, or may lose its connection before it has answered (``outbox``, ``kept_messages``).
Each home has a bound, and all homes together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Place, Shares

MAX_BYTES_OF_HOME = 256 * 1024
"""The most for one home: all of it is sent when the home comes back, and must fit into its send buffer."""

MAX_BYTES_IN_ALL = 32 * 1024 * 1024
"""The most for all homes."""

STEP = 4096
"""How much a session takes of both bounds at a time: some sixteen candidates, or an offer."""

Forget = Callable[[], None]
"""Called when a session is evicted, because one that holds less needs the room: drop all that is held."""


class Evicted(Protocol):
    """Called after a session was evicted."""

    def __call__(self, session_id: str, /, *, was_waiting: bool) -> None:
        """``was_waiting``: what it held was not delivered yet; otherwise it was kept in case of another delivery."""


def _unheard(session_id: str, /, *, was_waiting: bool) -> None: ...


class HomeBytes:
    """The bytes that are held for one home."""

    __slots__ = ("_all", "_own", "evicted")

    def __init__(self, all_held: Shares[Forget], evicted: Evicted = _unheard) -> None:
        self._all = all_held
        self.evicted = evicted
        self._own: Shares[Forget] | None = None
        """None while nothing is held, to save memory: most homes are idle most of the time."""

    def rooms(self) -> tuple[Shares[Forget], Shares[Forget]]:
        """Return the shares that bound another byte: the home's own, then those of all homes."""
        if self._own is None:
            self._own = Shares(MAX_BYTES_OF_HOME)
        return self._own, self._all

    def tidy(self) -> None:
        """Free memory if nothing is held."""
        if self._own is not None and not self._own.used:
            self._own = None


class SessionBytes:
    """The bytes that are held of one session. Its share grows by ``STEP`` bytes at a time, not with every candidate."""

    __slots__ = ("_forget", "_home", "_path", "_places", "_taken", "size")

    def __init__(self, home: HomeBytes, session_id: str, key: str, forget: Forget) -> None:
        """``key`` is the client's address key; ``forget`` is called if the session is evicted."""
        self._home = home
        self._path = (*blocks_of(key), session_id)
        self._forget = forget
        self._places: tuple[Place[Forget], ...] = ()
        self._taken = 0
        self.size = 0
        """How many bytes are held."""

    def add(self, size: int) -> bool:
        """Hold ``size`` more bytes; return False if that is beyond the session's share."""
        held = self.size + size
        if held > self._taken and not self._take(held - self._taken):
            return False
        self.size = held
        return True

    def release(self) -> None:
        """Hold nothing from now on."""
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
        # Asked for again: if the last session that held something was evicted, the home's shares are new ones.
        rooms = self._home.rooms()
        if self._places:
            for place in self._places:
                place.resize(place.size + size)
        else:
            self._places = tuple(shares.take(self._path, self._forget, size) for shares in rooms)
        self._taken += size
        return True
