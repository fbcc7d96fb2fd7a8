"""Impostors without the key who have the home itself answer for them: by signaling, or by packets of DTLS."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import aioice

from ma_signaling.testing import Home, eventually
from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

SESSION_WITHIN = 40.0

STALL_SECONDS = 13.0
"""What a slow offer takes: less than a probe of a busy home may, and two of them more than the holder's time."""

ANSWERED_WITHIN = 5.0
"""In which a home would answer that has begun to work on an offer by then."""

NO_ANSWER = {"type": "answer", "sdp": ""}
"""Ends the proof, so that nobody has to wait for its time to be over."""


class SlowHome(Home):
    """A home that takes its time for every offer, and for everything behind it."""

    seconds = 0.0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.hurry = asyncio.Event()

    async def _accept(self, session_id: str, offer: dict[str, Any]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self.hurry.wait()
        await super()._accept(session_id, offer)


class BorrowedProofsTest(AttackTest):
    """The home keeps its Remote ID, whatever others have it say."""

    options = ("--proof-networks", "127.0.0.0/8")

    def test_relayed_offer_to_a_home_that_is_asked_no_longer(self) -> None:
        """Slow offers keep the home busy until its time to prove itself is over; then the impostor is asked.

        Nothing but that clients' offers wait meanwhile keeps the home from answering in its place.
        """

        async def attack(server: Server) -> None:
            async with (
                SlowHome(server.url) as home,
                Link(server, "203.0.113.7") as staller,
                Link(server, "203.0.113.8") as client,
                Link(server, "198.51.100.65") as accomplice,
            ):
                home.trust = server.context or True
                await home.start()
                for link in (staller, client):
                    await link.open()
                    await link.call(home.remote_id)
                await accomplice.open()
                home.seconds = STALL_SECONDS
                await staller.say("offer", data={"type": "offer", "sdp": "v=0"})
                await eventually(lambda: home.heard("offer"), "a home at work")
                # It answers the probe between two offers, so that it lives; the request for its proof comes after both.
                await accomplice.say("register-server", remoteId=home.remote_id)
                await asyncio.sleep(0.5)
                await staller.say("offer", data={"type": "offer", "sdp": "v=0"})
                await eventually(lambda: len(home.heard("offer")) == 2, "it at the second", STALL_SECONDS + 5)
                home.seconds = 0.0
                # The accomplice is asked by now, and says nothing: the impostor is asked when its time is over.
                self.assertEqual(await self._relay(server, client, home.remote_id), "remote-id-taken")
                self.assertEqual(len(home.heard("client-connected")), 3)
                self.assertIsNone(home.close_code)
                home.hurry.set()

        self.play(attack)

    def test_relayed_packets_of_an_earlier_session(self) -> None:
        """An impostor ends ICE itself, and passes DTLS on to a session that it began with the home as a client."""

        async def attack(server: Server) -> None:
            async with SlowHome(server.url) as home:
                home.trust = server.context or True
                await home.start()
                async with Link(server, "203.0.113.7") as client:
                    await client.open()
                    await client.call(home.remote_id)
                    to_home = aioice.Connection(ice_controlling=True)
                    await to_home.gather_candidates()
                    # The home learns a fingerprint that belongs to nobody, as DTLS will be the server's.
                    await client.say(
                        "offer", data={"type": "offer", "sdp": _description(to_home, "AB", "actpass")}
                    )
                    answer = (await client.hear("answer"))["data"]["sdp"]
                    joining = asyncio.create_task(_join(to_home, answer))
                    home.seconds = 60.0
                    code = await self._contend(server, home.remote_id, to_home, answer)
                    self.assertEqual(code, "remote-id-taken")
                    joining.cancel()
                    await to_home.close()
                home.hurry.set()
                self.assertIsNone(home.close_code)

        self.play(attack)

    async def _relay(self, server: Server, client: Link, remote_id: str) -> str:
        """Contend for a Remote ID, passing our offer on to its holder by ``client``; return the verdict."""
        async with Link(server, "198.51.100.66") as impostor:
            await impostor.open()
            await impostor.say("register-server", remoteId=remote_id)
            session = ""
            while True:
                heard = await impostor.hear(
                    "client-connected", "offer", "registered", "error", "closed", within=SESSION_WITHIN
                )
                if heard["type"] == "client-connected":
                    session = heard["sessionId"]
                    await impostor.say("session-ready", sessionId=session)
                elif heard["type"] == "offer":
                    await client.say("offer", data=heard["data"])
                    answer = NO_ANSWER
                    with contextlib.suppress(TimeoutError):
                        answer = (await client.hear("answer", within=ANSWERED_WITHIN))["data"]
                    await impostor.say("answer", sessionId=session, data=answer)
                else:
                    return str(heard.get("code", heard["type"]))

    async def _contend(self, server: Server, remote_id: str, to_home: aioice.Connection, answer: str) -> str:
        """Contend with the home's fingerprint and ICE of one's own; return the verdict."""
        async with Link(server, "198.51.100.66") as impostor:
            await impostor.open()
            await impostor.say("register-server", remoteId=remote_id)
            to_server = aioice.Connection(ice_controlling=False)
            passing: list[asyncio.Task[None]] = []
            try:
                while True:
                    heard = await impostor.hear(
                        "client-connected", "offer", "registered", "error", "closed", within=SESSION_WITHIN
                    )
                    if heard["type"] == "client-connected":
                        await impostor.say("session-ready", sessionId=heard["sessionId"])
                    elif heard["type"] == "offer":
                        await to_server.gather_candidates()
                        fingerprint = re.search(r"a=fingerprint:sha-256 (\S+)", answer)
                        assert fingerprint is not None
                        sdp = _description(to_server, fingerprint[1], "active")
                        await impostor.say(
                            "answer", sessionId=heard["sessionId"], data={"type": "answer", "sdp": sdp}
                        )
                        passing += [
                            asyncio.create_task(_pass_on(to_server, to_home, heard["data"]["sdp"])),
                        ]
                    else:
                        return str(heard.get("code", heard["type"]))
            finally:
                for task in passing:
                    task.cancel()
                await asyncio.gather(*passing, return_exceptions=True)
                await to_server.close()


async def _join(connection: aioice.Connection, sdp: str) -> None:
    """Connect to the peer that ``sdp`` describes."""
    for line in re.findall(r"a=candidate:(.*)", sdp):
        await connection.add_remote_candidate(aioice.Candidate.from_sdp(line.strip()))
    await connection.add_remote_candidate(None)
    user, password = re.search(r"a=ice-ufrag:(\S+)", sdp), re.search(r"a=ice-pwd:(\S+)", sdp)
    assert user is not None
    assert password is not None
    connection.remote_username, connection.remote_password = user[1], password[1]
    await connection.connect()


async def _pass_on(to_server: aioice.Connection, to_home: aioice.Connection, sdp: str) -> None:
    """Pass all packets on, both ways."""
    await _join(to_server, sdp)

    async def pump(source: aioice.Connection, target: aioice.Connection) -> None:
        while True:
            await target.send(await source.recv())

    await asyncio.gather(pump(to_server, to_home), pump(to_home, to_server))


def _description(connection: aioice.Connection, fingerprint: str, setup: str) -> str:
    """Return a description of a data channel's session over ``connection``."""
    if len(fingerprint) == 2:
        fingerprint = ":".join([fingerprint] * 32)
    candidates = "".join(f"a=candidate:{each.to_sdp()}\r\n" for each in connection.local_candidates)
    return (
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
        f"a=sctp-port:5000\r\na=max-message-size:65536\r\n{candidates}a=end-of-candidates\r\n"
        f"a=ice-ufrag:{connection.local_username}\r\na=ice-pwd:{connection.local_password}\r\n"
        f"a=fingerprint:sha-256 {fingerprint}\r\na=setup:{setup}\r\n"
    )
