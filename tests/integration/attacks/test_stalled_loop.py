"""Strangers keep the event loop busy, so that the pong of a living home is read after the timer that waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from ma_signaling.testing import eventually
from tests.integration.attacks.base import AttackTest
from tests.support.attackers import CLOSE, PING, PONG, TEXT, Link, Server, frame, message

REMOTE_ID = "HOME-0001"
FRAGMENTS = frame(b"{", TEXT, fin=False) + frame(b"", 0, fin=False) * 250 + frame(b'"type":"pong"}', 0)
"""One message, in as many frames as a message may have."""

HOMES = 490
"""Each floods its own session, and claims the victim's Remote ID in the middle of it: some 160 MB in all."""

PIECE = 16 * 1024
"""Bytes of a flood that are written at once: others who flood have their turns in between."""

GATHERING_SECONDS = 1.5
"""For how long the server stands still while the first of the floods arrives."""

ANSWER_SECONDS = 0.4
"""What a holder has in the second test: less than a lag of the loop that extends it by itself."""

BEFORE_IT = 200
"""Frames before the pong that was asked for: more than are taken in one turn."""

TRIALS = 5

PIPELINE = b"GET /api/check/HOME HTTP/1.1\r\nHost: h\r\n\r\n" * 2000

Flooders = Callable[[Server, AsyncExitStack], Coroutine[object, object, list[tuple[Link, bytes]]]]
"""Returns connections, open and kept so by the stack, and what each of them floods the server with."""


