"""Budgets and guards. Pure, lazy, keyed; the time is passed in as ``now``, in seconds.

The rules are those of *Limits* in docs/protocol.md: what is scarce is counted per address, what is forwarded is charged
to its session, and no guest's traffic can block a home.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

from ma_signaling.config.settings import Settings
from ma_signaling.core.address_blocks import fine_blocks_of
from ma_signaling.core.shares import SharedWindow

MINUTE = 60.0
HOUR = 3600.0

FIRST_BLOCK = 60.0
LONGEST_BLOCK = 3600.0
FORGIVENESS = 600.0
"""Each of these many seconds without a block forgives one of the blocks before."""

MOST_STRIKES = 7
"""More of them would make no block longer, only the forgiving."""


class Allowance:
    """How much may come: ``burst`` messages at once and ``rate`` a second after, and the same in bytes. 0: no limit."""

    __slots__ = ("burst", "byte_burst", "byte_rate", "rate")

    def __init__(self, rate: float, burst: int, byte_rate: float = 0.0, byte_burst: int = 0) -> None:
        self.rate = rate
        self.burst = burst if rate and burst else inf
        self.byte_rate = byte_rate
        self.byte_burst = byte_burst if byte_rate and byte_burst else inf


class Budget:
    """What is left of an allowance: a token bucket of messages and one of bytes, and how often it was overdrawn."""

    __slots__ = ("_allowance", "_at", "_bytes", "_messages", "_told_at", "drops")

    def __init__(self, allowance: Allowance, now: float) -> None:
        self._allowance = allowance
        self._messages = allowance.burst
        self._bytes = allowance.byte_burst
        self._at = now
        self._told_at = -inf
        self.drops = 0
        """Messages dropped since the budget was last full."""

    def spend(self, now: float, size: int) -> bool:
        """Charge one message of ``size`` bytes; False: it is over budget, nothing was charged, drop it."""
        allowance, messages, octets = self._allowance, self._messages, self._bytes
        elapsed = now - self._at
        if elapsed:
            self._at = now
            if elapsed > 0:
                messages += elapsed * allowance.rate
                octets += elapsed * allowance.byte_rate
                # Every message comes through here, and min() takes three times as long.
                messages = allowance.burst if messages > allowance.burst else messages  # noqa: FURB136
                octets = allowance.byte_burst if octets > allowance.byte_burst else octets  # noqa: FURB136
                if messages == allowance.burst and octets == allowance.byte_burst:
                    self.drops = 0
        is_enough = messages >= 1 and octets >= size
        if is_enough:
            messages, octets = messages - 1, octets - size
        else:
            self.drops += 1
        self._messages, self._bytes = messages, octets
        return is_enough

    def wait(self) -> float:
        """Seconds until another message may come, counted from the last ``spend``."""
        return (1 - self._messages) / self._allowance.rate if self._messages < 1 else 1.0

    def may_tell(self, now: float) -> bool:
        """Whether the sender may be told of a drop now: once a second is enough."""
        if 0 <= now - self._told_at < 1:
            return False
        self._told_at = now
        return True


class SlidingWindow:
    """Never more than ``most`` events within any ``seconds`` (not twice that at an edge)."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, seconds: float = MINUTE) -> None:
        self._seconds = seconds
        self._times: list[float] = []

    def wait(self, now: float, most: int) -> float:
        """Seconds until an event fits; 0 where it does. ``most`` 0: always."""
        times = self._times
        del times[: bisect_right(times, now - self._seconds)]
        return self._seconds - (now - times[-most]) if 0 < most <= len(times) else 0.0

    def add(self, now: float) -> None:
        """Count an event."""
        self._times.append(now)

    def is_idle(self, now: float) -> bool:
        """Whether it can be forgotten."""
        return not self._times or now - self._times[-1] >= self._seconds


