"""Leaving politely: everybody hears 1012, whoever waits gets an answer first, and nobody else comes in."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from itertools import pairwise
from typing import Any

import aiohttp
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.service import FAREWELL_SECONDS, GOODBYE_TICK, Connections, OneByOne
from tests.heart import FakePeer, World
from tests.server_process import ServerProcess
from tests.test_process import WITHIN, registered, talk
from tests.test_web import Reply
from tests.wire import UPGRADE, Server, Socket

HOME, CLIENT, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"
DISCONNECTED = {"type": "error", "error": "Server disconnected", "code": "server-disconnected"}
RESTARTING = (1012, "Server is restarting")


class HeartTest(SynchronousTestCase):
    """Peers that are closed in a rhythm, and what the others are told meanwhile."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def leave(self, most: int = 1) -> None:
        self.world.hub.say_goodbye(most)

    def assert_answered(self, client: FakePeer) -> None:
        assert client.forget() == [DISCONNECTED]
        assert client.closed is None

    def test_who_waits_is_answered_at_once(self) -> None:
        """Neither its own turn nor the time after which old homes count as ready decides when."""
        waiting = self.world.client()
        self.home.forget()
        self.leave()
        self.assert_answered(waiting)
        self.world.advance(60)
        assert (self.home.heard, waiting.heard) == ([], [])

    def test_who_is_parked_is_answered_at_once(self) -> None:
        parked = self.world.client()
        self.home.breaks()
        self.leave(0)
        self.assert_answered(parked)
        self.world.advance(60)
        assert parked.heard == []

    def test_no_session_begins(self) -> None:
        """Neither with a home that has been closed nor with one that has not: its turn may come in between."""
        self.world.home("OTHER")
        client = self.world.connect(CLIENT)
        self.leave()
        assert self.home.closed == RESTARTING
        for remote_id in ("HOME", "OTHER", "HOME"):
            client.say("connect-request", remoteId=remote_id)
            self.assert_answered(client)
        self.world.advance(60)
        assert client.heard == []
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 0

    def test_a_home_that_was_closed_is_offline(self) -> None:
        assert self.world.hub.lookups.is_online(self.home.connection.address, "HOME")
        self.leave()
        assert not self.world.hub.lookups.is_online(self.home.connection.address, "HOME")
        assert self.world.hub.counts()["servers"] == 0

    def test_calls_live_on(self) -> None:
        """Whoever goes first, and whatever the other still says or however it leaves."""
        other = self.world.home("OTHER")
        pairs = [(self.home, self.world.client()), (other, self.world.client("OTHER"))]
        sessions = [self.world.session(*pair) for pair in pairs]
        self.leave(0)
        for (home, client), session in zip(pairs, sessions, strict=True):
            client.say("ice-candidate", data=1)
            home.say("ice-candidate", sessionId=session, data=2)
            assert home.forget()[0]["data"] == 1
            assert client.forget()[0]["data"] == 2
        self.leave(3)
        (_, early), (_, late) = pairs
        assert (early.closed, late.closed) == (RESTARTING, None)
        late.say("ice-candidate", data=3)
        for peer in (self.home, other, early):
            peer.breaks()
        self.world.advance(60)
        self.leave()
        assert late.closed == RESTARTING
        assert [peer.heard for pair in pairs for peer in pair] == [[], [], [], []]

    def test_newcomers_who_wait_for_a_verdict(self) -> None:
        """Before and after the holder; they try again, and the owner's calls are nobody's."""
        newcomers = [self.world.connect(STRANGER) for _ in range(2)]
        first = self.world.connect(STRANGER)
        for newcomer in (*newcomers, first):
            newcomer.say("register-server", remoteId="HOME")
        self.world.hub.gone(newcomers.pop().connection, goodbye=False)
        self.leave(3)
        self.world.advance(60)
        assert self.home.closed == RESTARTING
        for newcomer in (*newcomers, first):
            assert newcomer.closed == (1013, "Remote ID is in use")
            assert [message["code"] for message in newcomer.heard] == ["remote-id-taken"]

    def test_a_newcomer_who_goes_first(self) -> None:
        world = World()
        newcomer = world.connect(STRANGER)
        home = world.home()
        newcomer.say("register-server", remoteId="HOME")
        for _ in range(2):
            world.hub.say_goodbye(1)
            world.advance(60)
        assert (newcomer.closed, home.closed) == (RESTARTING, RESTARTING)
        assert (newcomer.heard, home.heard) == ([], [])

    def test_seniority_is_kept(self) -> None:
        self.world.advance(3600)
        self.leave()
        after = World()
        after.hub.restore(self.world.hub.snapshot(0), 0)
        squatter = after.home(text=STRANGER)
        after.connect(HOME).say("register-server", remoteId="HOME")
        assert squatter.closed is not None


