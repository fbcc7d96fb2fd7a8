"""Fair shares of a scarce resource, by address (docs/protocol.md, *Limits*).

The rule is max-min fairness: while there is room, a party may use what nobody else needs. When there is none, the party
that has most gives way to one that would still have less. A party is an address block; its *path* names the blocks that
contain it, the widest first, and itself: ``("203.0.113.7",)``, or ``("2001:db8:1::/48", "2001:db8:1:2::/64")``. Shares
are divided between the widest blocks, then within each of them, so that one customer's block counts as one party.

This is for what can be taken back: connections, sessions, held bytes. ``shared_window`` is for what can't.
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
    """One item's part of a ``Shares``. The places of a block and a rank are linked by age."""

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
        """Change the size."""
        if self._block is not None:
            self._block.grow(size - self.size)
            self.size = size

    def promote(self, rank: int) -> None:
        """Move to ``rank``, as its newest place: it gives way after lower ranks, and before older places of its own."""
        if self._block is not None:
            self._block.unlink(self)
            self.rank = rank
            self._block.link(self)

    def release(self) -> None:
        """Release the place; a second call does nothing."""
        block, self._block = self._block, None
        if block is not None:
            block.unlink(self)
            block.grow(-self.size)
            # The item may refer to its place: don't leave the cycle to the garbage collector.
            del self.item


class _Block(Generic[Item]):
    """What an address block takes, in its own places and in the blocks within it.

    There may be one for each idle home: to save memory, attributes are set only when they are needed.
    """

    __slots__ = ("_key", "_parent", "blocks", "newest", "queued", "size", "sorted")

    def __init__(self, parent: _Block[Item] | None, key: Hashable) -> None:
        self._parent = parent
        self._key = key
        self.size = 0
        self.newest: list[Place[Item] | None] | None = None
        self.blocks: dict[Hashable, _Block[Item]] | None = None
        self.sorted: _Sorted[Item] | None = None
        """``blocks`` by size; None until the largest is asked for, and again once most of them have grown."""
        self.queued = 0
        """For ``_Sorted`` only."""

    def find(self, key: Hashable) -> _Block[Item] | None:
        """Return the block ``key`` within this one, None if it takes nothing."""
        return None if self.blocks is None else self.blocks.get(key)

    def within(self, key: Hashable) -> _Block[Item]:
        """Return the block ``key`` within this one; it is made if necessary."""
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
        """Take ``size`` more, or less if it is negative; a block that takes nothing is forgotten."""
        block = self
        while True:
            block.size += size
            parent = block._parent
            if parent is None:
                return
            if block.size == 0 and not block.blocks and not any(block.newest or ()):
                parent.forget(block._key)
                # ``parent.sorted`` may still refer to the block: don't leave a cycle.
                block._parent = None
            elif parent.sorted is not None and not parent.sorted.has_grown(block):
                parent.sorted = None
            block = parent

    def forget(self, key: Hashable) -> None:
        """Forget the block ``key`` within this one."""
        assert self.blocks is not None
        block = self.blocks.pop(key)
        if self.sorted is not None:
            self.sorted.forget(block)

    def largest(self) -> _Block[Item] | None:
        """Return the largest block within this one, None if there is none."""
        if not self.blocks:
            return None
        if self.sorted is None:
            self.sorted = _Sorted(self.blocks)
        return self.sorted.largest()

    def giver(self) -> Place[Item]:
        """Return the place that gives way first: in the largest block, of the lowest rank, the newest with a size."""
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
    """Blocks by size. They are sorted when the largest is asked for, which is far rarer than growth."""

    __slots__ = ("_blocks", "_grown", "_heap", "_order")

    def __init__(self, blocks: dict[Hashable, _Block[Item]]) -> None:
        """``blocks`` is the parent's dict, which goes on changing."""
        self._blocks = blocks
        self._heap: list[tuple[int, int, _Block[Item]]] = []
        """The largest first. ``_Block.queued`` is a block's size in here; an entry with another size is out of date."""
        self._grown: dict[_Block[Item], None] = {}
        """Blocks to be queued again; their ``queued`` is -1."""
        self._order = count()
        for block in blocks.values():
            block.queued = block.size
        self._queue_all()

    def has_grown(self, block: _Block[Item]) -> bool:
        """Note that a block may have grown; one that has shrunk is noticed when it comes to the top.

        Returns False if most have grown since the largest was asked for: then it is as cheap to sort all again.
        """
        if block.size > block.queued >= 0:
            block.queued = -1
            self._grown[block] = None
        return len(self._grown) <= len(self._blocks) // 2

    def forget(self, block: _Block[Item]) -> None:
        """Forget a block."""
        self._grown.pop(block, None)
        block.queued = 0

    def largest(self) -> _Block[Item] | None:
        """Return the largest block, None if none takes anything."""
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
    """Places for items, of ``capacity`` in all, shared fairly between parties."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._root: _Block[Item] = _Block(None, None)

    @property
    def used(self) -> int:
        """How much is taken in all."""
        return self._root.size

    def has_room(self, size: int = 1) -> bool:
        """Return whether ``size`` more fit without any place giving way."""
        return self._root.size + size <= self.capacity

    def taken(self, *path: Hashable) -> int:
        """Return how much the block with this path takes."""
        block: _Block[Item] | None = self._root
        for key in path:
            block = None if block is None else block.find(key)
        return 0 if block is None else block.size

    def take(self, path: Path, item: Item, size: int = 1, rank: int = 0) -> Place[Item]:
        """Give ``item`` a place, even if there is no room; the lowest ``rank`` gives way first."""
        block = self._root
        for key in path:
            block = block.within(key)
        place = Place(block, item, size, rank)
        block.grow(size)
        return place

    def giver_for(self, path: Path, size: int = 1) -> Place[Item] | None:
        """Return the place that gives way to a party that wants ``size`` more, None if no party has more than it would.

        So nobody loses what is within a fair share: the capacity divided by the number of parties.
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
        """Return the items whose places must be released, in order, before ``size`` more fit; None if they never do.

        Nothing is released yet, so that nothing is lost to a party that is then refused.
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
        """Release the place that ``giver_for`` returns; return its item, or None."""
        giver = self.giver_for(path, size)
        if giver is None:
            return None
        item = giver.item
        giver.release()
        return item
