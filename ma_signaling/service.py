"""Settings in, a running service out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ma_signaling import turn_secret
from ma_signaling.access import Access
from ma_signaling.access_lists import AccessListError, AccessLists
from ma_signaling.address import ClientAddresses
from ma_signaling.capacity import Capacity, most_sockets, raise_descriptor_limit
from ma_signaling.disguise import Disguise
from ma_signaling.events import Report, each_of
from ma_signaling.http_channel import HttpSite
from ma_signaling.hub import Hub
from ma_signaling.keepalive import KeepAlive
from ma_signaling.limits import Limits
from ma_signaling.live import LiveSettings
from ma_signaling.logs import EventLog
from ma_signaling.loop_lag import LoopLag
from ma_signaling.metrics import Metrics, gauge, state_of
from ma_signaling.ports import Ports
from ma_signaling.ports import Reactor as ListeningReactor
from ma_signaling.readiness import Readiness
from ma_signaling.reload import Reactor as ReloadReactor
from ma_signaling.reload import Reload
from ma_signaling.settings import CannotStart, Settings
from ma_signaling.state_file import StateFile
from ma_signaling.systemd import Notifier, Status, Watchdog
from ma_signaling.tls import Certificates
from ma_signaling.web import make_metrics_site, make_root
from ma_signaling.websocket_factory import SignalingFactory

if TYPE_CHECKING:
    from ma_signaling.cluster.service import ClusterService

PRUNE_SECONDS = 5.0

FAREWELL_SECONDS = 3.0
"""How long a restart waits for its close frames to be answered."""

GOODBYE_TICK = 0.1
GOODBYE_BATCH = 50
"""At least so many peers are closed each ``GOODBYE_TICK`` seconds when this server goes down."""

_log = Logger(namespace="ma_signaling")


class Reactor(ListeningReactor, ReloadReactor):
    """What is needed of a reactor: every one on Linux provides it."""


def make_service(
    settings: Settings, reactor: Reactor, reread: Callable[[], Settings] | None = None
) -> MultiService:
    """Everything that runs, as services; starting it listens, stopping it says goodbye to every peer.

    ``reread`` returns the settings as they are said now, or raises ``SettingError``; it is called on SIGHUP. Raises
    ``CannotStart`` where an access list or a secret will not do; starting does where a port or a certificate won't.
    """
    raise_descriptor_limit()
    metrics, disguise = Metrics(), Disguise()
    report = each_of(EventLog(settings.log_addresses, disguise, reactor), metrics)
    cluster = _cluster(settings, reactor)
    node = None if cluster is None else cluster.node
    hub = Hub(settings, reactor, report, Access(disguise), turn_secret.read(settings), elsewhere=node)
    if cluster is not None:
        cluster.node.join(hub)
    lists = AccessLists(settings, hub)
    try:
        lists.load()
    except AccessListError as problem:
        raise CannotStart(f"ma-signaling: {problem}") from None
    keepalive = KeepAlive(reactor, settings.ping_interval)
    readiness = Readiness()
    factory = make_factory(hub, settings, keepalive, report, reactor, metrics, readiness)
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
    metrics.watch(partial(_lag, lag))
    readiness.add("lagging", lambda: lag.is_small)
    named: dict[str, Service] = {
        "watchdog": Watchdog(notifier, reactor),
        "rate-limiting": RateLimiting(hub.limits, reactor),
        "keep-alive": keepalive,
        "loop-lag": lag,
    }
    certificates = None
    if settings.tls_cert:
        certificates = Certificates(Path(settings.tls_cert), Path(settings.tls_key), reactor)
        reloading.add("TLS certificate", certificates.reload)
        metrics.watch(partial(_expiry, certificates))
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
        named["state-file"] = StateFile(Path(settings.state_file), hub, disguise, reactor)
    named["status"] = Status(notifier, reactor)
    return _one_by_one(named)


def _one_by_one(named: dict[str, Service]) -> MultiService:
    services = OneByOne()
    for name, service in named.items():
        service.setName(name)
        service.setServiceParent(services)
    return services


def _cluster(settings: Settings, reactor: IReactorTime) -> ClusterService | None:
    if not settings.nats_url:
        return None
    # Not everybody has what it needs.
    from ma_signaling.cluster.service import ClusterService  # noqa: PLC0415

    return ClusterService(settings, reactor)


def _expiry(certificates: Certificates) -> Iterator[Metric]:
    yield gauge(
        "certificate_expiry_timestamp_seconds",
        "When the certificate ends, in Unix time",
        certificates.not_after,
    )


def _lag(lag: LoopLag) -> Iterator[Metric]:
    yield gauge(
        "event_loop_lag_seconds",
        "How late the event loop was at worst, since the last scrape",
        lag.take_highest(),
    )


def make_factory(
    hub: Hub,
    settings: Settings,
    keepalive: KeepAlive,
    report: Report,
    reactor: IReactorTime,
    metrics: Metrics,
    readiness: Readiness,
) -> SignalingFactory:
    """What every port needs: WebSocket and HTTP around one hub."""
    addresses = ClientAddresses(settings, report)
    root, entry = make_root(hub, addresses, metrics, readiness, settings)
    capacity = Capacity(most_sockets(settings.max_connections), settings.connections_per_address)
    readiness.add("draining", lambda: not hub.is_leaving)
    readiness.add("full", lambda: not capacity.is_full)
    site = HttpSite(root, capacity, settings, reactor)
    metrics.watch(lambda: state_of(hub, capacity))
    entry.factory = SignalingFactory(hub, settings, site, keepalive, addresses, report, reactor)
    return entry.factory


class OneByOne(MultiService):
    """Services that stop one after the other, the last first."""

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for service in reversed(list(self)):
            try:
                await maybeDeferred(service.stopService)
            except Exception:  # noqa: BLE001 - the others must stop all the same
                _log.failure("{service} did not stop as it should", service=service.name)


class RateLimiting(Service):
    """Keeps what the limits remember small."""

    def __init__(self, limits: Limits, reactor: IReactorTime) -> None:
        self._limits = limits
        self._reactor = reactor
        self._loop = LoopingCall(self._prune)
        self._loop.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._loop.start(PRUNE_SECONDS, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _prune(self) -> None:
        self._limits.prune(self._reactor.seconds())


class Connections(Service):
    """Says goodbye to every peer when this server stops, and waits until they have heard it.

    Homes come back ten seconds after they were closed, so thousands are closed over a while, to come back in that
    rhythm; a handful at once.
    """

    def __init__(
        self, hub: Hub, factory: SignalingFactory, settings: Settings, reactor: IReactorTime
    ) -> None:
        self._hub = hub
        self._factory = factory
        self._settings = settings
        self._reactor = reactor

    def stopService(self) -> Deferred[None]:
        super().stopService()
        ticks = max(1, int(self._settings.drain_seconds / GOODBYE_TICK))
        batch = max(GOODBYE_BATCH, -(-self._factory.open // ticks))

        def say_some() -> None:
            if not self._hub.say_goodbye(batch):
                saying.stop()

        saying = LoopingCall(say_some)
        saying.clock = self._reactor
        return saying.start(GOODBYE_TICK).addCallback(lambda _: self._wait())

    def _wait(self) -> Deferred[None]:
        return self._factory.all_closed().addTimeout(FAREWELL_SECONDS, self._reactor, lambda *_: None)
