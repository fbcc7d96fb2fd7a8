"""A home as Music Assistant's since 2.10, on libdatachannel: it answers first, then trickles; its signaling breaks."""

from __future__ import annotations

import asyncio
from typing import Any

from ma_signaling.testing import Message, Peer
from tests.support.libdatachannel_home import LibdatachannelHome


class TricklingHome(Peer):
    """The signaling of a home; its WebRTC is a program of its own.

    At the moment that ``breaks`` names, before or after a message of its own, its connection breaks. It then sends
    nothing until it connects again.
    """

    heartbeat = 35.0

    def __init__(self, url: str, webrtc: LibdatachannelHome, remote_id: str) -> None:
        """Take the WebRTC of the home, and its Remote ID."""
        super().__init__(url)
        self.webrtc = webrtc
        self.remote_id = remote_id
        self.breaks = ""
        """When its connection breaks, such as "before answer"."""
        self.has_broken = asyncio.Event()
        self.candidate_first = False
        """Whether its candidates overtake its answer, as may happen with a thread of their own."""
        self.hears_on = True
        """Whether it still handles what has arrived when its signaling breaks."""
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect and register, maybe again."""
        if self._listener is not None:
            await self._leave(self._socket.close())
        if self.has_broken.is_set():
            self.breaks = ""
            self.has_broken.clear()
        before = len(self.received)
        await self.open()
        await self.send("register-server", remoteId=self.remote_id, iceServers=[])
        await self.answer("registered", since=before)

    async def blip(self, seconds: float = 0.0) -> None:
        """Lose the signaling, and come back after ``seconds``."""
        await self.cut()
        await asyncio.sleep(seconds)
        await self.start()

    async def cut(self) -> None:
        # A pump ends for good with the signaling connection for which it was begun.
        for pump in self._pumps:
            pump.cancel()
        await super().cut()

    async def send(self, kind: str, **values: Any) -> None:
        if self.breaks == f"before {kind}":
            self.has_broken.set()
        if self.has_broken.is_set():
            return
        await super().send(kind, **values)
        if self.breaks == f"after {kind}":
            self.has_broken.set()

    async def _handle(self, message: Message) -> None:
        if self.has_broken.is_set() and not self.hears_on:
            return
        session = message.get("sessionId", "")
        match message["type"]:
            case "client-connected":
                await self.send("session-ready", sessionId=session, iceServers=[])
            case "offer":
                answer = await self.webrtc.answer(message["data"]["sdp"], session)
                if self.candidate_first:
                    await self._trickle(session)
                await self.send("answer", sessionId=session, data={"type": "answer", "sdp": answer})
                pump = asyncio.create_task(self._pump(session))
                self._pumps.add(pump)
                pump.add_done_callback(self._pumps.discard)
            case "ice-candidate":
                self.webrtc.add(message["data"]["candidate"], session)
            case "client-disconnected":
                self.webrtc.close(session)

    async def _pump(self, session: str) -> None:
        while True:
            await self._trickle(session)

    async def _trickle(self, session: str) -> None:
        # Without ``sdpMLineIndex``.
        candidate = {"candidate": await self.webrtc.candidates[session].get(), "sdpMid": "0"}
        await self.send("ice-candidate", sessionId=session, data=candidate)
