"""A client: it asks for a home, and opens a data channel to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import aiortc

from ma_signaling.testing.faults import ClientFault
from ma_signaling.testing.fingerprints import check_fingerprint
from ma_signaling.testing.peer import Message, Peer, SignalingError, split_candidates
from ma_signaling.testing.waiting import STEP_WITHIN, eventually


class Client(Peer):
    """The web app: asks for a home, makes a peer connection, and talks over its data channel."""

    def __init__(
        self,
        url: str,
        remote_id: str,
        *,
        use_ice_servers: bool = True,
        relay_only: bool = False,
        faults: Collection[ClientFault] = (),
    ) -> None:
        """Take the home to ask for; without `use_ice_servers` no time is lost on servers that don't exist."""
        super().__init__(url)
        self.faults = frozenset(faults)
        self.answers_pings = ClientFault.NO_PONG not in self.faults
        self.remote_id = remote_id
        self.use_ice_servers = use_ice_servers
        self.relay_only = relay_only
        self.connected: Message = {}
        self.session_id = ""
        self.channel: aiortc.RTCDataChannel
        self._candidates: list[Message] = []
        self._replies: asyncio.Queue[str] = asyncio.Queue()

    async def connect(self) -> None:
        """Go all the way from asking for the home to an open data channel."""
        await self.request()
        await self.meet()

    async def request(self) -> None:
        """Connect to the server and ask for the home."""
        await self.open()
        if ClientFault.NONSENSE in self.faults:
            await self.send_text("{no JSON")
        await self.send("connect-request", remoteId=self.remote_id)
        if ClientFault.NONSENSE in self.faults:
            await self.send("no message of the protocol")

    async def meet(self) -> None:
        """Wait for the answer to the connect-request, then for the data channel."""
        self.connected = await self.answer("connected", within=30)  # the web app's patience
        self.session_id = self.connected["sessionId"]
        if self.connected["remoteId"] != self.remote_id.upper():
            raise SignalingError(f"asked for {self.remote_id}, got {self.connected['remoteId']}")
        if ClientFault.NO_OFFER in self.faults:
            return
        servers = self.connected.get("iceServers", []) if self.use_ice_servers else []
        configuration = aiortc.RTCConfiguration([aiortc.RTCIceServer(**server) for server in servers])
        if self.relay_only:
            configuration.iceTransportPolicy = aiortc.RTCIceTransportPolicy.RELAY
        connection = aiortc.RTCPeerConnection(configuration)
        self.sessions[self.session_id] = connection
        self.channel = connection.createDataChannel("ma-api")
        self.channel.add_listener("message", self._replies.put_nowait)
        await connection.setLocalDescription(await connection.createOffer())
        sdp, self._candidates = split_candidates(connection.localDescription.sdp)
        await self._send_to_home("offer", {"sdp": sdp, "type": "offer"})
        await self.trickle()
        answer = (await self.answer("answer"))["data"]
        self.check(answer["sdp"])
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(**answer))
        await eventually(lambda: self.channel.readyState == "open", "an open data channel")

    def check(self, sdp: str) -> None:
        """Raise `FingerprintError` unless this answer is that of the home that was asked for."""
        check_fingerprint(sdp, self.remote_id)

    async def trickle(self) -> None:
        """Send the own candidates to the home, each in a message of its own."""
        if ClientFault.NONSENSE_CANDIDATES in self.faults:
            for nonsense in (
                "",
                "candidate:",
                "candidate:1 1 udp 1 999.0.0.1 99999 typ host",
                "candidate:1 1 tcp x",
            ):
                await self._send_to_home(
                    "ice-candidate", {"candidate": nonsense, "sdpMid": "0", "sdpMLineIndex": 0}
                )
        for candidate in self._candidates:
            await self._send_to_home("ice-candidate", candidate)

    async def ask(self, text: str) -> str:
        """Say something to the home over the data channel and return what it answers."""
        self.channel.send(text)
        async with asyncio.timeout(STEP_WITHIN):
            return await self._replies.get()

    async def _send_to_home(self, kind: str, data: Message) -> None:
        session_id = "0" * 32 if ClientFault.FOREIGN_SESSIONS in self.faults else self.session_id
        await self.send(kind, remoteId=self.remote_id, sessionId=session_id, data=data)
