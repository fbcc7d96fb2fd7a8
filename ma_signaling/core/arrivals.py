"""Limits per address and minute on new sockets, WebSockets and HTTP requests (docs/protocol.md, *Limits*).

Sockets of trusted proxies are exempt; their requests are charged to the address that the proxy reports.
"""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.sliding_window import SlidingWindow


class Arrivals:
    """Three windows for each address; each method returns the seconds until one more is allowed, or 0."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sockets = LruTable(SlidingWindow, settings.remembered_addresses)
        self._websockets = LruTable(SlidingWindow, settings.remembered_addresses)
        self._requests = LruTable(SlidingWindow, settings.remembered_addresses)

    def __len__(self) -> int:
        return len(self._websockets)

    def socket(self, key: str, now: float) -> float:
        """Count an accepted socket, and the TLS handshake that may follow."""
        return self._sockets[key].admit(now, self._settings.sockets_per_minute)

    def websocket(self, key: str, now: float) -> float:
        """Count a request for a WebSocket."""
        return self._websockets[key].admit(now, self._settings.connections_per_minute)

    def request(self, key: str, now: float) -> float:
        """Count any other HTTP request."""
        return self._requests[key].admit(now, self._settings.requests_per_minute)

    def prune(self, now: float) -> None:
        """Drop idle windows; call this every few seconds."""
        for windows in (self._sockets, self._websockets, self._requests):
            windows.prune(now)
