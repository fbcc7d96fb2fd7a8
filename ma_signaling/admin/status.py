"""The status of this server in numbers, for ``ma-signaling admin status``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ma_signaling import __version__
from ma_signaling.core.hub import Hub
from ma_signaling.monitoring.readiness import LoopLag, Readiness


class ServerStatus:
    """The status of this server; to be made when it starts."""

    def __init__(self, hub: Hub, readiness: Readiness, lag: LoopLag, reactor: IReactorTime) -> None:
        self._hub = hub
        self._readiness = readiness
        self._lag = lag
        self._reactor = reactor
        self._started_at = reactor.seconds()

    def read(self) -> dict[str, Any]:
        """Return the current status in JSON's types (docs/openapi.yaml)."""
        obstacle = self._readiness.obstacle()
        counts: dict[str, Any] = self._hub.counts()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "seconds": round(self._reactor.seconds() - self._started_at, 1),
            "ready": obstacle is None,
            **({} if obstacle is None else {"reason": obstacle}),
            "homes": counts["servers"],
            "sessions": {"open": counts["clients"], "pending": counts["pendingClients"]},
            "connections": self._hub.connections_by_role(),
            "sockets": self._hub.capacity.open,
            "unsentBytes": self._hub.capacity.unsent,
            "blocks": counts["rateLimiter"]["blockedIps"],
            "bans": len(self._hub.bans),
            "contests": len(self._hub.registry.contests.by_remote_id),
            "lagSeconds": round(self._lag.latest, 3),
            "residentBytes": resident_bytes(),
        }


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes, 0 if the system doesn't tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
