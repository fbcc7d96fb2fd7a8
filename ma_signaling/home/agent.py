"""The home at the signaling server: it registers, reconnects after every loss, and has a session for each client."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from ma_signaling.check.outcome import printable
from ma_signaling.home.identity import Identity
from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Memory
from ma_signaling.home.music_assistant import MusicAssistant
from ma_signaling.home.session import Session

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 35.0
CONNECT_SECONDS = 20.0
FAREWELL_SECONDS = 2.0
MAX_MESSAGE = 1024 * 1024
SWEEP_SECONDS = 10.0

FIRST_DELAY = 1.0
MAX_DELAY = 60.0
TAKEN_DELAY = 30.0
"""The least delay if another home has the Remote ID (1013), or took it (4000, of other servers)."""
MAX_RETRY_AFTER = 3600.0
"""The longest wait that a server may ask for."""
_TAKEN = (1013, 4000)
_STEADY_SECONDS = 60.0
"""After a connection that lasted this long, the delay starts over."""


class Agent:
    """The home. Calls outlive its connection to the signaling server."""

    def __init__(
        self,
        url: str,
        identity: Identity,
        music_assistant: MusicAssistant,
        limits: Limits,
        stun: Sequence[str],
    ) -> None:
        """``url`` is the signaling server's WebSocket; ``stun`` are the STUN servers for both sides."""
        self._url = url
        self._identity = identity
        self._music_assistant = music_assistant
        self._limits = limits
        self._memory = Memory(limits.all_bytes)
        self._stun = stun
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sessions: dict[str, Session] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._shortest = 0.0

    async def run(self) -> None:
        """Stay connected until cancelled."""
        delay = FIRST_DELAY
        loop = asyncio.get_running_loop()
        try:
            async with aiohttp.ClientSession() as http:
                while True:
                    began = loop.time()
                    self._shortest = 0.0
                    try:
                        code = await self._connection(http)
                    except Exception:  # noqa: BLE001 - whatever it is, the home comes back
                        _log.exception("The connection to the signaling server failed")
                        code = None
                    if loop.time() - began >= _STEADY_SECONDS:
                        delay = FIRST_DELAY
                    if code in _TAKEN:
                        self._shortest = max(self._shortest, TAKEN_DELAY)
                    # Random, so that homes don't all come back at the same moment after a restart.
                    usual = delay * random.uniform(0.5, 1.0)  # noqa: S311
                    await asyncio.sleep(max(usual, self._shortest * random.uniform(1.0, 1.5)))  # noqa: S311
                    delay = min(2 * delay, MAX_DELAY)
        finally:
            await self._close_sessions()

    async def _connection(self, http: aiohttp.ClientSession) -> int | None:
        """Connect, and return the close code once the connection has ended."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await http.ws_connect(
                    self._url, heartbeat=HEARTBEAT_SECONDS, max_msg_size=MAX_MESSAGE
                )
        except (aiohttp.ClientError, OSError) as problem:
            why = "it does not answer" if isinstance(problem, TimeoutError) else str(problem)
            _log.warning("The signaling server cannot be reached: %s", why or type(problem).__name__)
            return None
        self._socket = socket
        try:
            self._say("register-server", remoteId=self._identity.remote_id, **self._ice_servers())
            async for frame in socket:
                try:
                    await self._take(frame)
                except Exception:  # noqa: BLE001 - whatever one message does, the home stays registered
                    _log.exception("A message failed")
        finally:
            self._socket = None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(socket.close(), FAREWELL_SECONDS)
        _log.warning("The connection to the signaling server is lost (%s)", socket.close_code)
        return socket.close_code

    async def _take(self, frame: aiohttp.WSMessage) -> None:
        try:
            message = orjson.loads(frame.data)
        except (orjson.JSONDecodeError, TypeError):
            return
        match message:
            case {"type": "registered"}:
                _log.info("Registered at the signaling server")
            case {"type": "error", "error": str(text)}:
                _log.warning("The signaling server says: %s", printable(text)[:200])
                if message.get("code") == "remote-id-taken":
                    asked = message.get("retryAfter")
                    asked = min(asked, MAX_RETRY_AFTER) if isinstance(asked, int | float) else 0.0
                    self._shortest = max(TAKEN_DELAY, asked)
            case {"type": "client-connected", "sessionId": str(number)}:
                self._begin(number)
            case {"type": "client-disconnected", "sessionId": str(number)}:
                self._end(number)
            case {"type": "offer", "sessionId": str(number), "data": data} if number in self._sessions:
                self._sessions[number].offer(data)
            case {"type": "ice-candidate", "sessionId": str(number), "data": data} if (
                number in self._sessions
            ):
                await self._sessions[number].candidate(data)

    def _begin(self, number: str) -> None:
        self._end(number)
        if len(self._sessions) >= self._limits.sessions + self._limits.connecting:
            self._make_room(self._sessions)

        def send(type: str, data: Mapping[str, Any]) -> None:
            self._say(type, sessionId=number, data=data)

        self._sessions[number] = Session(
            self._identity,
            self._music_assistant,
            self._limits,
            self._memory.share(),
            self._stun,
            send,
            lambda: session in self._sessions.values() and self._admits(),
            lambda: self._end(number, session),
        )
        session = self._sessions[number]
        self._say("session-ready", sessionId=number, **self._ice_servers())

    def _admits(self) -> bool:
        """Return whether one more client may use the API; make room for it if necessary."""
        served = {number: session for number, session in self._sessions.items() if session.has_main}
        if len(served) < self._limits.sessions or self._make_room(served):
            return True
        _log.warning("A client is not admitted: %d have logged in", len(served))
        return False

    def _make_room(self, sessions: Mapping[str, Session]) -> bool:
        """End the oldest session without a login, which anybody can open and hold for ever; return False if none is."""
        for number, session in sessions.items():
            if not session.is_logged_in:
                self._end(number)
                return True
        return False

    def _end(self, number: str, only: Session | None = None) -> None:
        """End a session; with ``only``, just that one, not a later one with the same number."""
        session = self._sessions.get(number)
        if session is None or only not in (None, session):
            return
        del self._sessions[number]
        self._later(session.close())
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._collect)

    def _collect(self) -> None:
        """Free the memory of ended sessions: aiortc's objects are in reference cycles, which Python collects seldom."""
        self._sweep = None
        gc.collect()

    def _say(self, type: str, **fields: object) -> None:
        """Send a message. If it can't be sent it is lost, since the server begins such sessions anew."""
        if self._socket is not None and not self._socket.closed:
            text = orjson.dumps({"type": type, **fields}).decode()
            self._later(self._send(self._socket, text))

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await socket.send_str(text)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _ice_servers(self) -> dict[str, object]:
        """Return the ICE servers for clients; if we have none, the signaling server may add its own."""
        return {"iceServers": [{"urls": list(self._stun)}]} if self._stun else {}

    async def _close_sessions(self) -> None:
        for number in list(self._sessions):
            self._end(number)
        if self._background:
            await asyncio.wait(self._background)
