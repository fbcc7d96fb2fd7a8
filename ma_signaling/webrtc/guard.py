"""The one door through which UDP leaves and enters the process that asks for proofs.

``GuardedLoop`` opens no socket but for a proof, and each packet of a proof passes its ``Guard``, whoever sends it:
checks of ICE, answers to checks that a peer provoked with a forged source, DTLS. So the rules hold whatever aiortc
makes of what peers send.
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
"""Packets of one proof; usual ones take some thirty."""

MAX_RECEIVED = 200
"""What comes beyond it is ignored, and the proof fails."""

MAX_PACKET = 1500
"""Bytes of a packet that is looked at: many proofs share the memory of a process, and usual links carry no more."""


class Guard:
    """The rules and the budget of one proof."""

    def __init__(self, destinations: Destinations, exhausted: Callable[[], None]) -> None:
        """Begin with a full budget; ``exhausted`` is called when it is spent, once for each packet beyond it."""
        self.destinations = destinations
        self.servers: set[Endpoint] = set()
        """Our own STUN and TURN servers, which may be anywhere."""
        self.sent = 0
        self.received = 0
        self._exhausted = exhausted

    def sends(self, to: Endpoint) -> bool:
        """Count a packet that is to go to an address; return whether it may."""
        if not self._may_reach(to):
            return False
        self.sent += 1
        if self.sent > MAX_SENT:
            self._exhausted()
            return False
        return True

    def takes(self, source: Endpoint, size: int) -> bool:
        """Count a packet of so many bytes that came from an address; return whether it is looked at."""
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
"""The guard of the proof that the running task belongs to; its sockets keep it."""


class GuardedLoop(asyncio.SelectorEventLoop):
    """An event loop in which a socket for UDP belongs to a proof, and there is none for TCP."""

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        local_addr: Endpoint | None = None,
        remote_addr: Endpoint | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, Any]:
        """Open a guarded socket. Raises OSError for what no proof needs: multicast, somebody else's server."""
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
        """Raise OSError: proofs go by UDP alone."""
        raise OSError("a proof needs no such socket")


class _GuardedProtocol(asyncio.DatagramProtocol):
    """Stands between a socket and the protocol that uses it."""

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
    """What the protocol sends with; ``server`` is where a connected socket leads."""

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
