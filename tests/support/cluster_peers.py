"""Homes and clients at the nodes of a real cluster, and assertions about all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack

import aiohttp

from ma_signaling.testing import STEP_WITHIN, Peer, eventually
from tests.support.server_process import ServerProcess

WITHIN = 120.0
WHOLE_WITHIN = 30.0
"""Half the time after which a node announces its homes again by itself."""

Scenario = Callable[[AsyncExitStack], Awaitable[None]]


def peer(server: ServerProcess, address: str) -> Peer:
    """Return a peer that comes from an address."""
    made = Peer(server.url)
    made.headers = {"X-Forwarded-For": address}
    return made


async def home(
    stack: AsyncExitStack, server: ServerProcess, name: str = "HOME", address: str = "192.0.2.1"
) -> Peer:
    """Return a home that has registered."""
    made = await stack.enter_async_context(peer(server, address))
    await made.open()
    await made.send("register-server", remoteId=name)
    await made.answer("registered")
    return made


async def ask(
    stack: AsyncExitStack, server: ServerProcess, name: str = "HOME", address: str = "198.51.100.1"
) -> Peer:
    """Return a client that has asked for a home."""
    made = await stack.enter_async_context(peer(server, address))
    await made.open()
    await made.send("connect-request", remoteId=name)
    return made


async def meet(owner: Peer, client: Peer) -> str:
    """Open the session of a client that has just asked."""
    before = len(client.received)
    (announced,) = await eventually(
        lambda: [m for m in owner.heard("client-connected") if m["sessionId"] not in client.sessions],
        "a client",
    )
    session_id: str = announced["sessionId"]
    await owner.send("session-ready", sessionId=session_id)
    connected = await client.answer("connected", since=before)
    assert connected["sessionId"] == session_id
    return session_id


async def talk(owner: Peer, client: Peer, session_id: str, word: str) -> None:
    """Send a message in both directions, and check that each arrives."""
    await client.send("offer", data=word)
    await owner.send("answer", sessionId=session_id, data=word)
    await eventually(lambda: [m for m in owner.heard("offer") if m["data"] == word], f"{word} at home")
    await eventually(
        lambda: [m for m in client.heard("answer") if m["data"] == word], f"{word} at the client"
    )


async def reach(owner: Peer, client: Peer) -> None:
    """Trickle candidates until the home gets one: those on their way while it moves may be lost."""
    async with asyncio.timeout(STEP_WITHIN):
        while not owner.heard("ice-candidate"):
            await client.send("ice-candidate", data={})
            await asyncio.sleep(0.1)


async def found(server: ServerProcess, names: Iterable[str]) -> list[str]:
    """Return those of these homes that are online, as a node says."""
    online = []
    async with aiohttp.ClientSession() as session:
        for name in names:
            async with session.get(f"{server.http}/api/check/{name}") as reply:
                if (await reply.json())["online"]:
                    online.append(name)
    return online


async def assert_whole(servers: Sequence[ServerProcess], names: Sequence[str] = ("HOME",)) -> None:
    """Assert that, within ``WHOLE_WITHIN``, every home is found from every node, and none is held twice."""
    try:
        async with asyncio.timeout(WHOLE_WITHIN):
            for server in servers:
                while await found(server, names) != list(names):  # noqa: ASYNC110 - another process knows
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not all are found from port {server.port}") from None
    held = sum(server.get("/health")["servers"] for server in servers)
    assert held == len(names), f"{len(names)} homes are held {held} times"


async def meet_both(owner: Peer, *clients: Peer) -> dict[Peer, str]:
    """Open the sessions of clients that have just asked."""
    heard = await eventually(
        lambda: every if len(every := owner.heard("client-connected")) == len(clients) else None,
        "all clients",
    )
    for message in heard:
        await owner.send("session-ready", sessionId=message["sessionId"])
    return {client: (await client.answer("connected"))["sessionId"] for client in clients}


def play(scenario: Scenario, servers: Sequence[ServerProcess]) -> None:
    """Run a scenario to its end, and show the nodes' logs if it fails."""

    async def bounded() -> None:
        async with asyncio.timeout(WITHIN), AsyncExitStack() as stack:
            await scenario(stack)

    try:
        asyncio.run(bounded())
    except BaseException as problem:
        logs = "\n".join(server.log() for server in servers)
        raise AssertionError(f"{problem!r}\n{logs}") from problem
