"""Plays the conversations of docs/asyncapi.yaml with a running server, and checks every message by its schema."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
from jsonschema import Draft7Validator

from ma_signaling.testing import eventually
from ma_signaling.testing.peer import NO_LINGERING
from tests.support.server_process import ServerProcess

WITHIN = 60.0

Heard = dict[str, Any] | int
"""A message, or a close code."""

PING: Heard = {"type": "ping"}


class Contract:
    """The messages and close codes of the document."""

    def __init__(self, document: Any) -> None:
        self.document = document
        (channel,) = document["channels"].values()
        self.close_codes = {each["code"]: each for each in channel["x-close-codes"]}

    def messages(self, *operations: str) -> list[Any]:
        """Return the messages of these operations."""
        references = [ref for name in operations for ref in self.document["operations"][name]["messages"]]
        return [self.resolve(self.resolve(ref)) for ref in references]

    def resolve(self, reference: Mapping[str, str]) -> Any:
        """Return the part of the document that a ``$ref`` refers to."""
        found = self.document
        for key in reference["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return found

    def faults(self, said: object, schema: object) -> list[str]:
        """Return how ``said`` differs from a schema."""
        root = {"allOf": [schema], "components": self.document["components"]}
        return [error.message for error in Draft7Validator(root).iter_errors(said)]

    def check(self, said: Any, *operations: str) -> None:
        """Assert that one of the operations allows this message."""
        candidates = [m for m in self.messages(*operations) if m["name"] == said["type"]]
        faults = [self.faults(said, message["payload"]) for message in candidates]
        assert [] in faults, f"{said} is no message of {operations}: {faults}"


class Voice:
    """One peer's WebSocket, and what it receives."""

    role: str | None = None

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, contract: Contract
    ) -> None:
        self.socket = socket
        self._session = session
        self._contract = contract
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()
        self._ahead: list[Heard] = []
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                heard = message.json()
                roles = [self.role] if self.role else ["Home", "Client"]
                self._contract.check(heard, *(f"tell{role}" for role in roles))
                self._heard.put_nowait(heard)
            else:
                if message.type is aiohttp.WSMsgType.CLOSE:
                    if message.data != 1000:
                        close = self._contract.close_codes[message.data]
                        assert message.extra in close.get("reasons", [message.extra]), (message, close)
                    self._heard.put_nowait(message.data)
                return

    async def next(self, *, after_pings: bool = True) -> Heard:
        """Return the next message or close code."""
        while True:
            if self._ahead:
                return self._ahead.pop()
            waiting = asyncio.create_task(self._heard.get())
            await asyncio.wait({waiting, self._listening}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and self._heard.empty():
                waiting.cancel()
                # Raises if something that it received broke the contract.
                await self._listening
                raise AssertionError("the connection is gone")
            heard = await waiting
            if heard != PING or not after_pings:
                return heard

    def put_back(self, heard: Heard) -> None:
        """Let ``next`` return this once more."""
        self._ahead.append(heard)

    async def close(self, code: int = 1000) -> None:
        """Say goodbye, and end the connection."""
        await self.socket.close(code=code)
        await self.stop()

    async def cut(self) -> None:
        """Reset TCP."""
        self.socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
        await self.stop()

    async def stop(self) -> None:
        """End the connection, whatever its state."""
        await self._session.close()
        await asyncio.wait({self._listening})


class Stage:
    """Plays one conversation."""

    def __init__(
        self,
        server: ServerProcess,
        contract: Contract,
        conversation: Mapping[str, Any],
    ) -> None:
        self._server = server
        self._contract = contract
        self._from = dict(conversation.get("from", {}))
        self._steps = conversation["steps"]
        self._voices: dict[str, Voice] = {}
        self._bound: dict[str, Any] = {}

    async def play(self) -> None:
        """Play every step, and assert that nothing follows."""
        try:
            for number, step in enumerate(self._steps, 1):
                try:
                    async with asyncio.timeout(WITHIN):
                        await self._step(step)
                except Exception as error:
                    raise AssertionError(f"step {number}, {step}: {error!r}") from error
            for name, voice in self._voices.items():
                await voice.socket.send_json({"type": "ping"})
                heard = await voice.next()
                assert heard == {"type": "pong"}, f"{name} heard {heard} besides"
            for voice in self._voices.values():
                await voice.close()
        finally:
            for voice in self._voices.values():
                await voice.stop()

    async def _step(self, step: Mapping[str, Any]) -> None:
        if "get" in step:
            path, answer = step["get"], step["answers"]
            await eventually(lambda: self._server.get(path) == answer, f"{answer} from {path}", every=0.1)
        elif "server" in step:
            os.kill(self._server.pid, signal.SIGTERM)
        else:
            for number in range(step.get("repeat", 1)):
                try:
                    await self._act(step["peer"], step)
                except aiohttp.ClientConnectionResetError:
                    # A flood may be cut before all of it is sent; the next steps check what its sender received.
                    assert number, "it is closed"
                    break

    async def _act(self, name: str, step: Mapping[str, Any]) -> None:
        voice = await self._voice(name)
        match step:
            case {"sends": message}:
                await self._send(voice, message, binary=step.get("binary", False))
            case {"sendsText": text}:
                await voice.socket.send_str(text)
            case {"hears": message}:
                await self._hear(voice, message, some=step.get("some", False))
            case {"hearsClose": code}:
                heard = await voice.next()
                assert heard == code, heard
                await self._voices.pop(name).close()
            case {"closes": code}:
                await self._voices.pop(name).close(code)
            case {"breaks": True}:
                await self._voices.pop(name).cut()
            case _:
                assert "opens" in step, "no such step"

    async def _voice(self, name: str) -> Voice:
        if name not in self._voices:
            address = self._from.setdefault(name, f"198.51.100.{len(self._from) + 1}")
            session = aiohttp.ClientSession(headers={"X-Forwarded-For": address})
            try:
                socket = await session.ws_connect(self._server.url)
            except BaseException:
                await session.close()
                raise
            self._voices[name] = Voice(session, socket, self._contract)
        return self._voices[name]

    async def _send(self, voice: Voice, template: Any, *, binary: bool) -> None:
        message = self._filled(template)
        self._contract.check(message, "hearHome", "hearClient")
        opening = {"register-server": "Home", "connect-request": "Client"}.get(message["type"])
        voice.role = voice.role or opening
        if binary:
            await voice.socket.send_bytes(json.dumps(message).encode())
        else:
            await voice.socket.send_json(message)

    async def _hear(self, voice: Voice, expected: Any, *, some: bool) -> None:
        self._compare(expected, await voice.next(after_pings=expected != PING))
        while some:
            heard = await voice.next()
            if not isinstance(heard, dict) or heard["type"] != expected["type"]:
                voice.put_back(heard)
                break

    def _filled(self, template: Any) -> Any:
        if isinstance(template, dict):
            return {key: self._filled(value) for key, value in template.items()}
        if isinstance(template, str):
            return re.sub(r"\{(\w+)\}", lambda match: str(self._bound[match[1]]), template)
        return template

    def _compare(self, expected: Any, heard: Any) -> None:
        """Assert that ``heard`` is as expected; a name in braces is bound to the value in its place."""
        if isinstance(expected, dict):
            assert isinstance(heard, dict), heard
            assert expected.keys() == heard.keys(), heard
            for key, value in expected.items():
                self._compare(value, heard[key])
        elif isinstance(expected, str) and (names := re.findall(r"\{(\w+)\}", expected)):
            literals = map(re.escape, re.split(r"\{\w+\}", expected))
            found = re.fullmatch("(.+)".join(literals), str(heard))
            assert found, heard
            for name, value in zip(names, found.groups(), strict=True):
                assert self._bound.setdefault(name, value) == value, (name, value, self._bound)
        else:
            assert expected == heard, heard
