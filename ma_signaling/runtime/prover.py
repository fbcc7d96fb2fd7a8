"""Asking for proofs of possession, by a child process (``webrtc/child.py``) and as the settings say."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.core.prover import Asked, ProofSession, availability
from ma_signaling.webrtc.destinations import Destinations
from ma_signaling.webrtc.local_addresses import sources
from ma_signaling.webrtc.means import Means, Turn, first_by_udp

if TYPE_CHECKING:
    from ma_signaling.runtime.proof_process import ProofProcess
    from ma_signaling.transport.child_process import Reactor

_log = Logger(namespace="ma_signaling")

IDLE_SECONDS = 60.0
"""Seconds without a proof after which the child process ends."""

FRESH_SECONDS = 5.0
"""How long an obstacle is cached: anybody may ask ``/health`` for it, as often as they like."""


def obstacle(settings: Settings, ice_servers: IceServers) -> str | None:
    """Return why no proof can be had with these settings on this machine, None if it can."""
    if settings.proof == "off":
        return "off"
    if find_spec("aiortc") is None:
        return "aiortc is not installed (extra proof)"
    has_relay = ice_servers.has_relay and first_by_udp(settings.turn_urls) is not None
    if settings.proof == "relay":
        return None if has_relay else "no relay by UDP is set (--turn-urls)"
    has_stun = first_by_udp(settings.stun_urls) is not None
    if has_relay or has_stun or settings.proof_address:
        return None
    destinations = Destinations(settings.proof_networks)
    if any(destinations.may_show(source) for source in sources(settings.proof_networks)):
        return None
    return "no public UDP address is known (--stun-urls, --turn-urls or --proof-address)"


class ChildProver(Service):
    """The ``Prover`` of a server. Its child process starts with the first proof, and again after it has ended."""

    def __init__(
        self,
        settings: Settings,
        ice_servers: Callable[[], IceServers],
        reactor: Reactor,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``wall`` returns the calendar time, on which a relay's credentials depend."""
        self._settings = settings
        self._ice_servers = ice_servers
        self._reactor = reactor
        self._wall = wall
        self._process: ProofProcess | None = None
        self._obstacle: str | None = None
        self._fresh_until = 0.0

    @property
    def obstacle(self) -> str | None:
        """Why no proof can be had, None if it can."""
        now = self._reactor.seconds()
        if now >= self._fresh_until:
            self._obstacle = obstacle(self._settings, self._ice_servers())
            self._fresh_until = now + FRESH_SECONDS
        return self._obstacle

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Begin a proof."""
        if self._process is None or not self._process.is_in_use:
            from ma_signaling.runtime.proof_process import ProofProcess  # noqa: PLC0415 - see startService

            self._process = ProofProcess(self._reactor, IDLE_SECONDS)
        return self._process.ask(remote_id, self._means(), asked)

    def startService(self) -> None:
        """Log whether proofs can be had."""
        super().startService()
        _log.info("Proof of possession: {proof}", proof=availability(self.obstacle))
        if self.obstacle is None:
            # Imported now: at the first proof there may be no free descriptor, or another version in the files.
            from ma_signaling.runtime import proof_process  # noqa: F401, PLC0415 - many never need it

    def stopService(self) -> Deferred[None] | None:
        """Kill the child process; no proof reaches a verdict any more."""
        super().stopService()
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        return process.ended

    def _means(self) -> Means:
        settings, ice_servers = self._settings, self._ice_servers()
        relay = first_by_udp(settings.turn_urls) if ice_servers.has_relay else None
        return Means(
            networks=settings.proof_networks,
            address=ip_address(settings.proof_address) if settings.proof_address else None,
            is_relay_only=settings.proof == "relay",
            stun=first_by_udp(settings.stun_urls),
            turn=None if relay is None else Turn(relay, *ice_servers.credentials(self._wall())),
        )
