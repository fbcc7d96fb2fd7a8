"""The rest of the way to a home: offer, answer, fingerprint, ICE, DTLS, data channel, with aiortc (extra ``check``)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.sdp import candidate_from_sdp

from ma_signaling.check.outcome import Status, critical
from ma_signaling.check.signaling import Message, Signaling
from ma_signaling.core import remote_id

CHANNEL = "ma-api"
"""What a home bridges to its API; nothing is sent over it."""

CLOSE_SECONDS = 5.0

_FINGERPRINT = re.compile(r"a=fingerprint:(\S+) +(\S+)", re.IGNORECASE)

_Step = Callable[[], Awaitable[tuple[Status, str]]]


class Call:
    """One call to a home, in the session that ``connected`` has opened."""

    def __init__(self, signaling: Signaling, name: str, connected: Message) -> None:
        self._signaling = signaling
        self._remote_id = name
        self._session_id = connected.get("sessionId")
        self._ice_servers = connected.get("iceServers") or []
        self._connection: Any = None
        self._channel: Any = None
        self._answer = ""

    def steps(self) -> Iterator[tuple[str, _Step]]:
        """Names and functions, in order."""
        yield "Answer", self._negotiate
        yield "Identity", self._identify
        yield "Data channel", self._open

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._connection.close(), CLOSE_SECONDS)

    async def _negotiate(self) -> tuple[Status, str]:
        try:
            servers = [
                RTCIceServer(server["urls"], server.get("username"), server.get("credential"))
                for server in self._ice_servers
            ]
            self._connection = RTCPeerConnection(RTCConfiguration(servers))
            self._channel = self._connection.createDataChannel(CHANNEL)
            # aiortc gathers its candidates here, and lists them in the offer.
            await self._connection.setLocalDescription(await self._connection.createOffer())
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            critical(f"the home's list of ICE servers is of no use: {problem!r}")
        offer = self._connection.localDescription
        self._signaling.send(
            "offer",
            remoteId=self._remote_id,
            sessionId=self._session_id,
            data={"type": offer.type, "sdp": offer.sdp},
        )
        data = (await self._signaling.first("answer")).get("data")
        self._answer = str(data.get("sdp")) if isinstance(data, dict) else ""
        return Status.OK, "the home has answered the offer"

    async def _identify(self) -> tuple[Status, str]:
        found = [value for hash, value in _FINGERPRINT.findall(self._answer) if hash.lower() == "sha-256"]
        if not remote_id.is_fingerprint(self._remote_id):
            return Status.WARNING, "a Remote ID of this form says nothing about the home's certificate"
        try:
            others = [value for value in found if remote_id.from_fingerprint(value) != self._remote_id]
        except ValueError:
            others = found
        if others or not found:
            critical("whoever answered does not have the certificate that this Remote ID stands for")
        return Status.OK, "the certificate is the home's"

    async def _open(self) -> tuple[Status, str]:
        opened, failed = asyncio.Event(), asyncio.Event()
        self._channel.on("open", opened.set)

        def look() -> None:
            if self._connection.connectionState in ("failed", "closed"):
                failed.set()

        self._connection.on("connectionstatechange", look)
        try:
            description = RTCSessionDescription(_only_sha_256(self._answer), "answer")
            await self._connection.setRemoteDescription(description)
        except (ValueError, InvalidStateError, IndexError, KeyError, AssertionError):
            critical("the home's answer makes no sense")
        trickling = asyncio.create_task(self._take_candidates())
        waiting = [trickling, *(asyncio.create_task(_set(event)) for event in (opened, failed))]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if trickling in done:
            await trickling
        if not opened.is_set():
            critical("no way between you: both networks hide their ports, and no relay (TURN) helps")
        return Status.OK, "the data channel is open: the app would get through from here"

    async def _take_candidates(self) -> None:
        """Add what the home trickles, as it comes; a candidate that makes no sense is nobody's loss."""
        async for message in self._signaling.all("ice-candidate"):
            data = message.get("data")
            try:
                candidate = candidate_from_sdp(data["candidate"].removeprefix("candidate:"))  # type: ignore[index]
                candidate.sdpMid, candidate.sdpMLineIndex = data.get("sdpMid"), data.get("sdpMLineIndex")  # type: ignore[union-attr]
                await self._connection.addIceCandidate(candidate)
            except (AttributeError, AssertionError, IndexError, KeyError, TypeError, ValueError):
                continue


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _only_sha_256(sdp: str) -> str:
    """A description without the fingerprints that cannot be checked, and might be preferred."""
    lines = sdp.splitlines()
    found = [(line, _FINGERPRINT.match(line)) for line in lines]
    kept = [line for line, match in found if match is None or match[1].lower() == "sha-256"]
    return "\r\n".join([*kept, ""])
