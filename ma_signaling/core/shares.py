"""Fair shares of what is scarce, by address (docs/protocol.md, *Limits*).

One idea, max-min fairness: while there is room, a party may use what nobody else needs. When there is none, the party
that has most makes way for one that would still have less than it. A party is an address block; its *path* names the
blocks that it lies in, the widest first: ``("203.0.113.7",)``, or ``("2001:db8:1::/48", "2001:db8:1:2::/64")``. Shares
are divided between the widest blocks, then within each of them, so that one customer's whole block is no crowd.

This is for what can be taken back: connections, sessions, bytes that wait. ``shared_window`` counts what can't.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Path = tuple[Hashable, ...]

RANKS = 3
"""Places of rank 0 give way before those of rank 1, and so on."""

Item = TypeVar("Item")


class Place(Generic[Item]):
    """What one item takes of a ``Shares``; the places of a block and a rank are linked, by age."""

    __slots__ = ("_block", "item", "newer", "older", "rank", "size")

    def __init__(self, block: _Block[Item], item: Item, size: int, rank: int) -> None:
        self._block: _Block[Item] | None = block
        self.item = item
        self.size = size
        self.rank = rank
        self.older: Place[Item] | None = None
        self.newer: Place[Item] | None = None
        block.link(self)

    def resize(self, size: int) -> None:
        """Take ``size`` from now on."""
        if self._block is not None:
            self._block.grow(size - self.size)
            self.size = size

    def promote(self, rank: int) -> None:
        """Give way only after the places of a lower rank, and after older ones of this rank."""
        if self._block is not None:
            self._block.unlink(self)
            self.rank = rank
            self._block.link(self)

    def release(self) -> None:
        """Give the place up; a second call does nothing."""
        block, self._block = self._block, None
        if block is not None:
            block.unlink(self)
            block.grow(-self.size)
            # The item may refer to its place: without this, both would wait for the garbage collector.
            del self.item


class _Block(Generic[Item]):
    """What a block of addresses takes: in its own places, and in the blocks within it.

    There may be one for each idle home: what only wide blocks need, and only narrow ones, is made when it is needed.
    """

    __slots__ = ("_key", "_parent", "blocks", "newest", "queued", "size", "sorted")

    def __init__(self, parent: _Block[Item] | None, key: Hashable) -> None:
        self._parent = parent
        self._key = key
        self.size = 0
        self.newest: list[Place[Item] | None] | None = None
        self.blocks: dict[Hashable, _Block[Item]] | None = None
        self.sorted: _Sorted[Item] | None = None
        """The blocks within it by size; None while nobody has had to make way for long."""
        self.queued = 0
        """For ``_Sorted`` only."""

    def find(self, key: Hashable) -> _Block[Item] | None:
        """Return the block ``key`` within this one, None where it takes nothing."""
        return None if self.blocks is None else self.blocks.get(key)

    def within(self, key: Hashable) -> _Block[Item]:
        """Return the block ``key`` within this one, a new one if it takes nothing yet."""
        if self.blocks is None:
            self.blocks = {}
        block = self.blocks.get(key)
        if block is None:
            block = self.blocks[key] = _Block(self, key)
        return block

    def link(self, place: Place[Item]) -> None:
        """Make a place the newest of its rank."""
        if self.newest is None:
            self.newest = [None] * RANKS
        place.older, place.newer = self.newest[place.rank], None
        if place.older is not None:
            place.older.newer = place
        self.newest[place.rank] = place

    def unlink(self, place: Place[Item]) -> None:
        """Take a place out."""
        assert self.newest is not None
        if place.newer is None:
            self.newest[place.rank] = place.older
        else:
            place.newer.older = place.older
        if place.older is not None:
            place.older.newer = place.newer
        place.older = place.newer = None

    def grow(self, size: int) -> None:
        """Take ``size`` more, or less where it is negative; a block that takes nothing is forgotten."""
        block = self
        while True:
            block.size += size
            parent = block._parent
            if parent is None:
                return
            if block.size == 0 and not block.blocks and not any(block.newest or ()):
                parent.forget(block._key)
                # What sorts the parent's blocks may refer to it still: each would keep the other in memory.
                block._parent = None
            elif parent.sorted is not None and not parent.sorted.has_grown(block):
                parent.sorted = None
            block = parent

    def forget(self, key: Hashable) -> None:
        """Know the block ``key`` no longer."""
        assert self.blocks is not None
        block = self.blocks.pop(key)
        if self.sorted is not None:
            self.sorted.forget(block)

    def largest(self) -> _Block[Item] | None:
        """Return the block within this one that takes most, None where there is none."""
        if not self.blocks:
            return None
        if self.sorted is None:
            self.sorted = _Sorted(self.blocks)
        return self.sorted.largest()

    def giver(self) -> Place[Item]:
        """Return the place that gives way first: of the lowest rank, the newest that takes anything."""
        block = self
        while (largest := block.largest()) is not None:
            block = largest
        return next(place for place in block.places() if place.size)

    def places(self) -> Iterator[Place[Item]]:
        """Yield its own places, in the order in which they give way."""
        for place in self.newest or ():
            while place is not None:
                yield place
                place = place.older  # noqa: PLW2901


class _Sorted(Generic[Item]):
    """Blocks by size, sorted when the largest is asked for: that is far more seldom than blocks grow."""

    __slots__ = ("_blocks", "_grown", "_heap", "_order")

    def __init__(self, blocks: dict[Hashable, _Block[Item]]) -> None:
        """``blocks`` are those there are, now and later."""
        self._blocks = blocks
        self._heap: list[tuple[int, int, _Block[Item]]] = []
        """The largest first; ``queued`` is the size of a block in here. An entry of any other size is out of date."""
        self._grown: dict[_Block[Item], None] = {}
        """Those to be queued anew; their ``queued`` is -1."""
        self._order = count()
        for block in blocks.values():
            block.queued = block.size
        self._queue_all()

    def has_grown(self, block: _Block[Item]) -> bool:
        """Note a new size, unless it is less: one that has shrunk is looked at when its turn comes.

        False: most have grown since the largest was asked for, and to sort all of them is as cheap.
        """
        if block.size > block.queued >= 0:
            block.queued = -1
            self._grown[block] = None
        return len(self._grown) <= len(self._blocks) // 2

    def forget(self, block: _Block[Item]) -> None:
        """Know a block no longer."""
        self._grown.pop(block, None)
        block.queued = 0

    def largest(self) -> _Block[Item] | None:
        """Return the one that takes most, None where none takes anything."""
        grown, self._grown = self._grown, {}
        for block in grown:
            self._queue(block)
        while self._heap:
            queued, _, block = self._heap[0]
            if -queued == block.queued == block.size:
                return block
            heappop(self._heap)
            if -queued == block.queued:
                self._queue(block)
        return None

    def _queue(self, block: _Block[Item]) -> None:
        block.queued = block.size
        if block.size:
            heappush(self._heap, (-block.size, next(self._order), block))
            if len(self._heap) > 2 * len(self._blocks) + 8:
                self._queue_all()

    def _queue_all(self) -> None:
        self._heap = [
            (-block.queued, next(self._order), block) for block in self._blocks.values() if block.queued > 0
        ]
        heapify(self._heap)


class Shares(Generic[Item]):
    """Places for items, ``capacity`` in all, shared fairly between those who want them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._root: _Block[Item] = _Block(None, None)

    @property
    def used(self) -> int:
        """How much is taken in all."""
        return self._root.size

    def has_room(self, size: int = 1) -> bool:
        """Return whether ``size`` more fit without anybody making way."""
        return self._root.size + size <= self.capacity

    def taken(self, *path: Hashable) -> int:
        """Return how much a block takes, given the blocks that it lies in."""
        block: _Block[Item] | None = self._root
        for key in path:
            block = None if block is None else block.find(key)
        return 0 if block is None else block.size

    def take(self, path: Path, item: Item, size: int = 1, rank: int = 0) -> Place[Item]:
        """Give ``item`` a place, whether there is room or not; the lowest ``rank`` gives way first."""
        block = self._root
        for key in path:
            block = block.within(key)
        place = Place(block, item, size, rank)
        block.grow(size)
        return place

    def giver_for(self, path: Path, size: int = 1) -> Place[Item] | None:
        """Return the place that must be released for one who wants ``size`` more, None where nobody must make way.

        The one who makes way has more than the other one would have, so nobody loses what is within a fair share: the
        capacity divided by those who share it.
        """
        block = self._root
        for key in path:
            own = block.find(key)
            largest = block.largest()
            if largest is not None and largest.size > (0 if own is None else own.size) + size:
                return largest.giver()
            if own is None:
                return None
            block = own
        return None

    def all_givers_for(self, path: Path, size: int) -> list[Item] | None:
        """Return what must be released, one after the other, before ``size`` more fit; None: that is never so.

        Nothing is released yet: nobody makes way for one who is then refused.
        """
        givers: list[tuple[Place[Item], int]] = []
        while not self.has_room(size) and (giver := self.giver_for(path, size)) is not None:
            givers.append((giver, giver.size))
            giver.resize(0)
        is_enough = self.has_room(size)
        for giver, before in givers:
            giver.resize(before)
        return [giver.item for giver, _ in givers] if is_enough else None

    def make_way(self, path: Path, size: int = 1) -> Item | None:
        """Release the place of ``giver_for``; returns what had it."""
        giver = self.giver_for(path, size)
        if giver is None:
            return None
        item = giver.item
        giver.release()
        return item
