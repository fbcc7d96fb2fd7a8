"""How many sockets of any kind this server holds, and whose are closed first (docs/protocol.md, *Limits*).

While there is room, an address may have any number. Under pressure, when nine tenths of all places are taken, the
address with most gives way to one with fewer. Half of the last tenth is for homes that are expected back, and is shared
in the same way. The rest is for sockets of trusted proxies that have not yet reported a client's address, for
connections that are being closed, and for newcomers until another socket has given way to them.
"""

from __future__ import annotations

import resource
from typing import Protocol

from ma_signaling.config.declaration import CannotStart
from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Path, Place, Shares

RESERVE = 100
"""Descriptors kept for everything else: listeners, logs, other nodes."""

MIN_DESCRIPTORS = 128
"""The lowest descriptor limit to start with; with fewer, hardly anybody could connect."""

UNLIMITED = 1 << 40
"""More sockets than any machine has."""

NEWCOMER: Path = ("nobody",)
"""The path of an address that has no place."""


class Socket(Protocol):
    """An open socket."""

    def give_way(self) -> None:
        """Close, to make room for an address with fewer sockets; must not raise."""


SocketPlace = Place[Socket]


class Capacity:
    """Counts open sockets, ``max_open`` at most, and shares them between addresses."""

    def __init__(self, max_open: int) -> None:
        self.open = 0
        """How many sockets of any kind are open."""
        self.unsent = 0
        """Bytes that wait for slow peers."""
        self._shares: Shares[Socket] = Shares(0)
        self._reserve: Shares[Socket] = Shares(0)
        self.allow(max_open)

    def allow(self, max_open: int) -> None:
        """Set the maximum of open sockets; those that are open stay."""
        self._max_open = max_open
        self._shares.capacity = max_open - max_open // 10
        self._reserve.capacity = max(1, max_open // 20)

    @property
    def is_full(self) -> bool:
        """Whether a newcomer gets a place only if another socket gives way."""
        return self.open >= self._max_open or not self._shares.has_room()

    @property
    def has_place_for_newcomers(self) -> bool:
        """Whether an address that has no place would get one."""
        has_room = self._shares.has_room() or self._shares.giver_for(NEWCOMER) is not None
        return has_room and self.open < self._max_open

    @property
    def can_refuse_kindly(self) -> bool:
        """Whether a socket without a place may stay open until it has been sent a refusal."""
        return self.open <= self._max_open - self._max_open // 20

    def of(self, key: str) -> int:
        """Return how many places the address ``key`` has."""
        return sum(shares.taken(*blocks_of(key)) for shares in (self._shares, self._reserve))

    def accept(self) -> bool:
        """Count an accepted socket; return False if there are too many, and it must be closed immediately."""
        self.open += 1
        return self.open <= self._max_open

    def closed(self, place: SocketPlace | None) -> None:
        """Stop counting a socket that is gone, and release its place."""
        self.open -= 1
        if place is not None:
            place.release()

    def has_place(self, key: str, *, is_returning: bool = False) -> bool:
        """Return whether ``take`` would give the address ``key`` a place."""
        if self._shares.has_room():
            return True
        blocks = blocks_of(key)
        return self._is_owed(blocks, is_returning) or any(
            shares.has_room() or shares.giver_for(blocks) is not None
            for shares in self._shares_for(is_returning)
        )

    def take(self, key: str, socket: Socket, *, is_returning: bool = False) -> SocketPlace | None:
        """Give ``socket`` a place of the address ``key``, maybe by eviction; return None if its share is used up.

        ``is_returning``: it may be a home that is expected back, for which a reserve of places is kept.
        """
        blocks = blocks_of(key)
        for shares in self._shares_for(is_returning):
            if not shares.has_room():
                loser = shares.make_way(blocks)
                if loser is None:
                    continue
                loser.give_way()
            return shares.take(blocks, socket)
        return self._reserve.take(blocks, socket) if self._is_owed(blocks, is_returning) else None

    def _is_owed(self, blocks: Path, is_returning: bool) -> bool:
        """Return whether it gets a place in any case: as the first home that returns to its address block."""
        return is_returning and not self._reserve.taken(blocks[0])

    def _shares_for(self, is_returning: bool) -> tuple[Shares[Socket], ...]:
        return (self._shares, self._reserve) if is_returning else (self._shares,)


def raise_descriptor_limit() -> None:
    """Raise this process's descriptor limit to the hard limit. Raises ``CannotStart`` if that is too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < MIN_DESCRIPTORS:
        raise CannotStart(
            f"the limit of open files (ulimit -n) is {hard}; at least {MIN_DESCRIPTORS} are needed"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_sockets(wanted: int) -> int:
    """Return how many sockets to hold: ``wanted`` (0: any number), but no more than the descriptor limit allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, soft - RESERVE)
    return min(wanted, possible) if wanted else possible
