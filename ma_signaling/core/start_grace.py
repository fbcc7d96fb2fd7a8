"""The time after a start of this server, when homes are still on their way back (protocol.md, *Loss and grace*).

Homes of a missing node are on their way as well, for a while: clients that wait for them are counted here, too.
"""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.peer import Clock
from ma_signaling.core.shared_window import SharedWindow

MAX_WAITING = 5000
"""How many clients may wait at the same time for such homes, and as many again of addresses below their share."""


class StartGrace:
    """Lets clients wait for homes that were registered before a restart, as far as this server can know."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._started_at = clock.seconds()
        self._waiting = SharedWindow(settings.park)

    def ends_in(self) -> float:
        """Return how many seconds of the start grace are left."""
        return self._started_at + self._settings.start_grace - self._clock.seconds()

    def is_on(self) -> bool:
        """Return whether a home that isn't registered may be on its way back."""
        return self.ends_in() > 0

    def may_wait(self, key: str) -> bool:
        """Count a client of the address ``key`` that is to wait; return False if too many wait already."""
        now = self._clock.seconds()
        return self._waiting.admit(blocks_of(key), now, MAX_WAITING, 2 * MAX_WAITING) == 0
