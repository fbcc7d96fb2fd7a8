"""Settings in, a running service out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import MultiService, Service
from twisted.internet.interfaces import IReactorTime

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.capacity import Capacity, most_sockets, raise_descriptor_limit
from ma_signaling.core.events import Report, each_of
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpSite
from ma_signaling.http.metrics_page import make_metrics_site
from ma_signaling.http.resource_tree import make_root
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.monitoring.metrics import Metrics, state_of
from ma_signaling.monitoring.readiness import LoopLag, Readiness
from ma_signaling.runtime import turn_secret
from ma_signaling.runtime.access_lists import AccessListError, AccessLists
from ma_signaling.runtime.listening import Ports
from ma_signaling.runtime.listening import Reactor as ListeningReactor
from ma_signaling.runtime.live import LiveSettings
from ma_signaling.runtime.proof_process import Reactor as ProverReactor
from ma_signaling.runtime.prover import ChildProver
from ma_signaling.runtime.rate_limiting import RateLimiting
from ma_signaling.runtime.reload import Reactor as ReloadReactor
from ma_signaling.runtime.reload import Reload
from ma_signaling.runtime.shutdown import Connections, one_by_one
from ma_signaling.runtime.state_file import StateFile
from ma_signaling.runtime.systemd import Notifier, Status, Watchdog
from ma_signaling.runtime.tls import Certificates
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.factory import SignalingFactory

if TYPE_CHECKING:
    from ma_signaling.cluster.service import ClusterService


class Reactor(ListeningReactor, ReloadReactor, ProverReactor):
    """What is needed of a reactor: every one on Linux provides it."""


def make_service(
    settings: Settings, reactor: Reactor, reread: Callable[[], Settings] | None = None
) -> MultiService:
    """Everything that runs, as services; starting it listens, stopping it says goodbye to every peer.

    ``reread`` returns the settings as they are said now, or raises ``SettingError``; it is called on SIGHUP. Raises
    ``CannotStart`` where an access list or a secret will not do; starting does where a port or a certificate won't.
    """
    raise_descriptor_limit()
    metrics = Metrics()
    report = each_of(EventLog(settings.log_addresses, reactor), metrics)
    cluster = _cluster(settings, reactor)
    elsewhere = None if cluster is None else cluster.node.elsewhere
    prover = ChildProver(settings, lambda: hub.ice_servers, reactor)
    hub = Hub(
        settings,
        reactor,
        report,
        Access(),
        turn_secret.read(settings),
        elsewhere=elsewhere,
        prover=prover,
    )
    if cluster is not None:
        cluster.node.join(hub)
    lists = AccessLists(settings, hub)
    try:
        lists.load()
    except AccessListError as problem:
        raise CannotStart(f"ma-signaling: {problem}") from None
    readiness = Readiness()
    factory = make_factory(hub, settings, report, reactor, metrics, readiness)
    notifier = Notifier.from_environment(os.environ)
    reloading = Reload(reactor, notifier)
    if reread is not None:
        live = LiveSettings(settings, hub, factory)
        reloading.add("settings", lambda: live.reread(reread))
    if settings.allow_remote_ids or settings.deny:
        reloading.add("access lists", lists.reload)
    if settings.turn_secret_file:
        reloading.add("relays' secret", lambda: turn_secret.reread(settings, hub.ice_servers))
    lag = LoopLag(reactor)
    metrics.watch(lag.metrics)
    readiness.add("lagging", lambda: lag.is_small)
    named: dict[str, Service] = {
        "watchdog": Watchdog(notifier, reactor),
        "rate-limiting": RateLimiting(hub.limits, reactor),
        "keep-alive": factory.keepalive,
        "deadlines": factory.deadlines,
        "loop-lag": lag,
        "prover": prover,
    }
    certificates = None
    if settings.tls_cert:
        certificates = Certificates(Path(settings.tls_cert), Path(settings.tls_key), reactor)
        reloading.add("TLS certificate", certificates.reload)
        metrics.watch(certificates.metrics)
        named["certificates"] = certificates
    ports = Ports(settings, factory, certificates, make_metrics_site(metrics, settings, reactor), reactor)
    readiness.add("not-listening", lambda: bool(ports.running))
    if cluster is not None:
        metrics.watch(cluster.metrics)
        readiness.add("cluster-unreachable", lambda: cluster.bus.is_up)
        named["cluster"] = cluster
    # Last to first when it stops: a load balancer can ask until everybody has gone.
    named["ports"] = ports
    named["connections"] = Connections(hub, factory, settings, reactor)
    # Stops before those above: nothing is read again while this server says goodbye.
    named["reload"] = reloading
    named["inherited-ports"] = ports.inherited
    named["shared-ports"] = ports.shared
    if settings.state_file:
        named["state-file"] = StateFile(Path(settings.state_file), hub, reactor)
    named["status"] = Status(notifier, reactor)
    return one_by_one(named)


def _cluster(settings: Settings, reactor: IReactorTime) -> ClusterService | None:
    if not settings.nats_url:
        return None
    # Not everybody has what it needs.
    from ma_signaling.cluster.service import ClusterService  # noqa: PLC0415

    return ClusterService(settings, reactor)


def make_factory(
    hub: Hub,
    settings: Settings,
    report: Report,
    reactor: IReactorTime,
    metrics: Metrics,
    readiness: Readiness,
) -> SignalingFactory:
    """What every port needs: WebSocket and HTTP around one hub."""
    addresses = ClientAddresses(settings, report)
    root, entry = make_root(hub, addresses, metrics, readiness, settings)
    capacity = Capacity(most_sockets(settings.max_connections), settings.connections_per_address)
    readiness.add("draining", lambda: not hub.is_draining)
    readiness.add("full", lambda: not capacity.is_full)
    site = HttpSite(root, capacity, settings, reactor)
    metrics.watch(lambda: state_of(hub, capacity))
    entry.factory = SignalingFactory(hub, settings, site, addresses, report, reactor)
    return entry.factory
