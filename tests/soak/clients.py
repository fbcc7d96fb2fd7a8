"""Honest clients: each has one session at a time, in which each side checks every message that it gets."""

from __future__ import annotations

import asyncio
import random

import aiohttp

from tests.soak.ground import WITHIN, Disturbed, Ground, hear, vanish
from tests.soak.homes import Home, Socket
from tests.soak.visit import CLIENT, HOME, Visit

PARTY = 12
PARTY_ROUND = 35.0
"""Seconds between two rounds of the party: a home takes 30 sessions a minute from one address."""


async def resident(ground: Ground, home: Home) -> None:
    """Visit one home again and again, each time from another address, as phones do."""
    while not ground.is_over:
        await ground.pause(2, 8)
        if not ground.is_over:
            await visit(ground, home, ground.address(), "sessions")


async def party(ground: Ground, home: Home) -> None:
    """Let guests of one household, all behind their home's address, call at the same moment."""
    while not ground.is_over:
        begun = asyncio.get_running_loop().time()
        guests = (visit(ground, home, home.address, "sessions of the party") for _ in range(PARTY))
        await asyncio.gather(*guests)
        rest = PARTY_ROUND - (asyncio.get_running_loop().time() - begun)
        await ground.pause(max(0.0, rest), max(0.0, rest))


async def visit(ground: Ground, home: Home, address: str, kind: str) -> None:
    """Play one session from beginning to end; count a failure with its reason."""
    while not home.welcome.is_set():
        await home.welcome.wait()
    home.visitors += 1
    this = Visit(ground.number())
    ground.figures[f"{kind} begun"] += 1
    try:
        async with asyncio.timeout(120):
            ws = await ground.connect(address)
            try:
                await _talk(ground, home, this, ws)
            finally:
                await ws.close()
    except (Disturbed, OSError, aiohttp.ClientError) as problem:
        where = f"{this.heard[CLIENT]}/{this.total[CLIENT]} heard by the home, "
        where += f"{this.heard[HOME]}/{this.total[HOME]} by the client"
        ground.fail(f"an honest session failed: {problem!r} ({where})")
    else:
        ground.figures[f"{kind} completed"] += 1
    finally:
        home.traffic.forget(this)
        # Only later, to notice if the home is told of the break after all.
        asyncio.get_running_loop().call_later(10, home.visits.pop, this.session_id, None)
        home.visitors -= 1


async def _talk(ground: Ground, home: Home, this: Visit, ws: Socket) -> None:
    stops, was_there = home.traffic.stops, home.traffic.gates[HOME].is_set()
    await ws.send_json({"type": "connect-request", "remoteId": home.remote_id.lower()})
    answer = await hear(ws)
    if answer["type"] != "connected":
        raise Disturbed(f"a connect-request was answered {answer}")
    this.session_id = answer["sessionId"]
    home.visits[this.session_id] = this
    # If the home sends nothing for 10 s, a client gets the ICE servers that the home has registered.
    may_be_unready = not was_there or stops != home.traffic.stops
    if answer["remoteId"] != home.remote_id or (
        answer.get("iceServers") != this.ice_servers()
        and not (may_be_unready and answer.get("iceServers") == [])
    ):
        raise Disturbed(f"connected, but with {answer}")
    if random.random() < 0.05:
        await home.traffic.enter(this, CLIENT)
        await vanish(ws)
        await asyncio.wait_for(this.home_was_told.wait(), WITHIN * 2)
        home.traffic.leave(this)
        ground.figures["clients: broke before an answer"] += 1
        return
    await asyncio.gather(_send_all(home, this, ws), _hear_all(home, this, ws))
    await asyncio.wait_for(this.home_heard_all.wait(), WITHIN * 2)
    if random.random() < 0.3:
        this.is_broken = True
        await vanish(ws)
        ground.figures["clients: broke during the call"] += 1
        return
    await home.traffic.enter(this, CLIENT)
    await ws.close()
    await asyncio.wait_for(this.home_was_told.wait(), WITHIN * 2)
    home.traffic.leave(this)
    ground.figures["clients: said goodbye"] += 1


async def _send_all(home: Home, this: Visit, ws: Socket) -> None:
    last = this.total[CLIENT] - 1
    for index in range(this.total[CLIENT]):
        if index == last:
            # A candidate may come while the call is up.
            await asyncio.sleep(random.uniform(0, 4))
        await home.traffic.enter(this, CLIENT)
        home.traffic.stamp(this, CLIENT, index)
        message = this.message(CLIENT, index)
        if index % 4 == 1:
            # Older clients leave it to the server to name the session.
            del message["sessionId"]
        await ws.send_json(message)
        if random.random() < 0.3:
            await asyncio.sleep(random.uniform(0, 0.2))


async def _hear_all(home: Home, this: Visit, ws: Socket) -> None:
    while this.heard[HOME] < this.total[HOME]:
        message = await hear(ws)
        index = this.heard[HOME]
        complaint = this.complaint(HOME, message)
        if complaint is not None:
            raise Disturbed(complaint)
        home.traffic.take_time(this, HOME, index)
        home.traffic.leave(this)
