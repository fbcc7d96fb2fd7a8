"""Attackers that break the protocol. Each function plays one trick once, and checks how the server defends itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import aiohttp

from tests.soak.ground import WITHIN, Disturbed, Ground
from tests.soak.homes import Home, random_remote_id
from tests.soak.raw import BINARY, PING, TEXT, Raw, frame, message, noise
from tests.soak.strangers import crowd, guesser, rest_hammer, storm_of_strangers, stranger

Trick = Callable[[Ground, list[Home]], Awaitable[None]]
"""Plays a trick once; the homes are those that are never away."""

LONGEST = 120.0
"""Seconds that a trick may take."""


async def again_and_again(ground: Ground, homes: list[Home], trick: Trick, rest: float) -> None:
    """Play a trick until the end, with a rest after each time."""
    name = trick.__name__.replace("_", " ")
    while not ground.is_over:
        try:
            async with asyncio.timeout(LONGEST):
                await trick(ground, homes)
            ground.figures[f"hostile: {name}"] += 1
        except (Disturbed, OSError, EOFError, aiohttp.ClientError):
            ground.figures[f"hostile: {name}, cut short"] += 1
        await ground.pause(rest / 2, rest * 1.5)


async def expect_close(ground: Ground, raw: Raw, what: str, *codes: int) -> None:
    """Expect that the server closes with one of ``codes``; a reset may overtake the close frame."""
    async with asyncio.timeout(WITHIN):
        got = await raw.close_code()
    if got not in (*codes, None):
        ground.fail(f"{what}: closed with {got}, not with {codes}")


async def candidate_flood(ground: Ground, homes: list[Home]) -> None:
    """Far more candidates than a session may have."""
    async with Raw(ground) as raw:
        await raw.call(random.choice(homes).remote_id)
        candidate = message(type="ice-candidate", data={"candidate": "x" * 100})
        await raw.send(candidate * 600)
        await expect_close(ground, raw, "a flood of candidates", 4029)


async def ping_flood(ground: Ground, homes: list[Home]) -> None:
    """Send pings of both kinds, as fast as possible."""
    async with Raw(ground) as raw:
        await raw.open()
        await raw.send((message(type="ping") + frame(b"?" * 100, PING)) * 300)
        await expect_close(ground, raw, "a flood of pings", 4029)


async def junk(ground: Ground, homes: list[Home]) -> None:
    """Send bytes that aren't JSON, aren't a message, aren't UTF-8, or aren't a frame."""
    for pieces, code in (
        (
            [frame(b"{"), frame(b"[]"), frame(b'{"type":1}'), frame(b"[" * 5000), frame(b"NaN", BINARY)] * 20,
            1008,
        ),
        ([frame(b"\xff\xfe\xfd")], 1007),
        ([frame(noise(100), 0x3)], 1002),
        ([b"\x81\x05Hello"], 1002),
        ([frame(b"", PING, fin=False)], 1002),
        ([frame(b"\x03\xe8" + b"\xff" * 50, 0x8)], 1007),
    ):
        async with Raw(ground) as raw:
            await raw.open()
            await raw.send(b"".join(pieces))
            await expect_close(ground, raw, "junk", code)
    async with Raw(ground) as raw:
        await raw.open()
        await raw.send(noise(20000))
        await raw.close_code()


async def big_messages(ground: Ground, homes: list[Home]) -> None:
    """Messages of 60 KiB, to a home and to nobody."""
    for kind in ("ice-candidate", "offer", "no-such-type"):
        async with Raw(ground) as raw:
            await raw.call(random.choice(homes).remote_id)
            for _ in range(20):
                await raw.send(message(type=kind, data="x" * 60 * 1024))


async def fragments(ground: Ground, homes: list[Home]) -> None:
    """Messages in frames of one byte, a few of them and far too many; and frames in segments of one byte."""
    async with Raw(ground) as raw:
        await raw.open()
        for segment in message(type="ping"):
            await raw.send(bytes([segment]))
            await asyncio.sleep(0.01)
        await raw.hear("pong")
        await raw.send(frame(b"{", TEXT, fin=False) + frame(b" ", 0, fin=False) * 5000)
        await expect_close(ground, raw, "too many fragments", 1008, 4029)


async def oversized(ground: Ground, homes: list[Home]) -> None:
    """Frames, and messages in several frames, beyond what is accepted."""
    for data in (
        frame(b"x" * 1000, claimed=2**40),
        frame(b"x" * 70_000),
        frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, 0),
    ):
        async with Raw(ground) as raw:
            await raw.open()
            await raw.send(data)
            await expect_close(ground, raw, "an oversized message", 1009)


async def slow_loris(ground: Ground, homes: list[Home]) -> None:
    """A request head that comes byte by byte and never ends."""
    async with Raw(ground) as raw:
        await raw.send(b"GET /ws HTTP/1.1\r\nX-Slow: ")
        trickle = asyncio.create_task(_trickle(raw))
        try:
            async with asyncio.timeout(WITHIN):
                await raw.reader.read()
        except TimeoutError:
            ground.fail("a request head that never ends was waited for")
        except OSError:
            ground.figures["slow heads, cut off"] += 1
        finally:
            trickle.cancel()


async def _trickle(raw: Raw) -> None:
    while not raw.writer.is_closing():
        raw.writer.write(b"y")
        await asyncio.sleep(0.25)


async def deaf_client(ground: Ground, homes: list[Home]) -> None:
    """A client that never reads, while its home (an accomplice) sends as much as it may."""
    async with Raw(ground) as home, Raw(ground, deaf=True) as client:
        remote_id = random_remote_id()
        await home.open()
        await home.send(message(type="register-server", remoteId=remote_id))
        await home.hear("registered")
        await client.open()
        await client.send(message(type="connect-request", remoteId=remote_id))
        session_id = (await home.hear("client-connected"))["sessionId"]
        await home.send(message(type="session-ready", sessionId=session_id))
        client.leave_open()
        for _ in range(25):
            await home.send(message(type="offer", sessionId=session_id, data="x" * 50_000))
            await asyncio.sleep(0.5)


async def deaf_home(ground: Ground, homes: list[Home]) -> None:
    """A home that never reads, while many clients send as much as they may: more than the sockets hold."""
    async with Raw(ground, deaf=True) as home:
        remote_id = random_remote_id()
        await home.open()
        await home.send(message(type="register-server", remoteId=remote_id))
        await home.hear("registered")
        home.leave_open()
        await asyncio.gather(*(_shout(ground, remote_id) for _ in range(8)))


async def _shout(ground: Ground, remote_id: str) -> None:
    try:
        async with Raw(ground) as client:
            await client.call(remote_id)
            for _ in range(12):
                await client.send(message(type="offer", data="x" * 50_000))
            await asyncio.sleep(15)
    except (OSError, EOFError):
        ground.figures["clients of deaf homes, cut off"] += 1


async def lost_home(ground: Ground, homes: list[Home]) -> None:
    """A home of many names and with callers, which breaks and never comes back."""
    async with Raw(ground) as home:
        await home.open()
        for _ in range(10):
            remote_id = random_remote_id()
            await home.send(message(type="register-server", remoteId=remote_id))
            await home.hear("registered")
        async with Raw(ground) as client:
            await client.open()
            await client.send(message(type="connect-request", remoteId=remote_id))
            await home.hear("client-connected")
            client.leave_open()


async def mute(ground: Ground, homes: list[Home]) -> None:
    """Sockets that connect and then do nothing: after TCP, the upgrade, an HTTP request or a connect-request."""
    async with Raw(ground) as tcp, Raw(ground) as ws, Raw(ground) as http, Raw(ground) as caller:
        tcp.leave_open()
        await ws.open()
        ws.leave_open()
        await http.send(b"GET /health HTTP/1.1\r\nHost: soak\r\n\r\n")
        http.leave_open()
        await caller.call(random.choice(homes).remote_id)
        caller.leave_open()


async def deaf_rest(ground: Ground, homes: list[Home]) -> None:
    """Send endless requests on one connection, and never read a reply."""
    async with Raw(ground, deaf=True) as raw:
        raw.leave_open()
        try:
            async with asyncio.timeout(5):
                for _ in range(2000):
                    await raw.send(b"GET / HTTP/1.1\r\nHost: soak\r\n\r\n" * 20)
        except TimeoutError:
            ground.figures["deaf askers that were no longer listened to"] += 1


TRICKS: tuple[tuple[Trick, float], ...] = (
    (guesser, 4),
    (stranger, 1),
    (storm_of_strangers, 20),
    (candidate_flood, 5),
    (ping_flood, 5),
    (junk, 5),
    (big_messages, 5),
    (fragments, 5),
    (oversized, 5),
    (slow_loris, 2),
    (deaf_client, 5),
    (deaf_home, 10),
    (lost_home, 4),
    (mute, 3),
    (rest_hammer, 8),
    (deaf_rest, 8),
    *((crowd, 2.0),) * 12,
)
"""The tricks, each played in a loop of its own, with the mean rest in seconds."""