class DoorTest(SynchronousTestCase):
    """While the last ones are told, HTTP is answered and WebSockets are refused."""

    def setUp(self) -> None:
        self.server = Server()
        self.home = self.server.connect()
        self.home.say(type="register-server", remoteId="HOME")

    def ask(self, client: Socket, request: bytes) -> Reply:
        client.transport.clear()
        client.send(request)
        return Reply(client.transport.value())

    def get(self, path: bytes) -> Reply:
        return self.ask(self.server.accept(), b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)

    def assert_refused(self, reply: Reply) -> None:
        assert reply.status == 503
        assert reply.headers["retry-after"] == "10"
        assert reply.headers["content-type"] == "application/json"
        assert reply.json == {"error": "Server is restarting", "retryAfter": 10}

    def test_refused_before_the_upgrade(self) -> None:
        accepted, kept = self.server.accept(), self.server.accept()
        self.ask(kept, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.server.hub.say_goodbye(0)
        for client in (self.server.accept(), accepted, kept):
            self.assert_refused(self.ask(client, UPGRADE + b"\r\n"))
            assert client.transport.disconnecting
        assert self.server.counts()["rateLimiter"]["trackedIps"] == 1, "they are charged for nothing"

    def test_http_is_answered(self) -> None:
        assert self.get(b"/ready").json == {"ready": True}
        assert self.get(b"/api/check/HOME").json == {"online": True}
        self.server.hub.say_goodbye(1)
        ready = self.get(b"/ready")
        assert (ready.status, ready.json) == (503, {"ready": False, "reason": "draining"})
        assert self.get(b"/health").json["servers"] == 0
        assert self.get(b"/api/check/HOME").json == {"online": False}


class RhythmTest(SynchronousTestCase):
    """A handful at once, thousands over the time that the settings give."""

    def closed_at_each_tick(self, peers: int, drain_seconds: float) -> list[int]:
        """How many have heard 1012, from the first moment to the last; each peer takes its time to answer."""
        self.server = Server(connections_per_minute=0, connections_per_address=0, drain_seconds=drain_seconds)
        self.peers = [self.server.connect() for _ in range(peers)]
        clock: Any = self.server.clock
        service = Connections(self.server.hub, self.server.factory, self.server.settings, clock)
        self.stopped: list[object] = []
        service.stopService().addCallback(self.stopped.append)
        closed = 0
        counts = []
        while closed < peers:
            closed += sum(peer.close_code() == 1012 for peer in self.peers)
            counts.append(closed)
            assert not self.stopped
            clock.advance(GOODBYE_TICK)
        return counts

    def test_a_handful(self) -> None:
        assert self.closed_at_each_tick(40, 30) == [40]

    def test_hundreds_take_a_moment(self) -> None:
        assert self.closed_at_each_tick(120, 30) == [50, 100, 120]

    def test_thousands_take_no_longer_than_the_settings_say(self) -> None:
        counts = self.closed_at_each_tick(1000, 0.5)
        assert counts == [200, 400, 600, 800, 1000]

    def test_all_at_once(self) -> None:
        assert self.closed_at_each_tick(120, 0) == [120]

    def test_it_waits_for_the_last_one(self) -> None:
        self.closed_at_each_tick(3, 30)
        for peer in self.peers:
            assert not self.stopped
            peer.lose()
        assert self.stopped

    def test_it_does_not_wait_for_ever(self) -> None:
        self.closed_at_each_tick(3, 30)
        self.server.clock.advance(FAREWELL_SECONDS)
        assert self.stopped


class OneByOneTest(SynchronousTestCase):
    """Services stop in an order: the ports are the last thing that a load balancer sees."""

    def test_last_to_first(self) -> None:
        stopped: list[str] = []
        leaving: Deferred[None] = Deferred()

        class Named(Service):
            def stopService(self) -> Deferred[None] | None:
                super().stopService()
                stopped.append(str(self.name))
                if self.name == "slow":
                    return leaving
                if self.name == "broken":
                    raise ValueError("broken")
                return None

        services = OneByOne()
        for name in ("first", "slow", "broken", "last"):
            service = Named()
            service.setName(name)
            service.setServiceParent(services)
        services.startService()
        done: list[None] = []
        services.stopService().addCallback(done.append)
        assert (stopped, done) == (["last", "broken", "slow"], [])
        leaving.callback(None)
        assert stopped[-1] == "first"
        assert done == [None]
        assert len(self.flushLoggedErrors(ValueError)) == 1


class Deaf:
    """A peer that hears its close and never answers: the server stays until it gives it up, two seconds later."""

    def __init__(self, server: ServerProcess) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), WITHIN)
        self._socket.sendall(UPGRADE + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def close_code(self) -> int:
        """Wait for the close frame."""
        frame = b""
        while len(frame) < 4:
            received = self._socket.recv(4 - len(frame))
            assert received, "TCP was cut without a close frame"
            frame += received
        assert frame[0] == 0x88, frame
        return int.from_bytes(frame[2:])

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()


class ProcessTest(SynchronousTestCase):
    """The real server and its signals."""

    def test_exit_status(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with ServerProcess() as server:
                assert server.stop(number) == 0, server.log()
            assert "Traceback" not in server.log()

    def test_the_second_signal_ends_it_at_once(self) -> None:
        """Before the deaf peer is given up, and with the status of a process that such a signal has ended."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            with ServerProcess() as server, Deaf(server) as deaf:
                os.kill(server.pid, first)
                assert deaf.close_code() == 1012
                assert server.stop(second) == 128 + second

    def test_draining(self) -> None:
        """Until the last one has gone, /ready says no, /health answers, and nobody new comes in."""

        async def conversation(session: aiohttp.ClientSession) -> None:
            async with session.get(f"{server.http}/ready") as reply:
                assert (reply.status, await reply.json()) == (200, {"ready": True})
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert await asyncio.to_thread(deaf.close_code) == 1012
            async with session.get(f"{server.http}/ready") as reply:
                assert (reply.status, await reply.json()) == (503, {"ready": False, "reason": "draining"})
            async with session.get(f"{server.http}/health") as reply:
                assert reply.status == 200
            try:
                await session.ws_connect(server.url)
            except aiohttp.WSServerHandshakeError as refused:
                assert refused.status == 503
                assert refused.headers is not None
                assert refused.headers["Retry-After"] == "10"
            else:
                raise AssertionError("somebody new came in")
            assert await stopping == 0, server.log()

        with ServerProcess() as server, Deaf(server) as deaf:
            talk(conversation)

    def test_hundreds_hear_it_in_a_rhythm(self) -> None:
        """All of them hear 1012 and nothing else, and not all in the same moment."""
        counts: list[int] = []

        async def watch(session: aiohttp.ClientSession) -> None:
            """What /health counts until it is gone."""
            while True:
                try:
                    async with session.get(f"{server.http}/health") as reply:
                        counts.append((await reply.json())["servers"])
                except aiohttp.ClientError:
                    return

        async def conversation(session: aiohttp.ClientSession) -> None:
            many = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            homes = [await registered(many, server.url, f"HOME{number}") for number in range(400)]
            watching = asyncio.create_task(watch(session))
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            for closing in await asyncio.gather(*(home.receive() for home in homes)):
                assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1012), closing
            assert await stopping == 0, server.log()
            await watching
            await many.close()

        options = ("--connections-per-minute", "0", "--connections-per-address", "0", "--drain-seconds", "1")
        with ServerProcess(*options) as server:
            talk(conversation)
        assert any(0 < count < 400 for count in counts), counts
        assert all(before >= after for before, after in pairwise(counts)), counts
        assert "Traceback" not in server.log()
