"""Who held a Remote ID before: the rule that lets an owner come back to find a squatter, and win.

Kept as keyed hashes, since it is remembered for a day: neither Remote IDs nor addresses can be read from it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from secrets import token_bytes

from ma_signaling.peer import ClientAddress

TENURE = 3600.0
"""Seconds of holding a Remote ID that make an address its senior."""

MEMORY = 24 * 3600.0
"""Seconds for which the senior is remembered after it was last seen."""

REMEMBERED = 100_000


class Seniority:
    """For each Remote ID, the address that last held it for an hour or more."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._seniors: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def note(self, remote_id: str, owner: ClientAddress, held_since: float, now: float) -> None:
        """Remember ``owner``, who ceases to hold ``remote_id`` now, if it held it long enough."""
        if now - held_since < TENURE or owner.shared:
            return
        name = self._hash(remote_id)
        self._seniors[name] = (self._hash(owner.key), now)
        self._seniors.move_to_end(name)
        while len(self._seniors) > REMEMBERED or (now - next(iter(self._seniors.values()))[1] >= MEMORY):
            self._seniors.popitem(last=False)

    def is_senior(self, remote_id: str, address: ClientAddress, now: float) -> bool:
        """Whether ``address`` is the one remembered for ``remote_id``."""
        senior = self._seniors.get(self._hash(remote_id))
        return (
            senior is not None
            and not address.shared
            and now - senior[1] < MEMORY
            and senior[0] == self._hash(address.key)
        )

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode(), key=self._key, digest_size=16).digest()
