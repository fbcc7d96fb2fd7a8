"""Parts of a server that may be off, imported only where they are on: all together are a twentieth of the start."""

# ruff: noqa: PLC0415 - what this module is for

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.config.settings import Settings
from ma_signaling.core.events import Report
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpSite
from ma_signaling.monitoring.readiness import LoopLag, Readiness
from ma_signaling.runtime.state_directory import StateDirectory
from ma_signaling.transport.timers import Deadlines

if TYPE_CHECKING:
    from ma_signaling.acme.process import Reactor as AcmeReactor
    from ma_signaling.cluster.service import ClusterService
    from ma_signaling.http.web_app import AppFile
    from ma_signaling.runtime.certificate_source import CertificateSource

_log = Logger(namespace="ma_signaling")


def cluster(settings: Settings, reactor: IReactorTime) -> ClusterService | None:
    """Return what makes this server a node."""
    if not settings.nats_url:
        return None
    from ma_signaling.cluster.service import ClusterService

    return ClusterService(settings, reactor)


def certificate_source(
    settings: Settings, state: StateDirectory | None, reactor: AcmeReactor
) -> CertificateSource | None:
    """Return where the certificate for TLS comes from."""
    if not settings.tls_cert and not settings.acme_domain:
        return None
    from ma_signaling.runtime.certificate_source import CertificateSource

    return CertificateSource(settings, state, reactor)


def admin_site(
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
) -> HttpSite | None:
    """Return what answers ``ma-signaling admin``."""
    if not settings.admin_socket:
        return None
    from ma_signaling.admin.site import make_admin_site

    return make_admin_site(hub, settings, readiness, lag, followers, bans, stop, report, deadlines, reactor)


def web_app(settings: Settings) -> Mapping[str, AppFile] | None:
    """Return the web app's files; without them, where something is wrong with them, the server starts all the same."""
    if not settings.web_app:
        return None
    from ma_signaling.http import web_app

    try:
        return web_app.load()
    except web_app.WebAppError as problem:
        _log.error("--web-app: the web app is not served: {problem}", problem=problem)
        return None
