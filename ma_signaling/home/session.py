"""The WebRTC connection of one client, in one session of the signaling server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError

from ma_signaling.check.outcome import printable
from ma_signaling.home import parts
from ma_signaling.home.channel import Channel
from ma_signaling.home.chunks import usable
from ma_signaling.home.identity import Identity
from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Share
from ma_signaling.home.music_assistant import MusicAssistant, Unreachable
from ma_signaling.home.services import Services
from ma_signaling.webrtc.connection import as_ice_candidate
from ma_signaling.webrtc.description import Candidate, Description

Send = Callable[[str, Mapping[str, Any]], None]
"""Sends a message of the session, with this type and ``data``, to the signaling server."""

_log = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0

_CERTIFICATES = "_RTCPeerConnection__certificates"
"""The private attribute for our certificate: aiortc's API has no parameter for one."""


class Session:
    """Waits for an offer, answers it immediately, and serves the data channels that the client opens."""

    def __init__(
        self,
        identity: Identity,
        music_assistant: MusicAssistant,
        limits: Limits,
        share: Share,
        stun: Sequence[str],
        send: Send,
        admits: Callable[[], bool],
        ended: Callable[[], None],
    ) -> None:
        """``share`` is closed with the session. ``admits`` is called when the client opens the API, and returns whether
        it may. ``ended`` is called when the connection can't be used any more; it must then be closed by ``close``."""
        self._limits = limits
        self._share = share
        self._send = send
        self._admits = admits
        self._ended = ended
        self._services = Services(music_assistant, limits, share)
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: asyncio.Task[None] | None = None
        self._early: list[Candidate] = []
        self._named = 0
        self._mid = ""
        self._max_message = 0
        self.has_main = False
        """Whether the client has opened the API."""
        servers = [RTCIceServer(list(stun))] if stun else []
        self._peer = RTCPeerConnection(RTCConfiguration(servers))
        setattr(self._peer, _CERTIFICATES, [identity.certificate])
        self._peer.on("datachannel", self._opened)
        self._peer.on("connectionstatechange", self._look)
        self._deadline = asyncio.get_running_loop().call_later(limits.connect_seconds, ended)
        self._hanging_up: asyncio.TimerHandle | None = None

    @property
    def is_logged_in(self) -> bool:
        """Whether the client has logged in to Music Assistant."""
        return self._services.is_logged_in

    def offer(self, data: object) -> None:
        """Handle the client's offer. A second one is ignored: aiortc doesn't support an ICE restart."""
        if self._answering is None and isinstance(data, dict):
            self._answering = asyncio.create_task(self._answer(str(data.get("sdp"))))

    async def candidate(self, data: object) -> None:
        """Handle an ICE candidate of the client."""
        text = str(data.get("candidate")) if isinstance(data, dict) else ""
        candidate = Candidate.parse(text)
        for tried in self._to_try([] if candidate is None else [candidate]):
            if self._mid:
                await self._add(tried)
            else:
                self._early.append(tried)

    async def close(self) -> None:
        """Stop serving, and close the connection."""
        self._deadline.cancel()
        if self._hanging_up is not None:
            self._hanging_up.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._services.close(), return_exceptions=True)
        self._share.close()
        if self._answering is not None:
            # If cancelled, aioice would leave sockets open; gathering takes some seconds at most.
            await asyncio.wait([self._answering])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._peer.close(), CLOSE_SECONDS)

    def _to_try(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Return the candidates to try, within the limit for the client."""
        tried = candidates[: self._limits.candidates - self._named]
        self._named += len(tried)
        return tried

    async def _answer(self, sdp: str) -> None:
        try:
            theirs = Description.parse(sdp)
            self._max_message = usable(theirs.max_message_size)
            self._early += self._to_try(theirs.candidates)
            offer = str(theirs.with_candidates(()))
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            parts.bound(self._peer.sctp, self._share, self._exceeded)
            answer = await self._peer.createAnswer()
            # The client can begin while our candidates are still being gathered; aiortc returns all of them together.
            self._send("answer", {"type": "answer", "sdp": answer.sdp})
            await self._peer.setLocalDescription(answer)
        except Exception as problem:  # noqa: BLE001 - whatever an offer does to aiortc, it ends its session alone
            _log.info("An offer made no sense: %s", printable(str(problem))[:200])
            self._ended()
            return
        for line in self._peer.localDescription.sdp.splitlines():
            if line.startswith("a=candidate:"):
                own = {"candidate": line.removeprefix("a="), "sdpMid": theirs.mid, "sdpMLineIndex": 0}
                self._send("ice-candidate", own)
        self._mid = theirs.mid
        for candidate in self._early:
            await self._add(candidate)

    async def _add(self, candidate: Candidate) -> None:
        with contextlib.suppress(ValueError, InvalidStateError):
            await self._peer.addIceCandidate(as_ice_candidate(candidate, self._mid))

    def _opened(self, channel: RTCDataChannel) -> None:
        serve = self._services.of(channel.label)
        is_main = serve is None and not self.has_main
        if is_main:
            serve = self._services.api
        if serve is None or len(self._tasks) >= self._limits.channels:
            channel.close()
            return
        if is_main and not self._admits():
            self._ended()
            return
        wrapped = Channel(
            channel,
            self._share,
            self._max_message,
            self._limits.waiting_bytes,
            self._limits.stalled_seconds,
        )
        if is_main:
            self.has_main = True
            self._deadline.cancel()
        task = asyncio.create_task(self._serve(serve, wrapped, is_main=is_main))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, serve: Callable[[Channel], Awaitable[None]], channel: Channel, *, is_main: bool
    ) -> None:
        try:
            await serve(channel)
        except Unreachable:
            pass  # ``MusicAssistant`` has logged it, once for all clients
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("A data channel failed")
        finally:
            channel.drop()
        # aiortc keeps a closed channel's unsent messages as long as the connection lasts.
        if self._hanging_up is None and (is_main or channel.is_stalled):
            self._hanging_up = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._ended)

    def _exceeded(self) -> None:
        _log.warning("A client is cut off: it makes more pile up than any client needs")
        self._ended()

    def _look(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._ended()
