"""One proof: whether a peer has the key of the certificate that a Remote ID stands for.

The peer's answer must name that certificate, DTLS must show that the peer has its key, and SCTP must come up: only then
has the peer accepted the certificate that was made for this proof (docs/protocol.md, *Takeover*).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import aioice.ice
from aiortc import RTCIceServer
from aiortc.exceptions import InvalidStateError

from ma_signaling.webrtc.connection import ConnectionFailed, HomeConnection
from ma_signaling.webrtc.description import MAX_CANDIDATES, Candidate, Description
from ma_signaling.webrtc.destinations import Address, Destinations
from ma_signaling.webrtc.guard import GUARD, Guard
from ma_signaling.webrtc.local_addresses import is_own, sources
from ma_signaling.webrtc.means import SECONDS, Endpoint, Means


class NotProved(Exception):
    """Raised if there is no proof; the text says why in a few words, and quotes no peer."""


class Proof:
    """A proof under way: ``run`` performs it; ``answer`` and ``candidate`` take what the peer sends meanwhile."""

    def __init__(self, remote_id: str, means: Means, offer: Callable[[str], None]) -> None:
        """``offer`` is called with our offer (SDP) when it is ready."""
        self._remote_id = remote_id
        self._means = means
        self._offer = offer
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str] = loop.create_future()
        self._candidates: asyncio.Queue[Candidate] = asyncio.Queue()
        self._named = 0
        self._connection: HomeConnection | None = None
        self._exhausted: asyncio.Future[None] = loop.create_future()
        # Cached, since it is called for each packet.
        is_ours = lru_cache(64)(lambda address: address == means.address or is_own(address))
        self._destinations = Destinations(means.networks, is_ours)
        self._guard = Guard(self._destinations, self._exhaust)

    def answer(self, sdp: str) -> None:
        """Take the peer's answer; the first one counts."""
        if not self._answer.done():
            self._answer.set_result(sdp)

    def candidate(self, text: str) -> None:
        """Take a trickled candidate of the peer."""
        candidate = Candidate.parse(text)
        if candidate is not None:
            for allowed in self._allowed([candidate]):
                self._candidates.put_nowait(allowed)

    async def run(self) -> None:
        """Return once the peer has proved itself. Raises ``NotProved``. Call ``close`` in either case."""
        GUARD.set(self._guard)
        step = "gathering candidates"
        try:
            async with asyncio.timeout(SECONDS):
                self._connection = await self._prepare()
                ours = Description.parse(await self._connection.offer())
                self._offer(str(self._hidden(ours)))
                step = "waiting for an answer"
                theirs = self._of_home(await self._answer)
                step = "connecting"
                await self._connect(self._connection, theirs)
        except TimeoutError:
            raise NotProved(f"too slow: {step}") from None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.close()

    async def _prepare(self) -> HomeConnection:
        servers = []
        if self._means.stun is not None and not self._means.is_relay_only:
            address = await self._server(self._means.stun)
            servers.append(RTCIceServer(f"stun:{address}:{self._means.stun[1]}"))
        if self._means.turn is not None:
            turn = self._means.turn
            address = await self._server(turn.server)
            servers.append(RTCIceServer(f"turn:{address}:{turn.server[1]}", turn.username, turn.credential))
        return HomeConnection(
            servers, channel="proof", is_announced=False, is_relay_only=self._means.is_relay_only
        )

    async def _server(self, server: Endpoint) -> str:
        """Return the address of one of our own servers, and allow packets to it. Raises ``NotProved``."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(*server, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except OSError:
            raise NotProved("our STUN or TURN server has no address") from None
        address = str(found[0][4][0])
        self._guard.servers.add((address, server[1]))
        return address

    def _hidden(self, ours: Description) -> Description:
        """Return our offer without private addresses. Raises ``NotProved`` if no candidate is left."""
        candidates = list(shown(ours.candidates, self._destinations, self._means.address))
        if not candidates:
            raise NotProved("no public UDP address was found")
        return ours.with_candidates(candidates)

    def _of_home(self, sdp: str) -> Description:
        try:
            theirs = Description.parse(sdp)
        except ValueError:
            raise NotProved("the answer makes no sense") from None
        try:
            theirs = theirs.of_home(self._remote_id)
        except ValueError:
            raise NotProved("another certificate") from None
        return theirs.with_candidates(self._allowed(theirs.candidates))

    def _allowed(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates that packets may go to, of the first ``MAX_CANDIDATES`` of the peer."""
        for candidate in candidates:
            self._named += 1
            if self._named > MAX_CANDIDATES:
                return
            if self._destinations.may_reach(candidate.address, candidate.port):
                yield candidate

    async def _connect(self, connection: HomeConnection, theirs: Description) -> None:
        """Return once the data channel is open, and so SCTP is up. Raises ``NotProved``."""
        try:
            await connection.answer(theirs)
        except (ValueError, InvalidStateError):
            raise NotProved("the answer makes no sense") from None
        opened = asyncio.create_task(connection.opened())
        trickling = asyncio.create_task(self._trickle(connection))
        try:
            await asyncio.wait([opened, self._exhausted], return_when=asyncio.FIRST_COMPLETED)
            if self._exhausted.done():
                raise NotProved("too many packets")
            await opened
        except ConnectionFailed:
            raise NotProved("no connection") from None
        finally:
            opened.cancel()
            trickling.cancel()

    async def _trickle(self, connection: HomeConnection) -> None:
        while True:
            candidate = await self._candidates.get()
            with suppress(ValueError):  # raised after the end of candidates
                await connection.candidate(candidate)

    def _exhaust(self) -> None:
        if not self._exhausted.done():
            self._exhausted.set_result(None)


def shown(
    candidates: Iterable[Candidate], destinations: Destinations, public: Address | None
) -> Iterator[Candidate]:
    """Yield our candidates that our offer may contain, with ``public`` in place of a private address."""
    for candidate in candidates:
        if destinations.may_show(candidate.address):
            yield candidate
        elif candidate.type == "host" and public is not None and public.version == candidate.address.version:
            yield replace(candidate, address=public)


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """Return the source addresses of the current task's proof."""
    wanted = {4: use_ipv4, 6: use_ipv6}
    found = sources(GUARD.get().destinations.networks)
    return [str(address) for address in found if wanted[address.version]]


def gather_for_proofs() -> None:
    """Let aiortc use only the source addresses of ``local_addresses``; aioice has no setting for that."""
    patched: Any = aioice.ice
    patched.get_host_addresses = _host_addresses
