"""The limits as a service: what they remember stays small."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ma_signaling.core.limits import Limits

PRUNE_SECONDS = 5.0


class RateLimiting(Service):
    """Forgets, every few seconds, what no longer matters to them."""

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
