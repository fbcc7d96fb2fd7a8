"""Who held a Remote ID before: the rule that lets an owner come back to find a squatter, and win.

Kept as keyed hashes, since it is remembered for a day: neither Remote IDs nor addresses can be read from it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from secrets import token_bytes

import orjson

from ma_signaling.core.peer import ClientAddress

TENURE = 3600.0
"""Seconds of holding a Remote ID that make an address its senior."""

MEMORY = 24 * 3600.0
"""Seconds for which the senior is remembered after it last held the Remote ID for so long."""


class Seniority:
    """For each Remote ID, the address that last held it for an hour or more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._key = token_bytes(32)
        self._seniors: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def note(self, remote_id: str, owner: ClientAddress, held_since: float, now: float) -> bool:
        """Remember ``owner``, who holds ``remote_id`` until now, if it has held it long enough; returns whether."""
        if now - held_since < TENURE or owner.shared:
            return False
        self.learn(remote_id, owner.key, now)
        return True

    def learn(self, remote_id: str, key: str, now: float) -> None:
        """Remember the address ``key``, which is known to have held ``remote_id`` for long enough until now."""
        name = self._hash(remote_id)
        self._seniors[name] = (self._hash(key), now)
        self._seniors.move_to_end(name)
        while len(self._seniors) > self._most or now - next(iter(self._seniors.values()))[1] >= MEMORY:
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

    def snapshot(self, now: float, wall: float) -> bytes:
        """All that is remembered, as JSON; ``wall`` is the time by the calendar, for it may be restored much later."""
        seniors = [[name.hex(), owner.hex(), now - at] for name, (owner, at) in self._seniors.items()]
        return orjson.dumps({"version": 1, "saved_at": wall, "key": self._key.hex(), "seniors": seniors})

    def restore(self, data: bytes, now: float, wall: float) -> None:
        """Remember what ``snapshot`` returned. Raises ValueError for anything else, and changes nothing."""
        try:
            state = orjson.loads(data)
            if state["version"] != 1:
                raise ValueError(f"version {state['version']} is unknown")
            key = bytes.fromhex(state["key"])
            away = max(0.0, wall - state["saved_at"])
            seniors = [
                (bytes.fromhex(name), (bytes.fromhex(owner), now - age - away))
                for name, owner, age in state["seniors"]
            ]
            blake2b(key=key)
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"it holds something else ({problem!r})") from None
        self._key = key
        self._seniors = OrderedDict(seniors[-self._most :])

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode(), key=self._key, digest_size=16).digest()
