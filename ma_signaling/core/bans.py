"""Bans that an operator sets while the server runs, for a time or for good; ``Access`` enforces them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ma_signaling.core.access import Access, parse_denied, parse_target
from ma_signaling.core.peer import Clock


class Bans:
    """Addresses, networks and Remote IDs, each with the time at which its ban ends."""

    def __init__(self, clock: Clock, access: Access) -> None:
        self._clock = clock
        self._access = access
        self._until: dict[str, float | None] = {}

    def __len__(self) -> int:
        return len(self._until)

    def __iter__(self) -> Iterator[tuple[str, float | None]]:
        """Yield each banned target with the seconds that are left; None: for good."""
        now = self._clock.seconds()
        for target, until in self._until.items():
            yield target, None if until is None else max(0.0, until - now)

    def add(self, target: str, seconds: float | None) -> str:
        """Ban an address, a network or a Remote ID, for ``seconds`` or for good (None); return its canonical form.

        Raises ``BadEntry`` for anything else. Open connections stay until ``Hub.enforce_access``.
        """
        name = parse_target(target)
        self._until[name] = None if seconds is None else self._clock.seconds() + seconds
        self._apply()
        return name

    def remove(self, target: str) -> str | None:
        """End a ban; return its canonical form, None if there was none. Raises ``BadEntry`` as ``add`` does."""
        name = parse_target(target)
        if name not in self._until:
            return None
        del self._until[name]
        self._apply()
        return name

    def restore(self, bans: Mapping[str, float | None]) -> None:
        """Add bans as ``__iter__`` yielded them. Raises ``BadEntry``, and adds none, if a target is invalid."""
        now = self._clock.seconds()
        until = {parse_target(target): None if left is None else now + left for target, left in bans.items()}
        self._until |= until
        self._apply()

    def prune(self) -> bool:
        """End the bans whose time is over; return whether there were any."""
        now = self._clock.seconds()
        over = [target for target, until in self._until.items() if until is not None and until <= now]
        for target in over:
            del self._until[target]
        if over:
            self._apply()
        return bool(over)

    def _apply(self) -> None:
        self._access.banned = parse_denied("\n".join(self._until))
