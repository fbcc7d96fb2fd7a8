"""What is played against a server, and counted. Everybody stays within the default limits, and every outcome is checked.

Each conversation is prepared (not measured), played (measured) and cleared away (not measured); ``play`` returns how many
candidates, sessions, arrivals or departures were played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from benchmarks import texts
from benchmarks.load import WITHIN, Home, Peer, Place, Unexpected, expect, side_by_side

AT_ONCE = 50
"""Connections that are being opened or closed at any time."""

SESSIONS_OF_A_HOME = 20
"""A home may get 30 a minute."""

CANDIDATES = 150
"""Of a session in one direction: it may send 200 at once."""

IN_FLIGHT = 2
"""Candidates of a session that are on their way at any time, one begun by each side."""


class Conversation(Protocol):
    """One kind of load."""

    async def prepare(self) -> None: ...

    async def play(self) -> int: ...

    async def clear(self) -> None: ...


async def homes_that_arrive(place: Place, count: int, at_once: int = AT_ONCE) -> list[Home]:
    """Connect and register so many homes."""
    homes = [Home() for _ in range(count)]
    await side_by_side((partial(home.arrive, place) for home in homes), at_once)
    return homes


async def all_leave(peers: Sequence[Peer], at_once: int = AT_ONCE) -> None:
    """Let everybody say goodbye."""
    await side_by_side((peer.leave for peer in peers), at_once)


class Call:
    """A session: a client and its home, from the request to the goodbye."""

    def __init__(self, place: Place, home: Home) -> None:
        self.place = place
        self.home = home
        self.client = Peer()
        self.session_id = ""
        self.key = b""
        self._heard: asyncio.Future[bytes] | None = None

    async def open(self) -> None:
        """Connect the client and wait until it is told `connected`."""
        await self.place.connect(self.client)
        connected = await self.client.ask(texts.connect_request(self.home.remote_id), "connected")
        self.session_id = connected["sessionId"]
        self.key = self.session_id.encode()
        if connected["remoteId"] != self.home.remote_id or connected["iceServers"] != texts.ICE_SERVERS:
            raise Unexpected(f"connected with {connected}")

    async def whole(self) -> None:
        """Open it, exchange offer and answer, leave, and see that the home is told."""
        await self.open()
        self.home.sessions[self.key] = self._home_hears
        offer = texts.description("offer", self.session_id)
        answer = texts.description("answer", self.session_id)
        expect_bytes(await self._through(self.client, offer), offer)
        answered = self.client.next()
        self.home.say(answer)
        expect_bytes(await answered, answer)
        self._heard = asyncio.get_running_loop().create_future()
        await self.client.leave()
        expect(await self._heard, "client-disconnected")
        del self.home.sessions[self.key]

    async def _through(self, sender: Peer, payload: bytes) -> bytes:
        self._heard = asyncio.get_running_loop().create_future()
        sender.say(payload)
        return await self._heard

    def _home_hears(self, payload: bytes) -> None:
        assert self._heard is not None
        self._heard.set_result(payload)


def expect_bytes(payload: bytes, expected: bytes) -> None:
    """What was sent must have come as it was."""
    if payload != expected:
        raise Unexpected(f"{expected[:200]!r} was due, and {payload[:200]!r} came")


async def calls_that_open(place: Place, homes: list[Home], each: int) -> list[Call]:
    """Open ``each`` sessions with each of the homes."""
    calls = [Call(place, home) for home in homes for _ in range(each)]
    await side_by_side((call.open for call in calls), AT_ONCE)
    return calls


class Trickle:
    """The candidates of one open session: whoever gets one sends the next, until each side has sent its share."""

    def __init__(self, call: Call, share: int, done: Callable[[], None]) -> None:
        self._call = call
        self._share = share
        self._done = done
        self._before, self._after = texts.candidate_around(call.session_id)
        self._from_client = self._from_home = 0
        self._at_home = self._at_client = 0
        call.home.sessions[call.key] = self._home_hears
        call.client.hear = self._client_hears

    def begin(self) -> None:
        """Send each side's first."""
        self._client_says()
        self._home_says()

    def _client_says(self) -> None:
        if self._from_client < self._share:
            self._from_client += 1
            self._call.client.say(b"%b%d%b" % (self._before, self._from_client, self._after))

    def _home_says(self) -> None:
        if self._from_home < self._share:
            self._from_home += 1
            self._call.home.say(b"%b%d%b" % (self._before, -self._from_home, self._after))

    def _home_hears(self, payload: bytes) -> None:
        self._at_home += 1
        expect_bytes(payload, b"%b%d%b" % (self._before, self._at_home, self._after))
        if self._at_home == self._share == self._at_client:
            self._done()
        self._home_says()

    def _client_hears(self, payload: bytes) -> None:
        self._at_client += 1
        expect_bytes(payload, b"%b%d%b" % (self._before, -self._at_client, self._after))
        if self._at_client == self._share == self._at_home:
            self._done()
        self._client_says()


