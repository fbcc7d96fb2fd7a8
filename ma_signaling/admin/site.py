"""The site of the admin socket."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.admin import action_resources, view_resources
from ma_signaling.admin.actions import Actions
from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.admin.status import ServerStatus
from ma_signaling.admin.views import Views
from ma_signaling.http.channel import HttpSite
from ma_signaling.http.operators_site import operators_site
from ma_signaling.http.resource import NotFound
from ma_signaling.monitoring import log_writer
from ma_signaling.monitoring.readiness import LoopLag, Readiness
from ma_signaling.transport.factory import SignalingFactory


def make_admin_site(
    main: SignalingFactory,
    readiness: Readiness,
    lag: LoopLag,
    followers: Followers,
    bans: BanFile,
    stop: Callable[[], None],
) -> HttpSite:
    """Return the site of ``--admin-socket``, beside the ports of ``main``; ``stop`` does the same as SIGTERM."""
    hub, reactor, settings = main.hub, main.reactor, main.settings
    views, actions = Views(hub, reactor.seconds), Actions(hub, reactor)

    def drain(seconds: float | None) -> float:
        if hub.is_draining:
            # The pace is set when it begins.
            return settings.drain_seconds
        if seconds is not None:
            settings.drain_seconds = min(seconds, 3600.0)
        # Delayed, so that the answer is sent first.
        reactor.callLater(0.1, stop)
        return settings.drain_seconds

    root = NotFound()
    for name, child in (
        (b"status", view_resources.StatusPage(ServerStatus(hub, readiness, lag, reactor))),
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
    return operators_site(root, main)
