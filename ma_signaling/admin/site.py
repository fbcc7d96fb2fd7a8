"""The site of the admin socket, and what of it the rest of the server has to do with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ma_signaling import __version__
from ma_signaling.admin import action_resources, view_resources
from ma_signaling.admin.actions import Actions
from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.admin.views import Views
from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import UNLIMITED, Capacity
from ma_signaling.core.events import Report
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpSite
from ma_signaling.http.resource import NotFound
from ma_signaling.monitoring import log_writer
from ma_signaling.monitoring.readiness import LoopLag, Readiness
from ma_signaling.transport.timers import Deadlines


def make_admin_site(
    hub: Hub,
    settings: Settings,
    readiness: Readiness,
    lag: LoopLag,
    followers: Followers,
    bans: BanFile,
    stop: Callable[[], None],
    report: Report,
    deadlines: Deadlines,
    reactor: IReactorTime,
) -> HttpSite:
    """Return what ``--admin-socket`` serves; ``stop`` begins what SIGTERM does."""
    views, actions = Views(hub, reactor.seconds), Actions(hub, reactor)
    started_at = reactor.seconds()

    def status() -> dict[str, Any]:
        obstacle = readiness.obstacle()
        counts: dict[str, Any] = hub.counts()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "seconds": round(reactor.seconds() - started_at, 1),
            "ready": obstacle is None,
            **({} if obstacle is None else {"reason": obstacle}),
            "homes": counts["servers"],
            "sessions": {"open": counts["clients"], "pending": counts["pendingClients"]},
            "connections": hub.connections_by_role(),
            "sockets": hub.capacity.open,
            "unsentBytes": hub.capacity.unsent,
            "blocks": counts["rateLimiter"]["blockedIps"],
            "bans": len(hub.bans),
            "contests": len(hub.registry.contests.by_remote_id),
            "lagSeconds": round(lag.latest, 3),
            "residentBytes": resident_bytes(),
        }

    def drain(seconds: float | None) -> float:
        if seconds is not None:
            settings.drain_seconds = min(seconds, 3600.0)
        # The answer goes out first.
        reactor.callLater(0.1, stop)
        return settings.drain_seconds

    root = NotFound()
    for name, child in (
        (b"status", view_resources.StatusPage(status)),
        (b"homes", view_resources.Homes(hub, views)),
        (b"sessions", view_resources.Sessions(hub, views)),
        (b"addresses", view_resources.Addresses(views)),
        (b"blocks", action_resources.Blocks(hub, reactor.seconds)),
        (b"bans", action_resources.BanList(hub, bans, actions)),
        (b"kick", action_resources.Kick(actions)),
        (b"contests", view_resources.Contests(hub, views)),
        (b"log-level", action_resources.LogLevelPage(log_writer.level, log_writer.set_level)),
        (b"drain", action_resources.Drain(drain)),
        (b"trace", view_resources.Traces(hub, followers)),
    ):
        root.putChild(name, child)
    # With a count of its own: an operator is let in when nobody else is.
    return HttpSite(root, Capacity(UNLIMITED), settings, report, lambda *_: 0.0, deadlines, reactor)


def resident_bytes() -> int:
    """Return the memory of this process."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
