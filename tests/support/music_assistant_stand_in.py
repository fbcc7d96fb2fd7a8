"""A stand-in for Music Assistant's web server, with what clients use of it before and after a login."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from types import TracebackType
from typing import Any, Self

from aiohttp import WSCloseCode, WSMsgType, web

TOKEN = "a token of Music Assistant's"
LONG = "ünïcödé 🎵 " * 40_000
"""An answer too long for one message of a data channel."""
LARGE = "large " * 350_000
"""An answer that takes much memory."""

SERVER_INFO = {
    "server_id": "test",
    "server_version": "2.10.0",
    "schema_version": 999,  # at least as new as any web app's
    "min_supported_schema_version": 24,
    "base_url": "http://127.0.0.1:8095",
    "homeassistant_addon": False,
    "onboard_done": True,
}

PROVIDERS = [{"provider_id": "builtin", "provider_type": "builtin", "requires_redirect": False}]


def picture() -> bytes:
    """Return a PNG of 64 by 64 grey points whose bytes hardly compress."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    rows = b"".join(b"\0" + bytes((x * y * 7919 + x * 31) % 251 for x in range(640)) for y in range(480))
    size = (640).to_bytes(4) + (480).to_bytes(4) + b"\x08\0\0\0\0"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(rows, 0))
        + chunk(b"IEND", b"")
    )


PICTURE = picture()


class MusicAssistantStandIn:
    """A web server on loopback; as a context manager it listens."""

    def __init__(self, port: int = 0) -> None:
        """Without a port, any free one is used; a stand-in may use the port of one that has ended."""
        self.port = port
        self.commands: list[dict[str, Any]] = []
        """The commands that clients have sent to the API."""
        self.requests: list[web.Request] = []
        """The received HTTP requests."""
        self.players: list[str | None] = []
        """The names with which clients have introduced their players."""
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_sockets(self) -> int:
        """Return how many WebSockets are open."""
        return len(self._sockets)

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/ws", self._api)
        app.router.add_get("/sendspin", self._sendspin)
        app.router.add_get("/live_announcement", self._announcement)
        app.router.add_get("/imageproxy/picture", self._picture)
        app.router.add_get("/imageproxy/large", self._large)
        app.router.add_get("/imageproxy/endless", self._endless)
        app.router.add_get("/elsewhere", self._redirect)
        app.router.add_get("/{path:.*}", self._missing)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection, and stop listening."""
        for socket in list(self._sockets):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(socket.close(code=WSCloseCode.GOING_AWAY), 2)
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @contextlib.asynccontextmanager
    async def _accepted(self, request: web.Request) -> Any:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            yield socket
        finally:
            self._sockets.discard(socket)

    async def _api(self, request: web.Request) -> web.WebSocketResponse:
        async with self._accepted(request) as socket:
            await socket.send_json(SERVER_INFO)
            async for frame in socket:
                command = json.loads(frame.data)
                self.commands.append(command)
                answers: dict[Any, Any] = {
                    "auth/providers": PROVIDERS,
                    "test/long": LONG,
                    "test/large": LARGE,
                }
                if command.get("args") == {"token": TOKEN}:
                    answers["auth"] = {"authenticated": True, "user": {"username": "somebody"}}
                result = answers.get(command.get("command"))
                await socket.send_json({"message_id": command.get("message_id"), "result": result})
        return socket  # type: ignore[no-any-return]

    async def _sendspin(self, request: web.Request) -> web.WebSocketResponse:
        """Ask for a token, as Music Assistant does, then echo."""
        async with self._accepted(request) as socket:
            first = json.loads((await socket.receive()).data)
            if {**first, "client_id": None} != {"type": "auth", "token": TOKEN, "client_id": None}:
                await socket.close(code=4001)
                return socket  # type: ignore[no-any-return]
            self.players.append(first.get("client_id"))
            await socket.send_json({"type": "auth_ok"})
            await self._echo(socket)
        return socket  # type: ignore[no-any-return]

    async def _announcement(self, request: web.Request) -> web.WebSocketResponse:
        async with self._accepted(request) as socket:
            await self._echo(socket)
        return socket  # type: ignore[no-any-return]

    async def _echo(self, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is WSMsgType.BINARY:
                await socket.send_bytes(frame.data)
            else:
                await socket.send_str(frame.data)

    async def _picture(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(body=PICTURE, content_type="image/png", headers={"Set-Cookie": "secret=1"})

    async def _large(self, request: web.Request) -> web.Response:
        return web.Response(text=LARGE)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        """Send more than any client takes, without a length."""
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(LARGE.encode())

    async def _redirect(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    async def _missing(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(status=404, text=request.raw_path)
