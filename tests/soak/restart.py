"""``python -m tests.soak.restart [HOMES]``: an upgrade under load, with systemd's socket, and what peers notice of it.

Homes behave like Music Assistant's gateway: they come back 10 s after their connection was closed, then 20 s, 40 s …
Each home has a call that is up. Meanwhile clients ask for homes, by ``/api/check`` and by a ``connect-request`` that
must be answered. No request may be refused, and no client in a call may be told that the call is over.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from dataclasses import dataclass, field

import aiohttp

from tests.support.systemd_stand_in import Unit, everywhere, unit_environment

RETRY_SECONDS = 10.0
"""The gateway's first delay."""

ASK_SECONDS = 0.1
"""Pause between two requests."""

ANSWER_SECONDS = 30.0
"""How long the web app waits for the answer to its request."""


@dataclass
class Result:
    """What peers noticed of an upgrade."""

    homes: int
    checks: int = 0
    requests: int = 0
    asked_again: int = 0
    """Requests whose socket the restart closed before they were answered: the web app asks again by itself."""
    failures: list[str] = field(default_factory=list)
    slowest_check: float = 0.0
    slowest_request: float = 0.0
    ended_calls: list[str] = field(default_factory=list)
    down_seconds: float = 0.0
    """Seconds between the end of one process and the readiness of the next."""
    last_home_after: float = 0.0
    """Seconds from SIGTERM until the last home was back."""


