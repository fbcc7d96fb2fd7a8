"""Settings in, a running service out."""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.application.service import MultiService, Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IReactorSocket, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ma_signaling import __version__
from ma_signaling.access import Access
from ma_signaling.access_lists import AccessListError, AccessLists
from ma_signaling.address import ClientAddresses
from ma_signaling.capacity import Capacity, most_sockets, raise_descriptor_limit
from ma_signaling.direct_write import write_directly
from ma_signaling.disguise import Disguise
from ma_signaling.events import Report
from ma_signaling.http_channel import HttpSite
from ma_signaling.hub import Hub
from ma_signaling.keepalive import KeepAlive
from ma_signaling.limits import Limits
from ma_signaling.logs import EventLog
from ma_signaling.loop_lag import LoopLag
from ma_signaling.readiness import Readiness
from ma_signaling.settings import Settings
from ma_signaling.state_file import StateFile
from ma_signaling.web import make_root
from ma_signaling.websocket_factory import SignalingFactory

BACKLOG = 1024
"""Connections that may wait to be accepted: after a restart everybody comes back at once."""

PRUNE_SECONDS = 5.0

FAREWELL_SECONDS = 3.0
"""How long a restart waits for its close frames to be answered."""

GOODBYE_TICK = 0.1
GOODBYE_BATCH = 50
"""At least so many peers are closed each ``GOODBYE_TICK`` seconds when this server goes down."""

_log = Logger(namespace="ma_signaling")


class CannotStart(Exception):
    """Why this server can't start, in one line. No SystemExit: twistd tells its parent of exceptions only."""


class Reactor(IReactorTime, IReactorSocket):
    """What is needed of a reactor: every one on Linux provides it."""


def make_service(settings: Settings, reactor: Reactor) -> MultiService:
    """Everything that runs, as services; starting it listens, stopping it says goodbye to every peer.

    Raises ``CannotStart`` where an access list will not do, and starting does where a port can't be had.
    """
    raise_descriptor_limit()
    disguise = Disguise()
    report = EventLog(settings.log_addresses, disguise)
    hub = Hub(settings, reactor, report, Access(disguise))
    lists = AccessLists(settings, hub)
    try:
        lists.load()
    except AccessListError as problem:
        raise CannotStart(f"ma-signaling: {problem}") from None
    keepalive = KeepAlive(reactor, settings.ping_interval)
    readiness = Readiness()
    factory = make_factory(hub, settings, keepalive, report, reactor, readiness)
    lag = LoopLag(reactor)
    ports = Ports(settings, factory, reactor)
    readiness.add("not-listening", lambda: bool(ports.running))
    readiness.add("lagging", lambda: lag.is_small)
    services = OneByOne()
    named: dict[str, Service] = {
        "rate-limiting": RateLimiting(hub.limits, reactor),
        "keep-alive": keepalive,
        "loop-lag": lag,
        # Last to first when it stops: a load balancer can ask until everybody has gone.
        "ports": ports,
        "connections": Connections(hub, factory, settings, reactor),
    }
    if settings.state_file:
        named["state-file"] = StateFile(Path(settings.state_file), hub, disguise, reactor)
    for name, service in named.items():
        service.setName(name)
        service.setServiceParent(services)
    return services


def make_factory(
    hub: Hub,
    settings: Settings,
    keepalive: KeepAlive,
    report: Report,
    reactor: IReactorTime,
    readiness: Readiness,
) -> SignalingFactory:
    """What every port needs: WebSocket and HTTP around one hub."""
    addresses = ClientAddresses(settings, report)
    root, entry = make_root(hub, addresses, readiness)
    capacity = Capacity(most_sockets(settings.max_connections), settings.connections_per_address)
    readiness.add("draining", lambda: not hub.is_leaving)
    readiness.add("full", lambda: not capacity.is_full)
    site = HttpSite(root, capacity, reactor)
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
        self._seconds = settings.drain_seconds
        self._reactor = reactor

    def stopService(self) -> Deferred[None]:
        super().stopService()
        ticks = max(1, int(self._seconds / GOODBYE_TICK))
        batch = max(GOODBYE_BATCH, -(-self._factory.open // ticks))

        def say_some() -> None:
            if not self._hub.say_goodbye(batch):
                saying.stop()

        saying = LoopingCall(say_some)
        saying.clock = self._reactor
        return saying.start(GOODBYE_TICK).addCallback(lambda _: self._wait())

    def _wait(self) -> Deferred[None]:
        return self._factory.all_closed().addTimeout(FAREWELL_SECONDS, self._reactor, lambda *_: None)


class Ports(Service):
    """Listens wherever the settings say."""

    def __init__(self, settings: Settings, factory: ServerFactory, reactor: Reactor) -> None:
        self._settings = settings
        self._factory = factory
        self._reactor = reactor
        self._ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        for text in self._settings.port:
            port = self._listen(text)
            if self._settings.short_path:
                write_directly(port)
            self._ports.append(port)
            _log.info("Listening on {address}", address=_readable(port.getHost()))
        _log.info(
            "ma-signaling {version} is up ({environment})",
            version=__version__,
            environment=self._settings.environment,
        )

    def stopService(self) -> Deferred[None]:
        super().stopService()
        stopping = [maybeDeferred(port.stopListening) for port in self._ports]
        self._ports.clear()
        return DeferredList(stopping).addCallback(lambda _: None)

    def _listen(self, text: str) -> IListeningPort:
        try:
            if text.isdigit():
                return self._listen_everywhere(int(text))
            endpoint = serverFromString(self._reactor, text)
        except OSError as problem:
            raise _cannot_listen(text, problem) from None
        except Exception as problem:  # noqa: BLE001 - whatever an endpoint's own parser, or OpenSSL, makes of it
            raise _cannot_listen(text, f"Twisted makes no endpoint of it ({problem!r})") from None
        results: list[IListeningPort | Failure] = []
        endpoint.listen(self._factory).addBoth(results.append)
        if not results:
            raise _cannot_listen(text, "it does not start at once")
        if isinstance(results[0], Failure):
            raise _cannot_listen(text, results[0].value)
        return results[0]

    def _listen_everywhere(self, port: int) -> IListeningPort:
        """Every address of this machine, IPv6 and IPv4 alike where it has both."""
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        with socket.create_server(("", port), family=family, dualstack_ipv6=both) as listener:
            listener.setblocking(False)
            adopted: IListeningPort = self._reactor.adoptStreamPort(listener.fileno(), family, self._factory)
            # An adopted socket gets Twisted's default of 50; the queue is the socket's, whoever holds it.
            listener.listen(BACKLOG)
        return adopted


def _cannot_listen(text: str, problem: object) -> CannotStart:
    return CannotStart(f"ma-signaling: cannot listen on {text}: {problem}")


def _readable(address: object) -> str:
    """A listening address for the log: host and port, or the path of a Unix socket."""
    if isinstance(address, IPv4Address | IPv6Address):
        return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
    return str(address)
