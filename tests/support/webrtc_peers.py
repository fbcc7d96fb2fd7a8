"""A home and a client with real WebRTC (aiortc), who meet through a signaling server.

They do on the wire what Music Assistant's gateway and the web app do, and share no code with the server.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar
from unittest import mock

import aiohttp
import aiortc
from aiortc.sdp import candidate_from_sdp

Message = dict[str, Any]
T = TypeVar("T")

STEP_WITHIN = 15.0
NO_LINGERING = struct.pack("ii", 1, 0)  # makes closing a socket reset the connection
# aiortc makes a certificate for each connection and takes no other, so it has to be replaced from outside.
CERTIFICATES = "_RTCPeerConnection__certificates"


class SignalingError(Exception):
    """The server answered with an error or the wrong thing, or was gone before it answered."""


class FingerprintError(Exception):
    """The certificate announced in an answer isn't the one that the Remote ID stands for."""


def loopback_only() -> AbstractContextManager[object]:
    """Gather candidates on 127.0.0.1 alone: no packet leaves, and it works on a machine without a network."""
    return mock.patch("aioice.ice.get_host_addresses", return_value=["127.0.0.1"])


async def eventually(
    condition: Callable[[], T | None], what: str, within: float = STEP_WITHIN, every: float = 0.02
) -> T:
    """Wait until `condition()` is true and return its value; fail with `what` at the deadline."""
    try:
        async with asyncio.timeout(within):
            while True:
                if value := condition():
                    return value
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}") from None


def remote_id_from_fingerprint(fingerprint: str) -> str:
    """Return the Remote ID that a SHA-256 fingerprint (`AB:CD:…`) stands for."""
    digest = bytes.fromhex(fingerprint.replace(":", ""))
    return base64.b32encode(digest[:16]).decode("ascii").rstrip("=").replace("2", "9")


def remote_id_of(certificate: aiortc.RTCCertificate) -> str:
    """Return the Remote ID of a home that owns `certificate`."""
    (fingerprint,) = (f.value for f in certificate.getFingerprints() if f.algorithm == "sha-256")
    return remote_id_from_fingerprint(fingerprint)


def check_fingerprint(sdp: str, remote_id: str) -> None:
    """Raise `FingerprintError` unless `sdp` has SHA-256 fingerprints and all belong to `remote_id`."""
    fingerprints = re.findall(r"^a=fingerprint:sha-256 +([0-9A-F:]+)\s*$", sdp, re.MULTILINE | re.IGNORECASE)
    found = {remote_id_from_fingerprint(fingerprint) for fingerprint in fingerprints}
    if found != {remote_id.upper()}:
        raise FingerprintError(f"the answer's certificate stands for {sorted(found)}, not for {remote_id}")


