"""The peers of ``field_cases``: homes and clients that do what those in the field do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ma_signaling.testing import Client, Home, Message, Peer
from tests.support.libdatachannel_home import LibdatachannelHome
from tests.support.server_process import ServerProcess
from tests.support.trickling_home import TricklingHome


class TrustingClient(Client):
    """A client of a home with a new certificate for each session, none of which matches its Remote ID."""

    def check(self, sdp: str) -> None: ...


class TimedClient(TrustingClient):
    """A client that records when it sent its offer."""

    offered = 0.0

    async def send(self, kind: str, **values: Any) -> None:
        if kind == "offer" and not self.offered:
            self.offered = time.monotonic()
        await super().send(kind, **values)


class ForgetfulHome(Home):
    """A home on aiortc whose signaling breaks when it has got an offer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.has_offer = asyncio.Event()

    async def _accept(self, session_id: str, offer: Message) -> None:
        if self.has_offer.is_set():
            await super()._accept(session_id, offer)
        self.has_offer.set()


class SilentHome(Home):
    """A home that never answers an offer."""

    async def _accept(self, session_id: str, offer: Message) -> None: ...


class Guest(Peer):
    """A client of a party, or its first connection, through the portal; all have one address."""

    headers: Mapping[str, str] = {"X-Forwarded-For": "203.0.113.7"}

    async def visit(self, remote_id: str) -> None:
        """Ask for a home, send an offer, get the answer, and leave."""
        async with self:
            await self.open()
            await self.send("connect-request", remoteId=remote_id)
            await self.answer("connected", within=30)
            await self.send("offer", data={"type": "offer", "sdp": ""})
            await self.answer("answer")


class Host(Peer):
    """The home of a party, which answers each offer."""

    async def _handle(self, message: Message) -> None:
        if message["type"] == "client-connected":
            await self.send("session-ready", sessionId=message["sessionId"])
        elif message["type"] == "offer":
            await self.send("answer", sessionId=message["sessionId"], data={"type": "answer", "sdp": ""})


@asynccontextmanager
async def trickling(
    server: ServerProcess, remote_id: str
) -> AsyncIterator[tuple[TricklingHome, TimedClient]]:
    """Yield a home on libdatachannel, as since 2.10, and its client."""
    async with (
        LibdatachannelHome(is_known=False) as webrtc,
        TricklingHome(server.url, webrtc, remote_id) as home,
        TimedClient(server.url, remote_id) as client,
    ):
        yield home, client