class Countdown:
    """Waits for a number of things to be done; a connection that ends meanwhile is a failure."""

    def __init__(self, count: int, peers: list[Peer]) -> None:
        self._left = count
        self._future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        for peer in peers:
            peer.fail_with(self._future)

    def done(self) -> None:
        """One is done."""
        self._left -= 1
        if not self._left and not self._future.done():
            self._future.set_result(b"")

    async def wait(self) -> None:
        """Return once all are."""
        async with asyncio.timeout(WITHIN):
            await self._future


class Relay:
    """ICE candidates between homes with two sessions each, both ways, all at once."""

    def __init__(self, place: Place, sessions: int) -> None:
        self._place = place
        self._count = sessions // 2
        self._homes: list[Home] = []
        self._calls: list[Call] = []

    async def prepare(self) -> None:
        self._homes = await homes_that_arrive(self._place, self._count)
        self._calls = await calls_that_open(self._place, self._homes, 2)

    async def play(self) -> int:
        everybody: list[Peer] = [*self._homes, *(call.client for call in self._calls)]
        countdown = Countdown(len(self._calls), everybody)
        trickles = [Trickle(call, CANDIDATES, countdown.done) for call in self._calls]
        for trickle in trickles:
            trickle.begin()
        await countdown.wait()
        return len(trickles) * CANDIDATES * 2

    async def clear(self) -> None:
        for home in self._homes:
            home.sessions = {}
        await all_leave([call.client for call in self._calls])
        await all_leave(self._homes)


class Sessions:
    """Whole sessions: connect, request, ready, connected, offer, answer, goodbye."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._count = count
        self._homes: list[Home] = []

    async def prepare(self) -> None:
        self._homes = await homes_that_arrive(self._place, -(-self._count // SESSIONS_OF_A_HOME))

    async def play(self) -> int:
        calls = [Call(self._place, self._homes[n % len(self._homes)]) for n in range(self._count)]
        await side_by_side((call.whole for call in calls), AT_ONCE)
        return self._count

    async def clear(self) -> None:
        await all_leave(self._homes)


class Arrivals:
    """Homes that connect and register."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._count = count
        self._homes: list[Home] = []

    async def prepare(self) -> None: ...

    async def play(self) -> int:
        self._homes = await homes_that_arrive(self._place, self._count)
        return self._count

    async def clear(self) -> None:
        await all_leave(self._homes)


class Departures:
    """Homes that say goodbye, until TCP is gone."""

    def __init__(self, place: Place, count: int) -> None:
        self._place = place
        self._count = count
        self._homes: list[Home] = []

    async def prepare(self) -> None:
        self._homes = await homes_that_arrive(self._place, self._count)

    async def play(self) -> int:
        await all_leave(self._homes)
        return self._count

    async def clear(self) -> None: ...