def split_candidates(sdp: str) -> tuple[str, list[Message]]:
    """Split the candidates off a one-section `sdp`; return the rest, and them as a browser trickles them."""
    rest = re.sub(r"^a=(candidate:.*|end-of-candidates)\r?\n", "", sdp, flags=re.MULTILINE)
    found = re.findall(r"^a=(candidate:.*?)\r?$", sdp, re.MULTILINE)
    return rest, [{"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0} for candidate in found]


class Peer:
    """One end: a signaling connection whose messages are kept, and handled inline, one after the other."""

    heartbeat: float | None = None
    headers: Mapping[str, str] = {}
    trust: ssl.SSLContext | bool = True
    """Whose certificates are trusted for wss."""
    _session: aiohttp.ClientSession
    _socket: aiohttp.ClientWebSocketResponse
    _listener: asyncio.Task[None] | None = None

    def __init__(self, url: str) -> None:
        """Take the server's WebSocket address."""
        self.url = url
        self.received: list[Message] = []
        self.errors: list[BaseException] = []
        self.sessions: dict[str, aiortc.RTCPeerConnection] = {}

    @property
    def close_code(self) -> int | None:
        """The code that the newest signaling connection was closed with, `None` while it is open."""
        return self._socket.close_code

    def heard(self, kind: str) -> list[Message]:
        """Return the messages of one type among those received."""
        return [message for message in self.received if message["type"] == kind]

    async def send(self, kind: str, **values: Any) -> None:
        """Send one message to the server."""
        await self._socket.send_json({"type": kind, **values})

    async def answer(self, kind: str, since: int = 0, within: float = STEP_WITHIN) -> Message:
        """Wait for one among `received[since:]`; an `error` or a lost connection raises `SignalingError`."""

        def find() -> Message | None:
            for message in self.received[since:]:
                if message["type"] == kind:
                    return message
                if message["type"] == "error":
                    raise SignalingError(message["error"])
            if self.close_code is not None:
                raise SignalingError(f"closed with {self.close_code} before {kind!r} came")
            return None

        return await eventually(find, f"{kind!r} from the server", within)

    async def open(self) -> None:
        """Connect to the server."""
        self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(STEP_WITHIN):
                self._socket = await self._session.ws_connect(
                    self.url, heartbeat=self.heartbeat, headers=self.headers, ssl=self.trust
                )
        except BaseException:
            await self._session.close()
            raise
        self._listener = asyncio.create_task(self._listen())

    async def cut(self) -> None:
        """Reset the TCP connection to the server, without a close frame."""
        self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
        await self._leave(self._session.close())

    async def stop(self) -> None:
        """Say goodbye to the server with 1000, then end the WebRTC connections."""
        # In this order: a connection that is closed while it still gathers candidates leaves sockets behind.
        if self._listener is not None:
            await self._leave(self._socket.close())
        async with asyncio.timeout(STEP_WITHIN):
            while self.sessions:
                await self.sessions.popitem()[1].close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def _leave(self, closing: Awaitable[object]) -> None:
        async with asyncio.timeout(STEP_WITHIN):
            await closing
            if self._listener is not None:
                await self._listener
            await self._session.close()
        self._listener = None

    async def _listen(self) -> None:
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.TEXT:
                message: Message = frame.json()
                self.received.append(message)
                # A message that can't be handled doesn't end the loop; the gateway goes on as well.
                outcome = await asyncio.gather(self._handle(message), return_exceptions=True)
                self.errors += filter(None, outcome)

    async def _handle(self, message: Message) -> None:
        connection = self.sessions.get(message.get("sessionId", ""))
        if message["type"] == "ice-candidate" and connection is not None:
            data = message["data"]
            candidate = candidate_from_sdp(data["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = data["sdpMid"], data["sdpMLineIndex"]
            await connection.addIceCandidate(candidate)


class Home(Peer):
    """A Music Assistant server that echoes what it hears; its WebRTC sessions outlive its signaling."""

    heartbeat = 35.0

    def __init__(self, url: str, *, remote_id: str = "", ice_servers: Sequence[Message] = ()) -> None:
        """Own a new certificate; claim its Remote ID, or another's with `remote_id`."""
        super().__init__(url)
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
                await self.send("session-ready", sessionId=session_id, iceServers=self.ice_servers)
            case "offer" if session_id in self.sessions:
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
        await self.send("answer", sessionId=session_id, data=answer)


class Client(Peer):
    """The web app: asks for a home, makes a peer connection, and talks over its data channel."""

    def __init__(
        self, url: str, remote_id: str, *, use_ice_servers: bool = True, relay_only: bool = False
    ) -> None:
        """Take the home to ask for; without `use_ice_servers` no time is lost on servers that don't exist."""
        super().__init__(url)
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
        await self.send("connect-request", remoteId=self.remote_id)

    async def meet(self) -> None:
        """Wait for the answer to the connect-request, then for the data channel."""
        self.connected = await self.answer("connected", within=30)  # the web app's patience
        self.session_id = self.connected["sessionId"]
        if self.connected["remoteId"] != self.remote_id.upper():
            raise SignalingError(f"asked for {self.remote_id}, got {self.connected['remoteId']}")
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
        for candidate in self._candidates:
            await self._send_to_home("ice-candidate", candidate)

    async def ask(self, text: str) -> str:
        """Say something to the home over the data channel and return what it answers."""
        self.channel.send(text)
        async with asyncio.timeout(STEP_WITHIN):
            return await self._replies.get()

    async def _send_to_home(self, kind: str, data: Message) -> None:
        await self.send(kind, remoteId=self.remote_id, sessionId=self.session_id, data=data)
