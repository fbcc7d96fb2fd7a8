"""What one connection sends is taken in shares, by TCP and by TLS."""

from __future__ import annotations

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.attacks.base import attacked
from tests.support.attackers import Link, Server, message

COUNT = 3000
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
