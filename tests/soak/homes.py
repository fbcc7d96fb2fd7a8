"""Honest homes: they register, lose connections and come back, restart, and answer all calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import aiohttp

from tests.soak.ground import WITHIN, Disturbed, Ground, hear, vanish
from tests.soak.visit import CLIENT, HOME, Traffic, Visit, ice_servers

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ345679"

Socket = aiohttp.ClientWebSocketResponse


def random_remote_id() -> str:
    """Return a Remote ID in the form that homes have today."""
    return "".join(random.choices(LETTERS, k=26))


class Home:
    """An honest home. A ``steady`` one is never away, so that strangers may try to take its Remote ID."""

    def __init__(self, ground: Ground, *, steady: bool, address: str | None = None) -> None:
        self.ground = ground
        self.remote_id = random_remote_id()
        self.address = address or ground.address()
        self.steady = steady
        self.traffic = Traffic(ground)
        self.visitors = 0
        self.welcome = asyncio.Event()
        """Set while clients may begin visits; cleared while the home waits for their end, to restart."""
        self.visits: dict[str, Visit] = {}
        self._ws: Socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._may_end = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def arrive(self) -> None:
        """Connect and register."""
        self._use(await self._register(await self.ground.connect(self.address)))
        self.traffic.go_on()
        self.welcome.set()

    async def live(self) -> None:
        """Be connected, with short absences, until the end."""
        while True:
            await self.ground.pause(8, 25)
            if self.ground.is_over:
                return
            if self.steady:
                continue
            try:
                await self._act()
            except (Disturbed, OSError, aiohttp.ClientError) as problem:
                self.ground.fail(f"an honest home could not come back: {problem!r}")
                return

    async def leave(self) -> None:
        """Say goodbye, unless the connection has failed before."""
        if self._ws is not None:
            await self._end(goodbye=True)
        for task in self._tasks:
            task.cancel()

    async def _act(self) -> None:
        choice = random.random()
        if choice < 0.3:
            await self._fall_silent()
        elif choice < 0.8:
            await self._be_lost()
        else:
            await self._restart()

    async def _fall_silent(self) -> None:
        """Lose the network silently, and come back by another one: the old connection answers no probe."""
        if not await self.traffic.stop():
            return
        assert self._reader is not None
        assert self._ws is not None
        old = self._ws
        self._reader.cancel()
        await asyncio.wait([self._reader])
        newcomer = await self.ground.connect(self.address)
        self._use(await self._register(newcomer))
        await vanish(old)
        self.traffic.go_on()
        self.ground.figures["homes: silent and back"] += 1

    async def _be_lost(self) -> None:
        """Lose the connection, while clients go on sending, and come back within the grace time."""
        if not await self.traffic.stop():
            return
        await self._end(goodbye=False)
        # Until the server has noticed, clients' messages go to a socket that no longer exists.
        async with asyncio.timeout(WITHIN):
            while await self.ground.is_online(self.remote_id, self.address):  # noqa: ASYNC110 - it has to be asked
                await asyncio.sleep(0.2)
        self.traffic.gates[CLIENT].set()
        await asyncio.sleep(random.uniform(0.1, 6))
        await self.arrive()
        self.ground.figures["homes: lost and back"] += 1

    async def _restart(self) -> None:
        """Say goodbye when there is no session, and come back."""
        self.welcome.clear()
        async with asyncio.timeout(60):
            while self.visitors:  # noqa: ASYNC110 - a look at a number, a few times a minute
                await asyncio.sleep(0.1)
        await self._end(goodbye=True)
        await asyncio.sleep(random.uniform(0.1, 2))
        await self.arrive()
        self.ground.figures["homes: restarted"] += 1

    async def _end(self, *, goodbye: bool) -> None:
        assert self._ws is not None
        assert self._reader is not None
        self._may_end = True
        ws, self._ws = self._ws, None
        if goodbye:
            await ws.close()
        else:
            await vanish(ws)
        await asyncio.wait_for(self._reader, WITHIN)

    async def _register(self, ws: Socket) -> Socket:
        await ws.send_json({"type": "register-server", "remoteId": self.remote_id, "iceServers": []})
        answer = await hear(ws)
        if answer != {"type": "registered", "remoteId": self.remote_id}:
            raise Disturbed(f"an honest home was not registered: {answer}")
        self.ground.figures["homes: registrations"] += 1
        return ws

    def _use(self, ws: Socket) -> None:
        self._ws = ws
        self._may_end = False
        self._reader = asyncio.create_task(self._read(ws))

    async def _read(self, ws: Socket) -> None:
        try:
            while True:
                await self._take(ws, await hear(ws))
        except (Disturbed, OSError, TypeError, aiohttp.ClientError) as end:
            if not self._may_end:
                self.ground.fail(f"an honest home lost its connection: {end}")

    async def _take(self, ws: Socket, message: dict[str, Any]) -> None:
        match message["type"]:
            case "client-connected":
                if (visit := self.visits.get(message["sessionId"])) is not None:
                    visit.begin_anew()
                self._spawn(self._say_ready(message["sessionId"]))
            case "client-disconnected":
                self._client_left(message["sessionId"])
            case "offer" | "ice-candidate":
                self._heard(message)
            case "pong":
                pass
            case _:
                self.ground.fail(f"an honest home heard {message}")

    def _client_left(self, session_id: str) -> None:
        visit = self.visits.get(session_id)
        if visit is not None:
            if visit.is_broken:
                self.ground.fail("a home was told that a client left whose call is up")
            visit.home_was_told.set()

    def _heard(self, message: dict[str, Any]) -> None:
        visit = self.visits.get(message["sessionId"])
        if visit is None:
            self.ground.figures["hostile messages that reached a home"] += 1
            return
        index = visit.heard[CLIENT]
        complaint = visit.complaint(CLIENT, message)
        if complaint is not None:
            self.ground.fail(complaint)
            return
        if index >= visit.heard_before:
            self.traffic.take_time(visit, CLIENT, index)
            self.traffic.leave(visit)
            if index == 0:
                self._spawn(self._answer(visit))
        if visit.heard[CLIENT] == visit.total[CLIENT]:
            visit.home_heard_all.set()

    async def _say_ready(self, session_id: str) -> None:
        ready = {"type": "session-ready", "sessionId": session_id, "iceServers": ice_servers(session_id)}
        while not self.traffic.gates[HOME].is_set():
            await self.traffic.gates[HOME].wait()
        if self._ws is not None:
            await self._ws.send_json(ready)

    async def _answer(self, visit: Visit) -> None:
        for index in range(visit.total[HOME]):
            await self.traffic.enter(visit, HOME)
            if self._ws is None:
                return
            self.traffic.stamp(visit, HOME, index)
            await self._ws.send_json(visit.message(HOME, index))
            if random.random() < 0.3:
                await asyncio.sleep(random.uniform(0, 0.2))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work`` while reading goes on; the visit that waits for it in vain reports a failure."""
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (OSError, aiohttp.ClientError) as problem:
            if not self._may_end:
                self.ground.fail(f"an honest home could not send: {problem}")
