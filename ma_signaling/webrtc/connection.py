"""One WebRTC connection to a home, with aiortc: we offer, the home answers, and a data channel opens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from ma_signaling.webrtc.description import MID, Candidate, Description

CLOSE_SECONDS = 5.0

HANG_UP_SECONDS = 1.0
"""The longest time between the end of a channel and that of its connection, if the peer closes both."""


class ConnectionFailed(Exception):
    """Raised if ICE, DTLS, SCTP or the data channel ended before the awaited event."""


class HomeConnection:
    """A connection with a certificate made for it alone, and one data channel.

    Once the channel is open, the home has shown that it has the key of the certificate whose fingerprint is in its
    answer (DTLS), and has accepted our certificate (SCTP begins after both sides have compared fingerprints).
    """

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer],
        *,
        channel: str,
        is_announced: bool = True,
        is_relay_only: bool = False,
    ) -> None:
        """Prepare a connection. A home bridges each ``channel`` that is announced to its API."""
        policy = RTCIceTransportPolicy.RELAY if is_relay_only else RTCIceTransportPolicy.ALL
        self._peer = RTCPeerConnection(RTCConfiguration(list(ice_servers), iceTransportPolicy=policy))
        self._gathering: asyncio.Task[None] | None = None
        self._opened, self._failed, self._over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        negotiated_id = None if is_announced else 0
        self._channel = self._peer.createDataChannel(channel, negotiated=not is_announced, id=negotiated_id)
        self._channel.on("open", self._opened.set)
        self._channel.on("close", self._failed.set)
        self._first: str | bytes = ""
        self._heard = asyncio.Event()
        self._channel.on("message", self._hear)
        self._peer.on("connectionstatechange", self._look)

    async def offer(self) -> str:
        """Gather our candidates, and return our offer (SDP) with all of them."""
        # Gathering goes on if the caller is cancelled: aioice would leave sockets open.
        self._gathering = asyncio.create_task(self._gather())
        await asyncio.shield(self._gathering)
        return str(self._peer.localDescription.sdp)

    async def answer(self, description: Description) -> None:
        """Apply the home's answer, and begin to connect. Raises ValueError if it doesn't fit our offer."""
        await self._peer.setRemoteDescription(RTCSessionDescription(str(description), "answer"))

    async def candidate(self, candidate: Candidate) -> None:
        """Add a candidate of the home; only after ``answer``."""
        await self._peer.addIceCandidate(as_ice_candidate(candidate, MID))

    async def opened(self) -> None:
        """Wait, without a timeout, until the data channel is open. Raises ``ConnectionFailed``."""
        await self._wait_for(self._opened)

    async def first_message(self) -> str | bytes:
        """Wait for the first message and return it. Raises ``ConnectionFailed`` if the channel closes."""
        await self._wait_for(self._heard)
        return self._first

    async def is_over(self) -> bool:
        """Return, after a failure, whether the connection has ended; False if only the channel was closed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), HANG_UP_SECONDS)
        return self._over.is_set()

    async def close(self) -> None:
        """Close the connection, once gathering has ended, which takes some seconds at most."""
        if self._gathering is not None:
            await asyncio.wait([self._gathering])
        with suppress(TimeoutError):
            await asyncio.wait_for(self._peer.close(), CLOSE_SECONDS)

    async def _wait_for(self, wanted: asyncio.Event) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (wanted, self._failed)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if not wanted.is_set():
            raise ConnectionFailed

    async def _gather(self) -> None:
        await self._peer.setLocalDescription(await self._peer.createOffer())

    def _hear(self, message: str | bytes) -> None:
        if not self._heard.is_set():
            self._first = message
            self._heard.set()

    def _look(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._over.set()
            self._failed.set()


def as_ice_candidate(candidate: Candidate, mid: str) -> RTCIceCandidate:
    """Return a candidate in aiortc's type, for the section ``mid``."""
    return RTCIceCandidate(
        component=1,
        foundation=str(candidate.address),
        ip=str(candidate.address),
        port=candidate.port,
        priority=candidate.priority,
        protocol="udp",
        type=candidate.type,
        sdpMid=mid,
    )
