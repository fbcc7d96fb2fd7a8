"""What today's homes and networks do to a call, with real peers and the gateway's delays; a case returns a figure."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from ma_signaling.testing import Home, Peer, eventually
from tests.soak.field_peers import (
    ForgetfulHome,
    Guest,
    Host,
    SilentHome,
    TimedClient,
    TrustingClient,
    trickling,
)
from tests.support.end_to_end_case import assert_echo, assert_undisturbed, session_ids
from tests.support.server_process import ServerProcess, registered, script

RETRY_SECONDS = 10.0
"""The gateway's delay before its first attempt to come back; 20 s and 40 s follow."""
WITHIN = 60.0
GUESTS = 50
STOPPED_SECONDS = 120.0
HOMES = 100
PING_SECONDS = 30.0


async def break_before_answer(server: ServerProcess) -> str:
    """The home's socket breaks between offer and answer."""
    home = ForgetfulHome(server.url)
    async with home, TimedClient(server.url, home.remote_id) as client:
        await home.start()
        calling = asyncio.create_task(client.connect())
        await home.has_offer.wait()
        await home.cut()
        await asyncio.sleep(RETRY_SECONDS)
        await home.reconnect()
        return await _opened(calling, client, home)


async def break_of_trickling_home(server: ServerProcess) -> str:
    """A 2.10 home breaks before its answer."""
    return await _break(server, "MA-AAAA-AAAA", "before answer", candidate_first=False)


async def break_after_candidate(server: ServerProcess) -> str:
    """A 2.10 home has trickled a candidate, then breaks before its answer."""
    return await _break(server, "MA-BBBB-BBBB", "after ice-candidate", candidate_first=True)


async def _break(server: ServerProcess, remote_id: str, when: str, *, candidate_first: bool) -> str:
    async with trickling(server, remote_id) as (home, client):
        home.hears_on, home.breaks, home.candidate_first = False, when, candidate_first
        await home.start()
        calling = asyncio.create_task(client.connect())
        await home.has_broken.wait()
        await home.blip(RETRY_SECONDS)
        return await _opened(calling, client, home)


async def _opened(calling: asyncio.Task[None], client: TimedClient, home: Peer) -> str:
    async with asyncio.timeout(WITHIN):
        await calling
    seconds = time.monotonic() - client.offered
    await assert_echo("still there?", client)
    assert_undisturbed(home, client)
    assert len(session_ids(client, "connected")) == 1, client.received
    return f"open {seconds:.1f} s after the offer"


async def outage(server: ServerProcess, remote_id: str, seconds: float) -> str:
    """The home's signaling is gone for ``seconds`` during a call; a guest waits for it until it is back."""
    async with trickling(server, remote_id) as (home, client), TimedClient(server.url, remote_id) as guest:
        await home.start()
        await client.connect()
        await assert_echo("hello", client)
        before, held = len(client.received), len(home.heard("ice-candidate"))
        await home.cut()
        began = time.monotonic()
        await asyncio.sleep(seconds - 15)
        await assert_echo("on our own?", client)
        await client.trickle()
        asking = asyncio.create_task(guest.connect())
        await asyncio.sleep(began + seconds - time.monotonic())
        await home.start()
        await eventually(lambda: len(home.heard("ice-candidate")) > held, "what the client has sent")
        await asking
        heard = {message["type"] for message in client.received[before:]}
        assert heard <= {"ping"}, client.received
        await assert_echo("and now?", client, guest)
        assert_undisturbed(home, client, guest)
        assert client.session_id not in session_ids(home, "client-disconnected"), home.received
        return (
            f"away {seconds:.0f} s: the call is up, its client heard only {' and '.join(heard) or 'nothing'}; "
            "who asked 15 s before its return got through"
        )


async def outage_of_a_minute(server: ServerProcess) -> str:
    """The home can't reach the server for 60 s while a call works."""
    return await outage(server, "MA-CCCC-CCCC", 60)


async def third_attempt(server: ServerProcess) -> str:
    """The home can't reach the server for 55 s: its attempts after 10 s and 30 s fail, that after 70 s succeeds."""
    return await outage(server, "MA-DDDD-DDDD", 70)


async def restart(server: ServerProcess) -> str:
    """The server restarts, a client asks 1 s later, and the home comes back as the gateway does."""
    home = Home(server.url)
    async with (
        home,
        TrustingClient(server.url, home.remote_id) as client,
        TrustingClient(server.url, home.remote_id) as early,
    ):
        await home.start()
        await client.connect()
        await asyncio.to_thread(server.stop)
        await eventually(lambda: home.close_code and client.close_code, "close frames")
        closed = time.monotonic()
        await asyncio.to_thread(server.start)
        await asyncio.sleep(1)
        asked = time.monotonic()
        calling = asyncio.create_task(early.connect())
        await asyncio.sleep(closed + RETRY_SECONDS - time.monotonic())
        await home.reconnect()
        await calling
        seconds = time.monotonic() - asked
        await assert_echo("and now?", early, client)
        assert_undisturbed(home, client, early)
        return f"open {seconds:.1f} s after it asked; the call before is up"


