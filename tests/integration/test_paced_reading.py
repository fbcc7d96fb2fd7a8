"""What one connection sends is taken in shares, by TCP and by TLS; and no session makes others of its home wait."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.attacks.base import attacked
from tests.support.attackers import Link, Server, message

COUNT = 3000
GUESTS = 20
FLOOD = 5000
"""Messages of one session: read as slowly as that may send, they would take four minutes."""
REQUESTS = 500


class PacedReadingTest(SynchronousTestCase):
    """Far more than one turn's share, at once: all of it is answered, in order, and others are, in between."""

    def play(self, *, tls: bool) -> None:
        async def conversation(server: Server) -> None:
            async with Link(server) as crowd, Link(server) as other, Link(server) as pipeline:
                await crowd.open()
                await other.open()
                # Each is answered with an error that repeats its type.
                sending = asyncio.create_task(
                    crowd.send(b"".join(message(f"T{number}") for number in range(COUNT)))
                )
                requests = asyncio.create_task(
                    pipeline.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n" * REQUESTS)
                )
                await other.say("ping")
                await other.hear("pong")
                heard = [(await crowd.hear("error"))["error"] for _ in range(COUNT)]
                assert heard == [f"Unknown message type: T{number}" for number in range(COUNT)]
                for _ in range(REQUESTS):
                    assert b" 200 " in await pipeline.reader.readline()
                    length = await pipeline.reader.readuntil(b"\r\n\r\n")
                    size = int(length.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                    await pipeline.reader.readexactly(size)
                await asyncio.gather(sending, requests)

        with attacked("--control-burst", "0", "--control-rate", "0", tls=tls) as (server, _):
            asyncio.run(conversation(server))

    def test_tcp(self) -> None:
        self.play(tls=False)

    def test_tls(self) -> None:
        self.play(tls=True)


class PartyTest(SynchronousTestCase):
    """A home with twenty guests, one of whose sessions is flooded: the others don't wait."""

    def play(self, *, tls: bool) -> None:
        async def conversation(server: Server) -> None:
            async with AsyncExitStack() as stack:
                home = await stack.enter_async_context(Link(server, "192.0.2.1"))
                await home.open()
                await home.register("HOME-0001")
                guests: dict[str, Link] = {}
                for _ in range(GUESTS):
                    guest = await stack.enter_async_context(Link(server, "198.51.100.1"))
                    await guest.open()
                    await guest.say("connect-request", remoteId="HOME-0001")
                    session_id = (await home.hear("client-connected"))["sessionId"]
                    await home.say("session-ready", sessionId=session_id)
                    await guest.hear("connected")
                    guests[session_id] = guest
                flooded, *others = guests
                # From the home's side …
                each = message("ice-candidate", sessionId=flooded, data="flood")
                sending = asyncio.create_task(home.send(each * FLOOD))
                for session_id in others:
                    await home.send(message("ice-candidate", sessionId=session_id, data="one of few"))
                    assert (await guests[session_id].hear("ice-candidate"))["data"] == "one of few"
                await sending
                # … and from the client's
                sending = asyncio.create_task(guests[flooded].send(each * FLOOD))
                for session_id in others:
                    await guests[session_id].say("ice-candidate", data=session_id)
                heard: set[str] = set()
                while len(heard) < len(others):
                    heard.add((await home.hear("ice-candidate"))["data"])
                    heard.discard("flood")
                assert heard == set(others)
                await asyncio.gather(sending, return_exceptions=True)
                await home.say("ping")
                await home.hear("pong")

        with attacked(tls=tls) as (server, _):
            asyncio.run(conversation(server))

    def test_tcp(self) -> None:
        self.play(tls=False)

    def test_tls(self) -> None:
        self.play(tls=True)
