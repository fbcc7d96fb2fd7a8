"""What one connection sends is taken in shares, by TCP and by TLS; and what the kernel is told of each."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ma_signaling.transport.sockets import KERNEL_BYTES, prepare
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


class SocketOptionsTest(TestCase):
    """The kernel says what it holds for a peer, and gives one up that confirms nothing."""

    async def test_accepted_sockets(self) -> None:
        factory, accepted = Factory(), asyncio.Queue[Any]()
        running: Any = reactor

        class Kept(Protocol):
            def connectionMade(self) -> None:
                accepted.put_nowait(self.transport)

        factory.protocol = Kept
        port = running.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        prepare(port, 90.0)
        with socket.create_connection(("127.0.0.1", port.getHost().port)):
            while accepted.empty():
                await deferLater(running, 0.01)
            transport = accepted.get_nowait()
            handle = transport.getHandle()
            options = {
                socket.TCP_USER_TIMEOUT: 90_000,
                socket.TCP_NOTSENT_LOWAT: KERNEL_BYTES,
                socket.TCP_NODELAY: 1,
            }
            found = {option: handle.getsockopt(socket.IPPROTO_TCP, option) for option in options}
            assert found == options
            transport.abortConnection()
