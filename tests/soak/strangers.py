"""Attackers that keep to the protocol: they ask too often, guess Remote IDs, and want those of others."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import cycle

import aiohttp

from tests.soak.ground import Disturbed, Ground, hear
from tests.soak.homes import Home, random_remote_id

STAY = 100.0
"""Seconds that callers of the crowd stay."""


async def guesser(ground: Ground, homes: list[Home]) -> None:
    """Guess Remote IDs, get blocked, and check that the block holds."""
    address = ground.address()
    ws = await ground.connect(address)
    attempt, answer = 0, ""
    while answer != "blocked" and attempt < 20:
        attempt += 1
        await ws.send_json({"type": "connect-request", "remoteId": random_remote_id()})
        answer = (await hear(ws)).get("code", "")
    await ws.close()
    if attempt != 10:
        ground.fail(f"a guesser was blocked by guess {attempt}, not by the 10th")
    async with await ground.connect(address) as ws:
        await ws.send_json({"type": "connect-request", "remoteId": homes[0].remote_id})
        refusal = await hear(ws)
        if refusal.get("code") != "rate-limited":
            ground.fail(f"a blocked guesser was answered {refusal.get('code', refusal['type'])}")


async def stranger(ground: Ground, homes: list[Home]) -> None:
    """Try to take the Remote ID of a home that is there."""
    await _take_over(ground, random.choice(homes), ground.address())


async def storm_of_strangers(ground: Ground, homes: list[Home]) -> None:
    """Do the same as often as one address may, so that the home must constantly prove that it lives."""
    home, address = random.choice(homes), ground.address()
    for _ in range(90):
        await _take_over(ground, home, address)
        await asyncio.sleep(0.03)


async def _take_over(ground: Ground, home: Home, address: str) -> None:
    async with await ground.connect(address) as ws:
        await ws.send_json({"type": "register-server", "remoteId": home.remote_id})
        answer = await hear(ws)
        if answer["type"] == "registered":
            ground.fail("a stranger took over an honest home")
        ground.figures["takeovers tried"] += 1


async def rest_hammer(ground: Ground, homes: list[Home]) -> None:
    """Ask from one address more often than is allowed."""
    headers = {"X-Forwarded-For": ground.address()}
    paths = cycle((f"/api/check/{homes[0].remote_id}", "/health", "/", "/nothing", "/api/check/%00", "/ws"))
    for path, _ in zip(paths, range(700), strict=False):
        async with ground.web.get(ground.http + path, headers=headers) as response:
            await response.read()
        ground.figures[f"REST replies with {response.status}"] += 1


async def crowd(ground: Ground, homes: list[Home]) -> None:
    """Call one honest home again and again: eight callers behind an address, who never send an offer."""
    address = ground.address()
    async with asyncio.TaskGroup() as callers:
        for _ in range(8):
            callers.create_task(_caller(ground, homes[0].remote_id, address))


async def _caller(ground: Ground, remote_id: str, address: str) -> None:
    until = time.monotonic() + STAY
    try:
        async with await ground.connect(address) as ws:
            while not ground.is_over and (left := until - time.monotonic()) > 0:
                await ws.send_json({"type": "connect-request", "remoteId": remote_id})
                answer = await hear(ws)
                ground.figures[f"the crowd was answered {answer.get('code', answer['type'])}"] += 1
                rest = left if answer["type"] == "connected" else 3.0
                await ground.pause(rest / 2, rest)
    except (Disturbed, OSError, aiohttp.ClientError):
        ground.figures["the crowd was cut off"] += 1
