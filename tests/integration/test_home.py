"""The home's agent as a real process, between a real server and what Music Assistant's web server offers."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from unittest import TestCase

import aiortc

from ma_signaling.testing import STEP_WITHIN, Client, eventually
from tests.support.home_case import play
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import LONG, PICTURE, SERVER_INFO, TOKEN, MusicAssistantStandIn
from tests.support.server_process import ServerProcess


class Tap:
    """A data channel of a client, and what came over it."""

    def __init__(self, channel: aiortc.RTCDataChannel) -> None:
        self.channel = channel
        self.received: asyncio.Queue[str | bytes] = asyncio.Queue()
        channel.add_listener("message", self.received.put_nowait)

    @classmethod
    async def open(cls, client: Client, label: str) -> Tap:
        """Open one more channel in a client's connection."""
        tap = cls(client.sessions[client.session_id].createDataChannel(label))
        await eventually(lambda: tap.channel.readyState == "open", f"an open channel {label}")
        return tap

    async def get(self) -> str | bytes:
        """Return the next message."""
        async with asyncio.timeout(STEP_WITHIN):
            return await self.received.get()

    async def ask(self, message: object) -> str | bytes:
        """Send a message as JSON, and return the next one that comes."""
        self.channel.send(json.dumps(message))
        return await self.get()

    async def until_closed(self) -> None:
        """Wait until the other side has closed it."""
        await eventually(lambda: self.channel.readyState == "closed", "a closed channel")


