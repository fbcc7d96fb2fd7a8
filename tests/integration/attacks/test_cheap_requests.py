"""Requests that cost their sender next to nothing, and this server a whole processor: HEAD in a row, canned hellos."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.attacks.base import attacked
from tests.support.attackers import Link, Server

BUDGET = 300
"""What an address may send within a minute, of either."""

SECONDS = 2.0
REQUESTS = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" * 500
HELLO = bytes.fromhex(
    "16030100a5010000a10303"
    + "11" * 32
    + "20"
    + "22" * 32
    + "0004130113020100005400000000000e000c0000096c6f63616c686f7374002b0003020304000d000a00080403080408050806"
    "000a00040002001d003300260024001d0020" + "33" * 32
)


class CheapRequestsTest(SynchronousTestCase):
    """Beyond an address's budget its sockets are closed without an answer."""

    def test_pipelined_heads(self) -> None:
        async def attack(server: Server) -> int:
            answered = 0
            ends = asyncio.get_running_loop().time() + SECONDS
            while asyncio.get_running_loop().time() < ends:
                try:
                    async with Link(server) as link:
                        await link.send(REQUESTS)
                        while data := await asyncio.wait_for(link.reader.read(65536), 1):
                            answered += data.count(b"HTTP/1.1 ")
                except (OSError, EOFError, TimeoutError):
                    await asyncio.sleep(0.001)
            return answered

        with attacked("--trusted-proxies", "none", "--requests-per-minute", str(BUDGET)) as (server, _):
            self.assertIn(asyncio.run(attack(server)), range(BUDGET // 2, BUDGET + 1))

    def test_hellos(self) -> None:
        async def one(port: int) -> bool:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            try:
                writer.write(HELLO)
                return bool(await asyncio.wait_for(reader.read(100), 2))
            except (OSError, TimeoutError):
                return False
            finally:
                writer.transport.abort()

        async def attack(server: Server) -> int:
            answered = 0
            for _ in range(20):
                answered += sum(await asyncio.gather(*(one(server.port) for _ in range(50))))
            return answered

        options = ("--trusted-proxies", "none", "--sockets-per-minute", str(BUDGET))
        with attacked(*options, tls=True) as (server, process):
            self.assertIn(asyncio.run(attack(server)), range(BUDGET // 2, BUDGET + 1))
            self.assertTrue(Path(f"/proc/{process.pid}").exists())
