"""The rest of the way to a home: offer, answer, fingerprint, ICE, DTLS, data channel, with aiortc (extra ``check``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import orjson
from aiortc import RTCIceServer
from aiortc.exceptions import InvalidStateError

from ma_signaling.check.outcome import Status, critical
from ma_signaling.check.signaling import Message, Signaling
from ma_signaling.core import remote_id
from ma_signaling.webrtc.connection import ConnectionFailed, HomeConnection
from ma_signaling.webrtc.description import Candidate, Description

CHANNEL = "ma-api"
"""The channel that a home bridges to its API, which sends the first message; we send none."""

API_SECONDS = 10.0
"""Time for Music Assistant's first message; at home it takes some milliseconds."""

MUSIC_ASSISTANT_DOWN = (
    "the way to your home works, but Music Assistant cannot be reached there: is it running?"
)

_Step = Callable[[], Awaitable[tuple[Status, str]]]


class Call:
    """A call to a home, in the session that the message ``connected`` opened."""

    def __init__(self, signaling: Signaling, name: str, connected: Message) -> None:
        self._signaling = signaling
        self._remote_id = name
        self._session_id = connected.get("sessionId")
        self._ice_servers = connected.get("iceServers") or []
        self._connection: HomeConnection | None = None
        self._answer: Description

    def steps(self) -> Iterator[tuple[str, _Step]]:
        """Yield the names and functions of the steps, in order."""
        yield "Answer", self._negotiate
        yield "Identity", self._identify
        yield "Data channel", self._open
        yield "Music Assistant", self._hear

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.close()

    async def _negotiate(self) -> tuple[Status, str]:
        try:
            servers = [
                RTCIceServer(server["urls"], server.get("username"), server.get("credential"))
                for server in self._ice_servers
            ]
            self._connection = HomeConnection(servers, channel=CHANNEL)
            offer = await self._connection.offer()
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            critical(f"the home's list of ICE servers is of no use: {problem!r}")
        self._signaling.send(
            "offer",
            remoteId=self._remote_id,
            sessionId=self._session_id,
            data={"type": "offer", "sdp": offer},
        )
        data = (await self._signaling.first("answer")).get("data")
        try:
            self._answer = Description.parse(str(data.get("sdp")) if isinstance(data, dict) else "")
        except ValueError as problem:
            critical(f"the home's answer makes no sense: {problem}")
        return Status.OK, "the home has answered the offer"

    async def _identify(self) -> tuple[Status, str]:
        if not remote_id.is_fingerprint(self._remote_id):
            return Status.WARNING, "a Remote ID of this form says nothing about the home's certificate"
        if any(remote_id.from_fingerprint(each) != self._remote_id for each in self._answer.fingerprints):
            critical("whoever answered does not have the certificate that this Remote ID stands for")
        return Status.OK, "the certificate is the home's"

    async def _open(self) -> tuple[Status, str]:
        assert self._connection is not None
        try:
            await self._connection.answer(self._answer)
        except (ValueError, InvalidStateError):
            critical("the home's answer makes no sense")
        opening = asyncio.create_task(self._connection.opened())
        trickling = asyncio.create_task(self._take_candidates(self._connection))
        try:
            done, _ = await asyncio.wait([opening, trickling], return_when=asyncio.FIRST_COMPLETED)
            if trickling in done:
                await trickling
            await opening
        except ConnectionFailed:
            if not await self._connection.is_over():
                critical(MUSIC_ASSISTANT_DOWN)
            critical(
                "no way between you: both networks use a NAT that changes ports, and no relay (TURN) helps"
            )
        finally:
            opening.cancel()
            trickling.cancel()
        return Status.OK, "the data channel is open"

    async def _hear(self) -> tuple[Status, str]:
        assert self._connection is not None
        try:
            async with asyncio.timeout(API_SECONDS):
                first = await self._connection.first_message()
        except TimeoutError:
            critical(
                "the way to your home works, but Music Assistant does not answer there: restart Music Assistant"
            )
        except ConnectionFailed:
            self._signaling.verify()
            if not await self._connection.is_over():
                critical(MUSIC_ASSISTANT_DOWN)
            critical("the connection to your home broke before Music Assistant answered")
        try:
            version = orjson.loads(first)["server_version"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            critical("the way to your home works, but what answers there is not Music Assistant")
        self._signaling.verify()
        return Status.OK, f"Music Assistant {version} answers: the app would get through from here"

    async def _take_candidates(self, connection: HomeConnection) -> None:
        """Add the home's trickled candidates as they arrive; invalid ones are ignored."""
        async for message in self._signaling.all("ice-candidate"):
            data = message.get("data")
            candidate = Candidate.parse(str(data.get("candidate"))) if isinstance(data, dict) else None
            if candidate is not None:
                await connection.candidate(candidate)
