"""A home: it registers, and answers whoever asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import aiortc

from ma_signaling.testing.faults import HomeFault
from ma_signaling.testing.fingerprints import remote_id_of
from ma_signaling.testing.peer import Message, Peer, SignalingError
from ma_signaling.testing.waiting import STEP_WITHIN

CERTIFICATES = "_RTCPeerConnection__certificates"
"""aiortc makes a certificate for each connection and takes no other, so it has to be replaced from outside."""


class Home(Peer):
    """A Music Assistant server that echoes what it hears; its WebRTC sessions outlive its signaling."""

    heartbeat = 35.0

    def __init__(
        self,
        url: str,
        *,
        remote_id: str = "",
        ice_servers: Sequence[Message] = (),
        faults: Collection[HomeFault] = (),
    ) -> None:
        """Own a new certificate; claim its Remote ID, or another's with `remote_id`."""
        super().__init__(url)
        self.faults = frozenset(faults)
        self.answers_pings = HomeFault.NO_PONG not in self.faults
        self.certificate = aiortc.RTCCertificate.generateCertificate()
        self.remote_id = remote_id or remote_id_of(self.certificate)
        self.ice_servers = list(ice_servers)
        self.gathers_from: Sequence[aiortc.RTCIceServer] = []

    async def start(self, within: float = STEP_WITHIN) -> None:
        """Connect and register."""
        before = len(self.received)
        await self.open()
        await self.send("register-server", remoteId=self.remote_id, iceServers=self.ice_servers)
        registered = await self.answer("registered", since=before, within=within)
        if registered["remoteId"] != self.remote_id:
            raise SignalingError(f"{self.remote_id} was registered as {registered['remoteId']}")

    async def reconnect(self, url: str | None = None) -> None:
        """Register again after a loss, maybe at another address; the sessions stay."""
        if self._listener is not None:
            await self._leave(self._socket.close())
        self.url = url or self.url
        await self.start()

    async def _handle(self, message: Message) -> None:
        await super()._handle(message)
        session_id = message.get("sessionId", "")
        match message["type"]:
            case "client-connected":
                self._create_session(session_id)
                if HomeFault.NO_SESSION_READY not in self.faults:
                    await self.send("session-ready", sessionId=session_id, iceServers=self.ice_servers)
            case "offer" if session_id in self.sessions and HomeFault.NO_ANSWER not in self.faults:
                await self._accept(session_id, message["data"])
            case "client-disconnected" if session_id in self.sessions:
                await self.sessions.pop(session_id).close()

    def _create_session(self, session_id: str) -> None:
        connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=list(self.gathers_from)))
        setattr(connection, CERTIFICATES, [self.certificate])
        self.sessions[session_id] = connection

        def bridge(channel: aiortc.RTCDataChannel) -> None:
            channel.add_listener("message", lambda text: channel.send(f"home heard: {text}"))

        connection.add_listener("datachannel", bridge)

    async def _accept(self, session_id: str, offer: Message) -> None:
        connection = self.sessions[session_id]
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(**offer))
        await connection.setLocalDescription(await connection.createAnswer())
        answer = {"sdp": connection.localDescription.sdp, "type": "answer"}
        if HomeFault.FOREIGN_SESSIONS in self.faults:
            await self.send("answer", sessionId="0" * 32, data={"sdp": "", "type": "answer"})
        await self.send("answer", sessionId=session_id, data=answer)
