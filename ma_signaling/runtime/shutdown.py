"""Stopping: every connection is closed for the restart, and services stop one after the other."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.timers import Periodic

CLOSING_SECONDS = 3.0
"""How long a restart waits for answers to its close frames."""

BATCH_SECONDS = 0.1
MIN_BATCH = 50
"""How many connections are closed each ``BATCH_SECONDS``, at least, when this server stops."""

_log = Logger(namespace="ma_signaling")


def one_by_one(*stages: Mapping[str, Service | None]) -> MultiService:
    """Return a service of ``stages``, which start in this order and stop in the opposite one, one after another.

    Each stage has services by name; None stands for one that isn't wanted.
    """
    services = OneByOne()
    for stage in stages:
        for name, service in stage.items():
            if service is not None:
                service.setName(name)
                service.setServiceParent(services)
    return services


class OneByOne(MultiService):
    """Services that stop one after another, the last first."""

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
    """Closes all connections when this server stops, and waits until their peers have answered.

    Homes come back ten seconds after they were closed. So thousands are closed over a while, to come back at the same
    pace; a handful is closed together.
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
        ticks = max(1, int(self._settings.drain_seconds / BATCH_SECONDS))
        batch = max(MIN_BATCH, -(-self._factory.open // ticks))
        is_drained: Deferred[None] = Deferred()

        def close_some() -> None:
            if not self._hub.drain(batch):
                closing.stopService()
                is_drained.callback(None)

        closing = Periodic("closing connections", BATCH_SECONDS, close_some, self._reactor, now=True)
        closing.startService()
        return is_drained.addCallback(lambda _: self._wait())

    def _wait(self) -> Deferred[None]:
        return self._factory.all_closed().addTimeout(CLOSING_SECONDS, self._reactor, lambda *_: None)
