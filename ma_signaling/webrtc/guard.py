"""The only way by which UDP leaves and enters the process that asks for proofs.

``GuardedLoop`` opens sockets only for proofs, and each packet of a proof passes its ``Guard``: ICE checks, answers to
checks that a peer provoked with a forged source, DTLS. So the rules hold whatever peers make aiortc do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any

from ma_signaling.webrtc.destinations import Destinations
from ma_signaling.webrtc.means import Endpoint

MAX_SENT = 300
"""The most packets that one proof sends; usual ones take some thirty."""

MAX_RECEIVED = 200
"""The most packets that one proof receives; further ones are ignored, and the proof fails."""

MAX_PACKET = 1500
"""The largest packet that is handled, in bytes: many proofs share a process's memory, and usual links carry no more."""


class Guard:
    """The rules and the budget of one proof."""

    def __init__(self, destinations: Destinations, exhausted: Callable[[], None]) -> None:
        """Begin with a full budget; ``exhausted`` is called for each packet beyond it."""
        self.destinations = destinations
        self.servers: set[Endpoint] = set()
        """Our own STUN and TURN servers, which may have any address."""
        self.sent = 0
        self.received = 0
        self._exhausted = exhausted

    def sends(self, to: Endpoint) -> bool:
        """Count a packet to ``to``; return whether it may be sent."""
        if not self._may_reach(to):
            return False
        self.sent += 1
        if self.sent > MAX_SENT:
            self._exhausted()
            return False
        return True

    def takes(self, source: Endpoint, size: int) -> bool:
        """Count a packet of ``size`` bytes from ``source``; return whether it is to be handled."""
        if not self._may_reach(source):
            return False
        self.received += 1
        if self.received > MAX_RECEIVED:
            self._exhausted()
            return False
        return size <= MAX_PACKET

    def _may_reach(self, endpoint: Endpoint) -> bool:
        return endpoint in self.servers or self.destinations.may_reach(ip_address(endpoint[0]), endpoint[1])


GUARD: ContextVar[Guard] = ContextVar("guard")
"""The guard of the current task's proof; the proof's sockets keep it."""


class GuardedLoop(asyncio.SelectorEventLoop):
    """An event loop in which each UDP socket belongs to a proof, and there are no TCP sockets."""

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        local_addr: Endpoint | None = None,
        remote_addr: Endpoint | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, Any]:
        """Open a guarded socket. Raises OSError for sockets that no proof needs, such as multicast or other servers."""
        guard = GUARD.get(None)
        if guard is None or options or (remote_addr is not None and remote_addr not in guard.servers):
            raise OSError("a proof needs no such socket")
        inner = protocol_factory()
        _, protocol = await super().create_datagram_endpoint(
            lambda: _GuardedProtocol(inner, guard, remote_addr),
            local_addr=local_addr,
            remote_addr=remote_addr,
        )
        return protocol.transport, inner

    async def create_connection(self, *_: Any, **__: Any) -> Any:
        """Raise OSError: proofs use only UDP."""
        raise OSError("a proof needs no such socket")


class _GuardedProtocol(asyncio.DatagramProtocol):
    """Guards what a protocol receives from its socket."""

    transport: _GuardedTransport

    def __init__(self, inner: Any, guard: Guard, server: Endpoint | None) -> None:
        self._inner = inner
        self._guard = guard
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = _GuardedTransport(transport, self._guard, self._server)
        self._inner.connection_made(self.transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if self._guard.takes((addr[0], addr[1]), len(data)):
            self._inner.datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        self._inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)


class _GuardedTransport(asyncio.DatagramTransport):
    """Guards what a protocol sends by its socket; ``server`` is the peer of a connected socket."""

    def __init__(self, transport: Any, guard: Guard, server: Endpoint | None) -> None:
        super().__init__()
        self._transport = transport
        self._guard = guard
        self._server = server

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self._guard.sends(self._server or (addr[0], addr[1])):
            self._transport.sendto(data, addr)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return bool(self._transport.is_closing())

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
