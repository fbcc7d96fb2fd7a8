"""Hourly limits on credentials for the TURN servers."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.address_blocks import fine_blocks_of
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.shared_window import SharedWindow
from ma_signaling.core.sliding_window import HOUR, HourlyWindow


def _shared_hourly() -> SharedWindow:
    return SharedWindow(HOUR)


class CredentialLimits:
    """Limits credentials per client address, and shares those of each home and of all homes between addresses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._total = SharedWindow(HOUR)
        self._by_home = LruTable(_shared_hourly, settings.remembered_addresses)
        self._by_address = LruTable(HourlyWindow, settings.remembered_addresses)

    def admit(self, remote_id: str, key: str, now: float) -> bool:
        """Count credentials for a client of this home at the address ``key``; return False if it gets none."""
        by_home, by_address = self._by_home[remote_id], self._by_address[key]
        blocks = fine_blocks_of(key)
        # An address gets credentials once an hour, whoever else has asked: only its own quota is a hard limit.
        shared = ((self._total, self._settings.turn_total), (by_home, self._settings.turn_per_home))
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
        """Drop idle windows."""
        self._by_home.prune(now)
        self._by_address.prune(now)