class Floods:
    """Floods that are sent by a thread of its own, so that the home under attack always has its turn."""

    def __init__(self, server: Server, flooders: Flooders) -> None:
        self._server = server
        self._flooders = flooders
        self._are_ready = threading.Event()
        self._may_begin = threading.Event()

    async def send(self) -> None:
        """Connect; then wait for ``begin``, send all, and drop the connections."""
        await asyncio.to_thread(asyncio.run, self._send())

    async def ready(self) -> None:
        """Wait until all that flood are connected."""
        await asyncio.to_thread(self._are_ready.wait)

    def begin(self) -> None:
        """Let them flood the server."""
        self._may_begin.set()

    async def _send(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                floods = await self._flooders(self._server, stack)
                self._are_ready.set()
                await asyncio.to_thread(self._may_begin.wait)
                await asyncio.gather(*(self._send_one(link, data) for link, data in floods))
        finally:
            self._are_ready.set()

    @staticmethod
    async def _send_one(link: Link, data: bytes) -> None:
        # Whoever floods may be cut.
        with contextlib.suppress(OSError):
            for start in range(0, len(data), PIECE):
                await link.send(data[start : start + PIECE])


class StalledLoopTest(AttackTest):
    """A home keeps its Remote ID through floods.

    Either of two is enough: that what anybody gets of a turn is bounded, or that a verdict comes after reading. Without
    both, homes that flood get the Remote ID, and fragments do unless their senders' budgets hold them up. Apart,
    ``test_turns.py`` and ``test_paced_reading.py`` show the first, ``LateLoopTest`` the second.
    """

    options = ("--takeover-timeout", "2")

    def test_fragments_and_pipelines(self) -> None:
        async def flooders(server: Server, stack: AsyncExitStack) -> list[tuple[Link, bytes]]:
            floods = []
            for number in range(75):
                link = await stack.enter_async_context(Link(server, f"198.51.100.{number % 2}"))
                if number % 3:
                    await link.open()
                    floods.append((link, FRAGMENTS * 100))
                else:
                    floods.append((link, PIPELINE * 4))
            return floods

        self._play(flooders)

    def test_homes_that_flood_their_own_sessions(self) -> None:
        async def flooders(server: Server, stack: AsyncExitStack) -> list[tuple[Link, bytes]]:
            floods = []
            for number in range(HOMES):
                block = f"198.{51 + number // 250}.{number % 250}"
                home = await stack.enter_async_context(Link(server, f"{block}.1"))
                await home.open()
                await home.register(f"OTHER-{number:04}")
                client = await stack.enter_async_context(Link(server, f"{block}.2"))
                await client.open()
                await client.say("connect-request", remoteId=f"OTHER-{number:04}")
                session = (await home.hear("client-connected"))["sessionId"]
                each = message("ice-candidate", sessionId=session, data="x")
                claim = message("register-server", remoteId=REMOTE_ID)
                floods.append((home, each * 400 + claim + each * 3400))
            return floods

        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        self._play(flooders)

    def _play(self, flooders: Flooders) -> None:
        async def attack(server: Server) -> None:
            await self._contend(server, Floods(server, flooders))

        for tls in (False, True):
            self.play(attack, secure=(tls,))

    async def _contend(self, server: Server, floods: Floods) -> None:
        """Let a stranger claim the Remote ID of a home that lives, just before the floods arrive, all at once."""
        async with Link(server, "192.0.2.1") as home, Link(server, "203.0.113.1") as stranger:
            await home.open()
            await home.register(REMOTE_ID)
            obeying = asyncio.create_task(home.obey())
            await stranger.open()
            sending = asyncio.create_task(floods.send())
            try:
                await floods.ready()
                os.kill(server.pid, signal.SIGSTOP)
                await stranger.say("register-server", remoteId=REMOTE_ID)
                floods.begin()
                await asyncio.sleep(GATHERING_SECONDS)
            finally:
                # Where something has failed, too: the thread would wait for ever.
                floods.begin()
                os.kill(server.pid, signal.SIGCONT)
            answer = await stranger.hear("registered", "error", "closed")
            self.assertEqual((answer["type"], answer.get("code")), ("error", "remote-id-taken"))
            await sending
            await home.say("ping")
            await eventually(lambda: home.end() or {"type": "pong"} in home.heard, "a pong")
            self.assertIsNone(home.end())
            obeying.cancel()


class LateLoopTest(AttackTest):
    """No verdict on a home is taken before what it has sent is read, however the loop came to be late."""

    options = ("--takeover-timeout", str(ANSWER_SECONDS), "--control-burst", "0")

    def test_a_pong_that_is_unread_when_its_time_is_over(self) -> None:
        """The server stands still from when it has asked until the time is over: to it, a turn that takes long.

        What belongs to reading first, ``test_timers.py`` shows piece by piece.
        """

        async def attack(server: Server) -> None:
            for _ in range(TRIALS):
                async with Link(server, "192.0.2.1") as home, Link(server, "203.0.113.1") as stranger:
                    home.answers_pings = False
                    await home.open()
                    self.assertEqual((await home.register(REMOTE_ID))["type"], "registered")
                    await stranger.open()
                    asked_at = time.monotonic()
                    await stranger.say("register-server", remoteId=REMOTE_ID)
                    opcode = 0
                    while opcode != PING:
                        opcode, payload = await home.receive()
                    await eventually(lambda: _is_waiting(server.pid), "nothing left to do")
                    os.kill(server.pid, signal.SIGSTOP)
                    is_in_time = time.monotonic() - asked_at < ANSWER_SECONDS
                    try:
                        await home.send(frame(b"", PONG) * BEFORE_IT + frame(payload, PONG))
                        await asyncio.sleep(ANSWER_SECONDS + 0.05)
                    finally:
                        os.kill(server.pid, signal.SIGCONT)
                    answer = await stranger.hear("registered", "error", "closed")
                    if is_in_time:
                        self.assertEqual((answer["type"], answer.get("code")), ("error", "remote-id-taken"))
                        return
                    await home.send(frame(b"\x03\xe8", CLOSE))
            self.fail("this machine took too long each time")

        self.play(attack)


def _is_waiting(pid: int) -> bool:
    """Return whether a process waits for something to happen (proc(5), field 3)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "S"