async def burst_and_late_candidate(server: ServerProcess) -> str:
    """A burst beyond the budget in an answered session; a late candidate on a new socket."""
    home = Home(server.url)
    async with (
        home,
        TrustingClient(server.url, home.remote_id) as client,
        TrustingClient(server.url, "X") as new,
    ):
        await home.start()
        await client.connect()
        for _ in range(20):
            await client.trickle()
            for number in range(12):
                await client.send(
                    "ice-candidate", sessionId=client.session_id, data={"candidate": "", "n": number}
                )
        await new.open()
        await new.send("ice-candidate", sessionId=client.session_id, data={"candidate": ""})
        await asyncio.sleep(3)
        await assert_echo("still there?", client)
        assert_undisturbed(client, new)
        return "not a word to either client; the call is up"


async def no_answer(server: ServerProcess) -> str:
    """A client is answered connected, then the home never answers its offer."""
    home = SilentHome(server.url)
    async with home, TimedClient(server.url, home.remote_id) as client:
        await home.start()
        calling = asyncio.create_task(client.connect())
        await eventually(lambda: client.heard("peer-disconnected"), "the end", within=WITHIN)
        seconds = time.monotonic() - client.offered
        await asyncio.gather(calling, return_exceptions=True)
        assert len(home.heard("client-disconnected")) == 1, home.received
        return f"peer-disconnected {seconds:.1f} s after the offer"


async def party(server: ServerProcess) -> str:
    """Fifty guests come within seconds, each through the portal: two sessions of one address."""
    async with Host(server.url) as host:
        await host.open()
        await host.send("register-server", remoteId="MA-EEEE-EEEE")

        async def guest(number: int) -> None:
            await asyncio.sleep(number * 0.2)
            for _ in range(2):
                await Guest(server.url).visit("MA-EEEE-EEEE")

        await asyncio.gather(*map(guest, range(GUESTS)))
    return f"{GUESTS} of {GUESTS} through, {2 * GUESTS} sessions in {GUESTS * 0.2:.0f} s"


async def missing_index(server: ServerProcess) -> str:
    """A 2.10 home's candidate without sdpMLineIndex."""
    async with trickling(server, "MA-FFFF-FFFF") as (home, client):
        await home.start()
        await client.connect()
        got = await eventually(lambda: client.heard("ice-candidate"), "a candidate")
        assert {message["data"]["sdpMLineIndex"] for message in got} == {0}, got
        return f"{len(got)} of {len(got)} completed; the call is up"


async def hyphens(server: ServerProcess) -> str:
    """The Remote ID as the settings page copies it."""
    home = Home(server.url)
    async with home:
        await home.start()
        name = home.remote_id
        copied = "-".join((name[:8], name[8:13], name[13:18], name[18:]))
        assert server.get(f"/api/check/{copied}") == {"online": True}
        shown = await asyncio.to_thread(script, "check", "--url", server.url, copied)
        assert shown.returncode == 0, shown
        return "online in /api/check; `ma-signaling check` exits with 0"


async def suspended(server: ServerProcess) -> str:
    """``kill -STOP`` for two minutes, then ``-CONT``: homes that wait, and one that gives up and comes back."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        homes = [await registered(session, server.url, f"HOME{number}") for number in range(HOMES)]
        readers = [asyncio.create_task(_read(home)) for home in homes]
        # Like the gateway, it gets no answer to its ping, so it leaves and tries again while the server is stopped.
        gateway = await stack.enter_async_context(Home(server.url))
        client = await stack.enter_async_context(TrustingClient(server.url, gateway.remote_id))
        await gateway.start()
        await client.connect()
        before = len(client.received)
        os.kill(server.pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            await eventually(
                lambda: gateway.close_code, "the gateway's own ping to fail", within=STOPPED_SECONDS
            )
            left = time.monotonic() - began
            await asyncio.sleep(RETRY_SECONDS)
            returning = asyncio.create_task(_return_patiently(gateway))
            await asyncio.sleep(began + STOPPED_SECONDS - time.monotonic())
        finally:
            os.kill(server.pid, signal.SIGCONT)
        await returning
        back = time.monotonic() - began - STOPPED_SECONDS
        await asyncio.sleep(2.5 * PING_SECONDS)
        open_homes = sum(not home.closed for home in homes)
        assert open_homes == HOMES, f"{HOMES - open_homes} were closed\n{server.log()}"
        assert "no answer to a ping" not in server.log(), server.log()
        assert {message["type"] for message in client.received[before:]} <= {"ping"}, client.received
        await assert_echo("still there?", client)
        assert_undisturbed(client)
        for task in readers:
            task.cancel()
        return (
            f"{open_homes} of {HOMES} homes kept; one that had left after {left:.0f} s by itself was back "
            f"{back:.1f} s after -CONT; its call is up, its client heard nothing but pings"
        )


async def _return_patiently(gateway: Home) -> None:
    while True:
        try:
            return await gateway.reconnect()
        except (TimeoutError, aiohttp.ClientError):
            await asyncio.sleep(RETRY_SECONDS)


async def _read(home: Any) -> None:
    async for _ in home:
        pass