class GuessingGuard:
    """One address's unknown Remote IDs, and its block: 60 s, doubling with every repeat up to an hour."""

    __slots__ = ("_guesses", "_strikes", "blocked_until")

    def __init__(self) -> None:
        self._guesses: dict[str, float] = {}
        self._strikes = 0
        self.blocked_until = 0.0

    def guess(self, now: float, remote_id: str, most: int) -> bool:
        """Count an unknown Remote ID; True: this one, the ``most``-th distinct within a minute, begins a block."""
        self._forget(now)
        self._guesses.pop(remote_id, None)
        self._guesses[remote_id] = now
        if not 0 < most <= len(self._guesses):
            return False
        self._guesses.clear()
        forgiven = max(0, int((now - self.blocked_until) // FORGIVENESS))
        self._strikes = max(0, self._strikes - forgiven)
        self.blocked_until = now + min(LONGEST_BLOCK, FIRST_BLOCK * 2**self._strikes)
        self._strikes = min(self._strikes + 1, MOST_STRIKES)
        return True

    def is_idle(self, now: float) -> bool:
        """Whether it can be forgotten: no recent guess, no block, and nothing left to forgive."""
        self._forget(now)
        return not self._guesses and now >= self.blocked_until + self._strikes * FORGIVENESS

    def _forget(self, now: float) -> None:
        while self._guesses and now - next(iter(self._guesses.values())) >= MINUTE:
            del self._guesses[next(iter(self._guesses))]


Guard = TypeVar("Guard", SlidingWindow, SharedWindow, GuessingGuard)


class Keyed(Generic[Guard]):
    """A guard for each key that was seen lately, ``most`` of them: the oldest are forgotten first."""

    def __init__(self, make: Callable[[], Guard], most: int) -> None:
        self._make: Callable[[], Guard] = make
        self._most = most
        self._guards: OrderedDict[str, Guard] = OrderedDict()

    def __len__(self) -> int:
        return len(self._guards)

    def __getitem__(self, key: str) -> Guard:
        guard = self._guards.get(key)
        if guard is None:
            if len(self._guards) >= self._most:
                self._guards.popitem(last=False)
            guard = self._guards[key] = self._make()
        else:
            self._guards.move_to_end(key)
        return guard

    def prune(self, now: float, most: int = 1000) -> None:
        """Look at the ``most`` oldest and forget those that no longer matter."""
        for key in [key for key, _ in zip(self._guards, range(most), strict=False)]:
            if self._guards[key].is_idle(now):
                del self._guards[key]


def _hourly() -> SlidingWindow:
    return SlidingWindow(HOUR)


def _shared_hourly() -> SharedWindow:
    return SharedWindow(HOUR)


class Limits:
    """What each client address may do: open connections, look up Remote IDs, guess."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connections = Keyed(SlidingWindow, settings.remembered_addresses)
        self._lookups = Keyed(SlidingWindow, settings.remembered_addresses)
        self._guesses = Keyed(GuessingGuard, settings.remembered_addresses)
        self._blocked: dict[str, float] = {}
        self._relays = SharedWindow(HOUR)
        self._relays_by_home = Keyed(_shared_hourly, settings.remembered_addresses)
        self._relays_by_address = Keyed(_hourly, settings.remembered_addresses)

    def connect(self, key: str, now: float) -> float:
        """Count a new connection; otherwise the seconds until one is allowed."""
        return self._count(self._connections, key, now, self._settings.connections_per_minute)

    def lookup(self, key: str, now: float) -> float:
        """Count a lookup; otherwise the seconds until one is allowed, a block's included."""
        blocked_until = self._blocked.get(key, 0.0)
        if now < blocked_until:
            return blocked_until - now
        return self._count(self._lookups, key, now, self._settings.lookups_per_minute)

    def guess(self, key: str, now: float, remote_id: str) -> bool:
        """Count an unknown Remote ID; True: it blocks the address's lookups from now on."""
        guard = self._guesses[key]
        if not guard.guess(now, remote_id, self._settings.guesses_per_minute):
            return False
        self.block(key, guard.blocked_until)
        return True

    def block(self, key: str, until: float) -> None:
        """Block an address's lookups, unless they are blocked for longer."""
        if len(self._blocked) >= self._settings.remembered_addresses:
            del self._blocked[next(iter(self._blocked))]
        self._blocked[key] = max(until, self._blocked.get(key, 0.0))

    def blocked_for(self, key: str, now: float) -> float:
        """Seconds until the address may look up again."""
        return max(0.0, self._blocked.get(key, 0.0) - now)

    def relay(self, remote_id: str, key: str, now: float) -> bool:
        """Count a relay's credentials for a client of this home; False: it must do without."""
        by_home, by_address = self._relays_by_home[remote_id], self._relays_by_address[key]
        blocks = fine_blocks_of(key)
        # An address is served once an hour, whoever else has asked: so nothing but its own quota is a hard limit.
        shared = ((self._relays, self._settings.turn_total), (by_home, self._settings.turn_per_home))
        if by_address.wait(now, self._settings.turn_per_address) > 0 or any(
            window.wait(blocks, now, capacity, self._settings.remembered_addresses) > 0
            for window, capacity in shared
        ):
            return False
        by_address.add(now)
        for window, _ in shared:
            window.add(blocks, now)
        return True

    def prune(self, now: float) -> None:
        """Forget what no longer matters; call it every few seconds."""
        for key in [key for key, until in self._blocked.items() if until <= now]:
            del self._blocked[key]
        for windows in (
            self._connections,
            self._lookups,
            self._relays_by_home,
            self._relays_by_address,
        ):
            windows.prune(now)
        self._guesses.prune(now)

    def counts(self) -> dict[str, int]:
        """How many addresses are remembered, as /health tells it."""
        return {
            "trackedIps": max(len(self._connections), len(self._lookups)),
            "blockedIps": len(self._blocked),
            "failedLookupTracked": len(self._guesses),
        }

    @staticmethod
    def _count(windows: Keyed[SlidingWindow], key: str, now: float, most: int) -> float:
        if most == 0:
            return 0.0
        window = windows[key]
        wait = window.wait(now, most)
        if wait == 0:
            window.add(now)
        return wait