class Play:
    """One upgrade."""

    def __init__(self, homes: int, retry_seconds: float = RETRY_SECONDS) -> None:
        self.result = Result(homes)
        self._retry_seconds = retry_seconds
        self._began = 0.0
        self._back: set[str] = set()
        self._registered = 0
        self._calling = 0
        self._all_registered, self._all_back, self._all_calling = (asyncio.Event() for _ in range(3))
        self._is_over = False

    async def run(self) -> Result:
        """Play the upgrade until the last home is back."""
        names = [f"HOME{number:05}" for number in range(self.result.homes)]
        environment = {**unit_environment(), "MA_SIGNALING_MAX_CONNECTIONS": "0"}
        with Unit(environment, everywhere()) as unit:
            await asyncio.to_thread(unit.start)
            self._url = f"ws://127.0.0.1:{unit.port}/ws"
            self._http = f"http://127.0.0.1:{unit.port}"
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as self._session:
                homes = [asyncio.create_task(self._home(name, number)) for number, name in enumerate(names)]
                await self._all_registered.wait()
                calls = [asyncio.create_task(self._call(name, number)) for number, name in enumerate(names)]
                await self._all_calling.wait()
                asking = asyncio.create_task(self._ask(names))
                await asyncio.sleep(1)
                await self._upgrade(unit)
                await self._all_back.wait()
                self.result.last_home_after = time.monotonic() - self._began
                self._is_over = True
                await asking
                for task in (*homes, *calls):
                    task.cancel()
                await asyncio.gather(*homes, *calls, return_exceptions=True)
            assert "Traceback" not in unit.log(), unit.log()
        return self.result

    async def _upgrade(self, unit: Unit) -> None:
        self._began = time.monotonic()
        unit.signal(signal.SIGTERM)
        await asyncio.to_thread(unit.wait)
        ended = time.monotonic()
        await asyncio.to_thread(unit.start)
        self.result.down_seconds = time.monotonic() - ended

    async def _home(self, name: str, number: int) -> None:
        address = {"X-Forwarded-For": f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}"}
        while True:
            wait = self._retry_seconds
            try:
                async with self._session.ws_connect(self._url, headers=address, heartbeat=35) as socket:
                    await socket.send_json({"type": "register-server", "remoteId": name})
                    async for message in socket:
                        await self._answer(socket, name, message.json())
            except aiohttp.ClientError as problem:
                self.result.failures.append(f"home: {problem!r}")
            await asyncio.sleep(wait)

    async def _answer(
        self, socket: aiohttp.ClientWebSocketResponse, name: str, message: dict[str, str]
    ) -> None:
        if message["type"] == "registered":
            self._registered += 1
            if self._began:
                self._back.add(name)
            if self._registered == self.result.homes:
                self._all_registered.set()
            if len(self._back) == self.result.homes:
                self._all_back.set()
        elif message["type"] == "client-connected":
            await socket.send_json({"type": "session-ready", "sessionId": message["sessionId"]})
        elif message["type"] == "offer":
            answer = {"type": "answer", "sdp": "v=0\r\n"}
            await socket.send_json({"type": "answer", "sessionId": message["sessionId"], "data": answer})

    async def _call(self, name: str, number: int) -> None:
        """Play the client of a call that is up: it listens until its socket is closed."""
        address = {"X-Forwarded-For": f"11.{number >> 16}.{(number >> 8) & 255}.{number & 255}"}
        async with self._session.ws_connect(self._url, headers=address) as socket:
            await socket.send_json({"type": "connect-request", "remoteId": name})
            async for message in socket:
                content = message.json()
                if content["type"] == "connected":
                    await socket.send_json({"type": "offer", "data": {"type": "offer", "sdp": "v=0\r\n"}})
                elif content["type"] == "answer":
                    self._calling += 1
                    if self._calling == self.result.homes:
                        self._all_calling.set()
                elif content["type"] in ("peer-disconnected", "error"):
                    self.result.ended_calls.append(f"{name}: {content}")
            if socket.close_code != 1012:
                self.result.ended_calls.append(f"{name}: closed with {socket.close_code}")

    async def _ask(self, names: list[str]) -> None:
        chosen, number, tasks = random.Random(1), 0, set[asyncio.Task[None]]()
        while not self._is_over:
            number += 1
            address = {"X-Forwarded-For": f"12.{number >> 16}.{(number >> 8) & 255}.{number & 255}"}
            name = chosen.choice(names)
            for task in (self._check(name, address), self._request(name, address)):
                running = asyncio.create_task(task)
                tasks.add(running)
                running.add_done_callback(tasks.discard)
            await asyncio.sleep(ASK_SECONDS)
        await asyncio.gather(*tasks)

    async def _check(self, name: str, address: dict[str, str]) -> None:
        began = time.monotonic()
        try:
            async with self._session.get(f"{self._http}/api/check/{name}", headers=address) as reply:
                if reply.status != 200:
                    self.result.failures.append(f"check: {reply.status} {await reply.text()}")
        except aiohttp.ClientError as problem:
            self.result.failures.append(f"check: {problem!r}")
        self.result.checks += 1
        self.result.slowest_check = max(self.result.slowest_check, time.monotonic() - began)

    async def _request(self, name: str, address: dict[str, str]) -> None:
        """Request a session as the web app does: if the restart closes the socket, open a new one and ask again."""
        began = time.monotonic()
        answer = ""
        while not answer and time.monotonic() - began < ANSWER_SECONDS:
            try:
                async with self._session.ws_connect(self._url, headers=address) as socket:
                    await socket.send_json({"type": "connect-request", "remoteId": name})
                    async for message in socket:
                        answer = message.json()["type"]
                        if answer != "ping":
                            break
                        answer = ""
                    if answer == "error" and message.json()["code"] in ("server-disconnected", "restarting"):
                        answer = ""
                self.result.asked_again += not answer
            except aiohttp.ClientError as problem:
                answer = repr(problem)
        if answer != "connected":
            self.result.failures.append(f"request for {name}: {answer or 'no answer'}")
        self.result.requests += 1
        self.result.slowest_request = max(self.result.slowest_request, time.monotonic() - began)


def main() -> None:
    """Play an upgrade with as many homes as the command line says, and print what was noticed."""
    result = asyncio.run(Play(int(sys.argv[1]) if len(sys.argv) > 1 else 500).run())
    for name, value in vars(result).items():
        shown = f"{len(value)} {value[:5]}" if isinstance(value, list) else value
        print(f"{name}: {shown:.2f}" if isinstance(shown, float) else f"{name}: {shown}")  # noqa: T201
    sys.exit(bool(result.failures or result.ended_calls))


if __name__ == "__main__":
    main()
