"""How many sockets this server may hold, of whatever kind, and whose give way first (docs/protocol.md, *Limits*).

While there is room, an address may have as many as it likes. Under pressure, when nine tenths of all places are taken,
the address with most makes way for one with fewer. Half of the last tenth is for homes that are expected back, and
shared in the same way. The rest is for sockets of trusted proxies that have not yet said whom they speak for, for
connections that are being closed, and for newcomers until somebody has made way for them.
"""

from __future__ import annotations

import resource
from typing import Protocol

from ma_signaling.config.declaration import CannotStart
from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Path, Place, Shares

RESERVE = 100
"""Descriptors that are kept for all else: listeners, logs, other nodes."""

MIN_DESCRIPTORS = 128
"""With fewer, hardly anybody could connect."""

UNLIMITED = 1 << 40
"""More sockets than any machine has."""

NEWCOMER: Path = ("nobody",)
"""Stands for an address that has no place."""


class Socket(Protocol):
    """Somebody's open socket."""

    def give_way(self) -> None:
        """Close, for somebody who has fewer; it must not raise."""


SocketPlace = Place[Socket]


class Capacity:
    """Counts open sockets, ``max_open`` at most, and shares them between addresses."""

    def __init__(self, max_open: int) -> None:
        self.open = 0
        """How many sockets are open, of whatever kind."""
        self.unsent = 0
        """Bytes that wait for slow peers."""
        self._shares: Shares[Socket] = Shares(0)
        self._reserve: Shares[Socket] = Shares(0)
        self.allow(max_open)

    def allow(self, max_open: int) -> None:
        """Let there be so many from now on; those that are open stay."""
        self._max_open = max_open
        self._shares.capacity = max_open - max_open // 10
        self._reserve.capacity = max(1, max_open // 20)

    @property
    def is_full(self) -> bool:
        """Whether a newcomer gets a place only if somebody gives way."""
        return self.open >= self._max_open or not self._shares.has_room()

    @property
    def has_place_for_newcomers(self) -> bool:
        """Whether an address that has no place would get one."""
        has_room = self._shares.has_room() or self._shares.giver_for(NEWCOMER) is not None
        return has_room and self.open < self._max_open

    @property
    def can_refuse_kindly(self) -> bool:
        """Whether a socket without a place may stay until it has its answer: some are kept free of them."""
        return self.open <= self._max_open - self._max_open // 20

    def of(self, key: str) -> int:
        """Return how many places the address ``key`` has."""
        return sum(shares.taken(*blocks_of(key)) for shares in (self._shares, self._reserve))

    def accept(self) -> bool:
        """Count a socket that was accepted; False: it is one too many, close it at once."""
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
        """Give ``socket`` a place for the address ``key``; None: it has its fair share or more, and others need theirs.

        ``is_returning``: it may be a home that is expected back, for which more places are kept.
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
        """Return whether a place must be found: for the first home that returns to an address."""
        return is_returning and not self._reserve.taken(blocks[0])

    def _shares_for(self, is_returning: bool) -> tuple[Shares[Socket], ...]:
        return (self._shares, self._reserve) if is_returning else (self._shares,)


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as it may allow itself. Raises ``CannotStart`` where these are too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < MIN_DESCRIPTORS:
        raise CannotStart(
            f"the limit of open files (ulimit -n) is {hard}, and {MIN_DESCRIPTORS} are the least"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_sockets(wanted: int) -> int:
    """Return how many sockets to hold: ``wanted``, or with 0 what the descriptor limit allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, soft - RESERVE)
    return min(wanted, possible) if wanted else possible
