"""Stopping: every peer is told, one service after the other."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.transport.factory import SignalingFactory

FAREWELL_SECONDS = 3.0
"""How long a restart waits for its close frames to be answered."""

GOODBYE_TICK = 0.1
GOODBYE_BATCH = 50
"""At least so many peers are closed each ``GOODBYE_TICK`` seconds when this server goes down."""

_log = Logger(namespace="ma_signaling")


def one_by_one(named: Mapping[str, Service]) -> MultiService:
    """These services, which stop in the opposite order, each when the one after it has."""
    services = OneByOne()
    for name, service in named.items():
        service.setName(name)
        service.setServiceParent(services)
    return services


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
                _log.failure("stopping {service} failed", service=service.name)
        _log.info("ma-signaling has stopped")


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
            if not self._hub.drain(batch):
                saying.stop()

        saying = LoopingCall(say_some)
        saying.clock = self._reactor
        return saying.start(GOODBYE_TICK).addCallback(lambda _: self._wait())

    def _wait(self) -> Deferred[None]:
        return self._factory.all_closed().addTimeout(FAREWELL_SECONDS, self._reactor, lambda *_: None)