class Api:
    """The channel ``ma-api`` of a client that has just connected."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def next(self) -> Any:
        """Return the next whole message, put together if it came in pieces."""
        parts: dict[int, bytes] = {}
        while True:
            async with asyncio.timeout(STEP_WITHIN):
                text = await self._client._replies.get()
            assert len(text.encode()) <= 65536, len(text)
            message = json.loads(text)
            if message.get("type") != "__chunk__":
                return message
            parts[message["seq"]] = base64.b64decode(message["b64"])
            if len(parts) == message["count"]:
                return json.loads(b"".join(parts[seq] for seq in range(len(parts))))

    async def ask(self, **message: object) -> Any:
        """Send a message, and return the next one."""
        self._client.channel.send(json.dumps(message))
        return await self.next()


def request(path: object, **more: object) -> dict[str, object]:
    """Return an HTTP request as clients send it over a data channel."""
    return {
        "type": "http-proxy-request",
        "id": str(path),
        "method": "GET",
        "path": path,
        "headers": {},
        **more,
    }


class ServiceTest(TestCase):
    """What a connected client is served."""

    def test_every_channel(self) -> None:
        """One connection, since each takes a second: the API, pieces, HTTP both ways, audio, announcements."""

        async def scenario(
            server: ServerProcess, home: HomeProcess, assistant: MusicAssistantStandIn
        ) -> None:
            async with Client(server.url, home.remote_id) as client:
                await client.connect()
                api = Api(client)
                assert await api.next() == SERVER_INFO
                assert "iceServers" not in client.connected, client.connected
                answer = client.heard("answer")[0]["data"]["sdp"]
                assert "a=candidate" not in answer, "the home answers before it knows its addresses"
                assert client.heard("ice-candidate"), client.received

                long = await api.ask(message_id=1, command="test/long")
                assert long["result"] == LONG
                await self._http_over_api(api, assistant)
                await self._http_channel(client, assistant)
                await self._audio(client, api, assistant)
                announcement = await Tap.open(client, "live_announcement")
                assert await announcement.ask({"type": "auth"}) == '{"type": "auth"}'
                announcement.channel.send(b"\x01\x02")
                assert await announcement.get() == b"\x01\x02"
                unknown = Tap(client.sessions[client.session_id].createDataChannel("something new"))
                await unknown.until_closed()
                assert client.channel.readyState == "open"
                assert not client.errors, client.errors
            await eventually(lambda: not assistant.open_sockets, "no open WebSocket")

        play(scenario)

    async def _http_over_api(self, api: Api, assistant: MusicAssistantStandIn) -> None:
        picture = await api.ask(**request("/imageproxy/picture?size=1"))
        assert picture["status"] == 200, picture
        assert bytes.fromhex(picture["body"]) == PICTURE
        assert list(picture)[-1] == "body", list(picture)
        assert picture["headers"]["content-type"] == "image/png"
        assert "set-cookie" not in picture["headers"]
        redirect = await api.ask(**request("/elsewhere"))
        assert (redirect["status"], redirect["headers"]["location"]) == (302, "http://127.0.0.1:1/")
        before = len(assistant.requests)
        for path in (
            "@127.0.0.1:1/",
            "//127.0.0.1:1/",
            "/\\127.0.0.1/",
            "/a/../b",
            "/a/%2e%2E/b",
            "http://x/",
            5,
        ):
            refused = await api.ask(**request(path))
            assert refused["status"] == 400, (path, refused)
        assert (await api.ask(**request("/", method="POST")))["status"] == 400
        assert len(assistant.requests) == before
        odd = await api.ask(
            **request("/@127.0.0.1:1/%41?a=%2f&b=c", headers={"X-Remote-User-ID": "1", "Range": "bytes=0-"})
        )
        assert bytes.fromhex(odd["body"]) == b"/@127.0.0.1:1/%41?a=%2f&b=c", odd
        seen = assistant.requests[-1].headers
        assert "X-Remote-User-ID" not in seen
        assert seen["Range"] == "bytes=0-"
        assert seen["Host"] == f"127.0.0.1:{assistant.port}"

    async def _http_channel(self, client: Client, assistant: MusicAssistantStandIn) -> None:
        channel = await Tap.open(client, "http_proxy")
        for path in ("/imageproxy/picture?1", "/imageproxy/picture?2"):
            channel.channel.send(json.dumps(request(path)))
        answered = set()
        for _ in range(2):
            header = json.loads(await channel.get())
            assert header["size"] == len(PICTURE), header
            answered.add(header["id"])
            body = b""
            while len(body) < header["size"]:
                part = await channel.get()
                assert isinstance(part, bytes), part
                body += part
            assert body == PICTURE
        assert answered == {"/imageproxy/picture?1", "/imageproxy/picture?2"}

    async def _audio(self, client: Client, api: Api, assistant: MusicAssistantStandIn) -> None:
        stranger = await Tap.open(client, "sendspin")
        stranger.channel.send('{"type": "client/hello"}')
        await stranger.until_closed()
        # The mobile app opens it before it logs in.
        before = assistant.open_sockets
        audio = await Tap.open(client, "sendspin")
        await api.ask(message_id=2, command="auth", args={"token": TOKEN})
        assert assistant.open_sockets == before
        hello = {"type": "client/hello", "payload": {"client_id": "a player"}}
        assert await audio.ask(hello) == json.dumps(hello)
        assert assistant.players == ["a player"]
        audio.channel.send(b"\x00\xff")
        assert await audio.get() == b"\x00\xff"


class LossTest(TestCase):
    """Each part goes and comes back."""

    def test_losses(self) -> None:
        async def scenario(
            server: ServerProcess, home: HomeProcess, assistant: MusicAssistantStandIn
        ) -> None:
            name = home.remote_id
            async with Client(server.url, name) as first, Client(server.url, name) as second:
                await first.connect()
                api = Api(first)
                await api.next()

                await asyncio.to_thread(server.stop)
                assert (await api.ask(message_id=1))["message_id"] == 1
                registered = home.log().count("Registered")
                await asyncio.to_thread(server.start)
                await asyncio.to_thread(home.until_registered, registered)
                assert (await api.ask(message_id=2))["message_id"] == 2

                await assistant.stop()
                await eventually(lambda: first.channel.readyState == "closed", "a closed channel")
                for _ in range(2):
                    async with Client(server.url, name) as early:
                        connecting = asyncio.create_task(early.connect())
                        await eventually(lambda: hasattr(early, "channel"), "a channel")
                        await eventually(lambda: early.channel.readyState == "closed", "a closed channel")
                        connecting.cancel()
                assert home.log().count("Music Assistant cannot be reached: ") == 1, home.log()
                await assistant.start()
                await second.connect()
                assert await Api(second).next() == SERVER_INFO
                assert home.log().count("Music Assistant can be reached again") == 1, home.log()

            await asyncio.to_thread(home.stop)
            assert (home.state / "home.pem").stat().st_mode & 0o777 == 0o600
            await asyncio.to_thread(home.start)
            assert home.log().count(f"Remote ID: {name}") == 2, home.log()

        play(scenario)

    def test_too_many_sessions(self) -> None:
        """Who has not logged in gives way, connected or not; who has stays."""

        async def scenario(
            server: ServerProcess, home: HomeProcess, assistant: MusicAssistantStandIn
        ) -> None:
            async with (
                Client(server.url, home.remote_id) as first,
                Client(server.url, home.remote_id) as idle,
                Client(server.url, home.remote_id) as stranger,
                Client(server.url, home.remote_id) as second,
                Client(server.url, home.remote_id) as third,
            ):
                await first.connect()
                await self._log_in(Api(first))
                await idle.request()
                await idle.answer("connected")
                await stranger.connect()
                assert await Api(stranger).ask(message_id=1, command="auth") == SERVER_INFO
                await second.connect()
                await eventually(lambda: stranger.channel.readyState == "closed", "room for another")
                await self._log_in(Api(second))
                connecting = asyncio.create_task(third.connect())
                await eventually(lambda: "not admitted" in home.log(), "a refusal")
                await eventually(lambda: third.channel.readyState == "closed", "its end")
                connecting.cancel()
                assert first.channel.readyState == second.channel.readyState == "open"

        play(scenario, "--max-sessions", "2")

    async def _log_in(self, api: Api) -> None:
        assert await api.next() == SERVER_INFO
        answer = await api.ask(message_id=1, command="auth", args={"token": TOKEN})
        assert answer["result"]["authenticated"], answer
