"""Assembles the server from its settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.capacity import raise_descriptor_limit
from ma_signaling.core.events import Report, each_of
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import UNLIMITED_PATHS, HttpSite
from ma_signaling.http.metrics_page import make_metrics_site
from ma_signaling.http.resource_tree import make_root
from ma_signaling.monitoring.error_count import ErrorCount
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.monitoring.metrics import Metrics, state_of
from ma_signaling.monitoring.readiness import LoopLag, Readiness
from ma_signaling.runtime import optional_parts
from ma_signaling.runtime.listening import Ports
from ma_signaling.runtime.operator_files import OperatorFiles
from ma_signaling.runtime.prover import ChildProver
from ma_signaling.runtime.reload import LiveSettings, Reload
from ma_signaling.runtime.shutdown import Connections, one_by_one
from ma_signaling.runtime.signals import stop
from ma_signaling.runtime.state_directory import StateDirectory, state_path
from ma_signaling.runtime.systemd import Notifier, Status, make_watchdog
from ma_signaling.runtime.where_to_look import WhereToLook
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.request_head import RequestHead
from ma_signaling.transport.sockets import peer_address
from ma_signaling.transport.timers import Deadlines, Periodic

if TYPE_CHECKING:
    from ma_signaling.runtime.listening import Reactor as ListeningReactor
    from ma_signaling.runtime.reload import Reactor as ReloadReactor
    from ma_signaling.runtime.signals import Reactor as SignalsReactor
    from ma_signaling.transport.child_process import Reactor as ProcessReactor

    class Reactor(ListeningReactor, ReloadReactor, ProcessReactor, SignalsReactor):
        """The interfaces of the reactor that are used: every reactor on Linux has them."""


PRUNE_SECONDS = 5.0
"""How often idle entries of limits are dropped."""


def make_service(
    settings: Settings, reactor: Reactor, reread: Callable[[], Settings] | None = None
) -> MultiService:
    """Return the server as a service: starting it listens, stopping it closes every connection.

    ``reread`` is called on SIGHUP; it returns the new settings, or raises ``SettingError``. Raises ``CannotStart`` for
    an invalid file of the operator's; starting raises it for a port or a certificate that can't be used.
    """
    raise_descriptor_limit()
    metrics, readiness = Metrics(), Readiness()
    followers = Followers()
    report = each_of(EventLog(settings.log_addresses, reactor), metrics, followers)
    cluster = optional_parts.cluster(settings, reactor)
    elsewhere = None if cluster is None else cluster.node.elsewhere
    prover = ChildProver(settings, lambda: hub.ice_servers, reactor)
    asks = prover if cluster is None else cluster.node.prover(prover)
    hub = Hub(settings, reactor, report, Access(), elsewhere=elsewhere, prover=asks)
    if cluster is not None:
        cluster.node.join(hub)
    files = OperatorFiles(settings, hub)
    files.load()
    factory = make_factory(
        hub, settings, report, reactor, metrics, readiness, optional_parts.web_app(settings)
    )
    where = state_path(settings)
    state = None if where is None else StateDirectory(where)
    source = optional_parts.certificate_source(settings, state, reactor)
    certificates, acme = (None, None) if source is None else (source.certificates, source.acme)
    metrics_site = make_metrics_site(metrics, factory)
    redirect = None if source is None else source.make_redirect(factory)
    lag = LoopLag(reactor, time.monotonic)
    bans = BanFile(hub.bans, None if state is None else state.path / "bans.json")
    bans.load()
    admin = None
    if settings.admin_socket:
        from ma_signaling.admin.site import make_admin_site  # noqa: PLC0415 - see ``optional_parts``

        admin = make_admin_site(factory, readiness, lag, followers, bans, lambda: stop(reactor))
    ports = Ports(factory, certificates, metrics_site, redirect, admin)
    notifier = Notifier.from_environment(os.environ, reactor)

    reload = Reload(reactor, notifier)
    if reread is not None:
        live = LiveSettings(settings, hub, factory)
        reload.add("settings", lambda: live.reread(reread))
    reload.add("access lists and secrets", lambda: files.reload(reactor))
    if certificates is not None:
        reload.add("TLS certificate", certificates.reload)
        metrics.watch(certificates.metrics)
    if acme is not None:
        reload.add("ACME", acme.reload)
        metrics.watch(acme.metrics)
        readiness.add("no-certificate", lambda: acme.is_issued)
    if cluster is not None:
        metrics.watch(cluster.metrics)
        readiness.add("cluster-unreachable", lambda: cluster.bus.is_up)
    errors = ErrorCount()
    for figures in (lag.metrics, readiness.metrics, errors.metrics):
        metrics.watch(figures)
    readiness.add("lagging", lambda: lag.is_small)
    readiness.add("not-listening", lambda: bool(ports.running))

    return one_by_one(
        # Jobs that go on until the last connection is closed.
        {
            "errors": errors,
            "watchdog": make_watchdog(notifier, reactor),
            "rate-limiting": Periodic(
                "rate limiting", PRUNE_SECONDS, lambda: hub.limits.prune(reactor.seconds()), reactor
            ),
            "bans": Periodic("bans", PRUNE_SECONDS, bans.prune, reactor),
            "deadlines": factory.deadlines,
            "keep-alive": factory.keepalive,
            "loop-lag": lag,
            "prover": prover,
            "state": state,
            "acme": acme,
            "certificates": certificates,
            "tls-buffers": None if source is None else source.buffers,
            "cluster": cluster,
        },
        # Stopped after the connections: a load balancer may ask /ready until then.
        {"ports": ports},
        {"connections": Connections(hub, factory, settings, reactor)},
        # Stopped before the connections: no reload while they are being closed.
        {"reload": reload},
        # Once stopped, newcomers reach another process, or wait for the next.
        {"inherited-ports": ports.inherited, "shared-ports": ports.shared},
        {"status": Status(notifier, reactor), "where-to-look": WhereToLook(settings, reactor)},
    )


def make_factory(
    hub: Hub,
    settings: Settings,
    report: Report,
    reactor: IReactorTime,
    metrics: Metrics,
    readiness: Readiness,
    web_app: IResource | None = None,
) -> SignalingFactory:
    """Return the factory for all ports: WebSocket and HTTP around one hub."""
    addresses = ClientAddresses(settings, report)
    root, entry = make_root(hub, addresses, metrics, readiness, settings, web_app)
    readiness.add("draining", lambda: not hub.is_draining)
    readiness.add("full", lambda: hub.capacity.has_place_for_newcomers)

    def charge(transport: Any, head: RequestHead) -> float:
        peer = peer_address(transport)
        # Such as monitoring.
        is_own = addresses.is_own(peer, head.header)
        return 0.0 if is_own else hub.entrance.request(addresses.of(peer, head.header))

    deadlines = Deadlines(reactor)
    site = HttpSite(root, hub.capacity, settings, report, charge, deadlines, reactor, UNLIMITED_PATHS)
    metrics.watch(lambda: state_of(hub))
    entry.factory = SignalingFactory(hub, settings, site, addresses, report, deadlines, reactor)
    return entry.factory
