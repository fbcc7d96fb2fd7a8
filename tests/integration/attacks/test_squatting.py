"""A squatter registers a home's Remote ID while its owner is away, answers every ping, and keeps trying afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count

from ma_signaling.testing import Home
from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

OWNED_WITHIN = 30.0
"""Seconds within which whoever has the key has the Remote ID (docs/protocol.md, *Takeover*)."""

ACCOMPLICES = 200
"""Those who contend at once, of as many addresses; each comes again with another one."""

LATE_SECONDS = 12.0
"""When a slow one answers: with nothing to connect to, so that its proof lasts for as long as a proof may."""


class SquattingTest(AttackTest):
    """Possession of the key decides, in one server, by TCP and by TLS."""

    options = ("--proof-networks", "127.0.0.0/8")

    def test_squatter(self) -> None:
        async def attack(server: Server) -> None:
            async with Link(server, "198.51.100.66") as squatter, Home(server.url) as owner:
                owner.trust = server.context or True
                await squatter.open()
                self.assertEqual((await squatter.register(owner.remote_id))["type"], "registered")
                obeying = asyncio.create_task(squatter.obey())
                await owner.start(within=OWNED_WITHIN)
                await obeying
                self.assertEqual((squatter.end() or {})["code"], 1013)
                for address in ("198.51.100.66", "192.0.2.1"):
                    async with Link(server, address) as again:
                        await again.open()
                        self.assertEqual((await again.register(owner.remote_id))["code"], "remote-id-taken")
                self.assertIsNone(owner.close_code)

        self.play(attack)

    def test_accomplices(self) -> None:
        """Patient accomplices from many addresses contend without a pause, while the owner asks.

        Some say nothing when they are asked, some answer late, some at once; some with nonsense, and are soon back.
        """

        async def attack(server: Server) -> None:
            numbers, is_over, connecting = count(1), asyncio.Event(), set[int]()

            async def contend(owner: Home, number: int) -> None:
                async with Link(server, f"11.{number // 250}.{number % 250}.1") as link:
                    connecting.remove(number)
                    await link.open()
                    await link.say("register-server", remoteId=owner.remote_id)
                    asked = await link.hear("client-connected", "error", "closed", within=OWNED_WITHIN)
                    if asked["type"] != "client-connected":
                        return
                    await link.say("session-ready", sessionId=asked["sessionId"])
                    await link.hear("offer")
                    await asyncio.sleep(LATE_SECONDS if number % 4 == 1 else 0)
                    sdp = "v=0" if number % 4 == 3 else _answer(owner)
                    if number % 4:
                        data = {"type": "answer", "sdp": sdp}
                        await link.say("answer", sessionId=asked["sessionId"], data=data)
                    await link.hear("error", "closed", within=OWNED_WITHIN)

            async def keep_contending(owner: Home) -> None:
                while not is_over.is_set():
                    number = next(numbers)
                    connecting.add(number)
                    with contextlib.suppress(OSError, EOFError, TimeoutError):
                        await contend(owner, number)
                    connecting.discard(number)

            async with Link(server, "198.51.100.66") as squatter, Home(server.url) as owner:
                owner.trust = server.context or True
                await squatter.open()
                await squatter.register(owner.remote_id)
                tasks = [asyncio.create_task(squatter.obey())]
                tasks += [asyncio.create_task(keep_contending(owner)) for _ in range(ACCOMPLICES)]
                # They are being asked when it comes.
                await asyncio.sleep(12)
                await owner.start(within=OWNED_WITHIN)
                is_over.set()
                # asyncio leaves the socket of one open that is cut off while it connects.
                while connecting:  # noqa: ASYNC110 - tasks of this loop know
                    await asyncio.sleep(0.05)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        self.play(attack)


def _answer(owner: Home) -> str:
    """Return an answer that names the owner's certificate, and an address where nobody is."""
    fingerprint = next(
        each.value for each in owner.certificate.getFingerprints() if each.algorithm == "sha-256"
    )
    return (
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=sctp-port:5000\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:{'a' * 22}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\n"
        "a=candidate:1 1 udp 7 127.0.0.9 9999 typ host\r\n"
    )
