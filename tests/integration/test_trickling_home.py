"""What today's homes and networks do to a call: a home on libdatachannel trickles, and loses its signaling at any time.

All cases are played at once, with one server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ma_signaling.testing import Client, eventually
from tests.support.end_to_end_case import EndToEndTestCase, assert_echo, assert_undisturbed, session_ids
from tests.support.libdatachannel_home import LibdatachannelHome
from tests.support.server_process import ServerProcess
from tests.support.trickling_home import TricklingHome

GRACE = 6.0
OUTAGE = GRACE + 3
"""For how long a home's signaling is gone: beyond its grace time, as the gateway's third attempt is."""


class TrustingClient(Client):
    """A client of a home that has a certificate for each session, so that none is that of its Remote ID."""

    def check(self, sdp: str) -> None: ...


class Pair:
    """A home, and the client that calls it."""

    def __init__(self, home: TricklingHome, client: Client) -> None:
        self.home = home
        self.client = client

    async def connect(self) -> None:
        """Call."""
        await self.home.start()
        await self.client.connect()
        await assert_echo("hello", self.client)

    async def still_talks(self) -> None:
        """Check that the call is up, and that nobody was told anything."""
        await assert_echo("still there?", self.client)
        assert_undisturbed(self.home, self.client)


@asynccontextmanager
async def pair(server: ServerProcess, remote_id: str) -> AsyncIterator[Pair]:
    """A home and its client, neither of them connected yet. The Remote ID is of the form that can't be proved."""
    async with LibdatachannelHome(is_known=False) as webrtc:
        home = TricklingHome(server.url, webrtc, remote_id)
        async with home, TrustingClient(server.url, remote_id) as client:
            yield Pair(home, client)


async def blip(each: Pair, breaks: str, *, candidate_first: bool = False) -> None:
    """Break before the answer; the call comes about with the home's next signaling."""
    # libdatachannel begins DTLS with every candidate that it hears of, unasked. A client that is sent hellos by two
    # connections, that of the answer which was lost and the next one, takes the first, and fails: Chromium, too.
    each.home.hears_on = False
    each.home.breaks, each.home.candidate_first = breaks, candidate_first
    await each.home.start()
    calling = asyncio.create_task(each.client.connect())
    await each.home.has_broken.wait()
    await each.home.blip(0.3)
    await calling
    await each.still_talks()
    session = each.client.session_id
    assert session_ids(each.home, "client-connected") == [session] * 2, each.home.received
    assert session_ids(each.home, "client-disconnected") == [session], each.home.received
    assert session_ids(each.client, "connected") == [session], each.client.received


async def blip_after_answer(each: Pair, breaks: str) -> None:
    """Break once the answer is out: no more candidates come, and those of the client wait for the home."""
    each.home.breaks = breaks
    await each.home.start()
    calling = asyncio.create_task(each.client.connect())
    await each.home.has_broken.wait()
    await each.home.blip(0.3)
    await calling
    await each.still_talks()
    assert session_ids(each.home, "client-connected") == [each.client.session_id], each.home.received
    assert not each.home.heard("client-disconnected"), each.home.received


async def outage(each: Pair) -> None:
    """Lose the home's signaling for longer than the grace time, during a call."""
    await each.connect()
    before = len(each.client.received)
    await each.home.cut()
    await asyncio.sleep(OUTAGE)
    await assert_echo("on our own?", each.client)
    # An ICE restart would do so.
    await each.client.trickle()
    held = len(each.home.heard("ice-candidate"))
    await each.home.start()
    await eventually(lambda: len(each.home.heard("ice-candidate")) > held, "what the client has sent")
    assert {message["type"] for message in each.client.received[before:]} <= {"ping"}, each.client.received
    await each.still_talks()


class TricklingHomeTests(EndToEndTestCase):
    """Every call comes about, or goes on, and nobody hears of any trouble."""

    options = ("--grace", str(GRACE))

    def test_blips_an_outage_and_a_restart(self) -> None:
        self.play(self.scenario)

    async def scenario(self, server: ServerProcess) -> None:
        """Play all cases at once, then restart the server under the calls."""
        async with AsyncExitStack() as stack:
            pairs = [
                await stack.enter_async_context(pair(server, f"MA-X7K9-P2M{number}")) for number in range(6)
            ]
            await asyncio.gather(
                blip(pairs[0], "after session-ready"),
                blip(pairs[1], "before answer"),
                blip(pairs[2], "after ice-candidate", candidate_first=True),
                blip_after_answer(pairs[3], "after answer"),
                blip_after_answer(pairs[4], "after ice-candidate"),
                outage(pairs[5]),
            )
            await self.restart(server, pairs)

    async def restart(self, server: ServerProcess, pairs: list[Pair]) -> None:
        """A client that asks before its home is back waits, and gets through."""
        await asyncio.to_thread(server.stop)
        await eventually(
            lambda: all(each.home.close_code and each.client.close_code for each in pairs), "close frames"
        )
        assert {each.home.close_code for each in pairs} | {each.client.close_code for each in pairs} == {1012}
        await asyncio.to_thread(server.start)
        home = pairs[0].home
        async with TrustingClient(server.url, home.remote_id) as early:
            calling = asyncio.create_task(early.connect())
            await asyncio.sleep(2)
            assert not early.heard("error"), early.received
            await asyncio.gather(*(each.home.start() for each in pairs))
            await calling
            await assert_echo("and now?", early)
            assert_undisturbed(early)
        await asyncio.gather(*(each.still_talks() for each in pairs))
