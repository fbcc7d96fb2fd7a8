"""Parts of a server that are imported only if they are on: each takes time at every start, and memory."""

# ruff: noqa: PLC0415 - late imports are the purpose of this module

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import IResource

from ma_signaling.config.settings import Settings
from ma_signaling.runtime.state_directory import StateDirectory

if TYPE_CHECKING:
    from ma_signaling.cluster.service import ClusterService
    from ma_signaling.runtime.certificate_source import CertificateSource
    from ma_signaling.transport.child_process import Reactor

_log = Logger(namespace="ma_signaling")


def cluster(settings: Settings, reactor: IReactorTime) -> ClusterService | None:
    """Return the service that makes this server a node of a cluster, None if it is none."""
    if not settings.nats_url:
        return None
    from ma_signaling.cluster.service import ClusterService

    return ClusterService(settings, reactor)


def certificate_source(
    settings: Settings, state: StateDirectory | None, reactor: Reactor
) -> CertificateSource | None:
    """Return the source of the TLS certificate, None without TLS."""
    if not settings.is_secure:
        return None
    from ma_signaling.runtime.certificate_source import CertificateSource

    return CertificateSource(settings, state, reactor)


def web_app(settings: Settings) -> IResource | None:
    """Return the web app's pages, None if it is off or can't be served."""
    if not settings.web_app:
        return None
    from ma_signaling.http import web_app
    from ma_signaling.http.web_app_pages import WebApp

    try:
        return WebApp(web_app.load())
    except web_app.WebAppError as problem:
        _log.error("--web-app: the web app is not served: {problem}", problem=problem)
        return None
