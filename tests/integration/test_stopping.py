"""The real server stops: its signals, its exit status, and what can be asked of it until it has gone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.shutdown import BATCH_SECONDS, MIN_BATCH
from tests.support.deaf_peer import Deaf
from tests.support.server_process import STOPS_WITHIN, ServerProcess, child_environment, end, registered, talk

HUNDREDS = 300
"""Homes at one server."""


class StoppingTest(SynchronousTestCase):
    """The real server and its signals."""

    def test_exit_status(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with ServerProcess() as server:
                assert server.stop(number) == 0, server.log()

    def test_signal_as_soon_as_it_is_up(self) -> None:
        """The log doesn't say so before each signal has its meaning."""
        for number in (signal.SIGHUP, signal.SIGTERM):
            process = subprocess.Popen(
                [sys.executable, "-m", "ma_signaling", "--port", "tcp:0:interface=127.0.0.1"],
                env=child_environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            with process.stdout as output:
                try:
                    while "is up" not in (line := output.readline()):
                        assert line, "the server ended"
                    process.send_signal(number)
                    while "Reloading" not in line and "SIGTERM" not in line:
                        line = output.readline()
                        assert line, f"{number!r} ended the server"
                    if number is signal.SIGTERM:
                        process.wait(STOPS_WITHIN)
                finally:
                    end(process, signal.SIGTERM)
            assert process.returncode == 0

    def test_a_signal_that_is_ignored_stays_so(self) -> None:
        """As a shell ignores SIGINT for what it runs in the background."""
        ignoring = "; ".join(
            [
                "import os, signal, sys",
                "signal.signal(signal.SIGINT, signal.SIG_IGN)",
                "os.execv(sys.argv[1], sys.argv[1:])",
            ]
        )
        with ServerProcess(prefix=(sys.executable, "-c", ignoring)) as server:
            os.kill(server.pid, signal.SIGINT)
            assert server.get("/ready") == {"ready": True}
            assert server.stop() == 0

    def test_the_second_signal_ends_it_at_once(self) -> None:
        """Once a second is over, before the deaf peer is given up, with the status of a process that it has ended."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            with ServerProcess() as server, Deaf(server.port) as deaf:
                os.kill(server.pid, first)
                assert deaf.close_code() == 1012
                while server.is_running():
                    os.kill(server.pid, second)
                    time.sleep(0.05)
                assert server.wait() == 128 + second

    def test_a_signal_that_comes_twice(self) -> None:
        """As `timeout` and some supervisors send it, to the process and to its group."""
        with ServerProcess() as server, Deaf(server.port) as deaf:
            os.kill(server.pid, signal.SIGTERM)
            assert deaf.close_code() == 1012
            os.kill(server.pid, signal.SIGTERM)
            assert server.wait() == 0

    def test_a_signal_that_comes_twice_where_nobody_is_connected(self) -> None:
        """The server is gone within milliseconds: the second one comes at any time of its end."""
        for _ in range(2):
            with ServerProcess() as server:
                ends = time.monotonic() + 0.9
                while server.is_running() and time.monotonic() < ends:
                    os.kill(server.pid, signal.SIGTERM)
                assert server.wait() == 0

    def test_signals_without_a_use(self) -> None:
        with ServerProcess() as server:
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                os.kill(server.pid, number)
            assert server.get("/ready") == {"ready": True}

    def test_draining(self) -> None:
        """Until the last one has gone, /ready says no, /health answers, and nobody new comes in: on new connections."""

        async def conversation(_: aiohttp.ClientSession) -> None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                await ask(session)

        async def ask(session: aiohttp.ClientSession) -> None:
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

        with ServerProcess() as server, Deaf(server.port) as deaf:
            talk(conversation)

    def test_hundreds_hear_it_in_a_rhythm(self) -> None:
        """All of them hear 1012 and nothing else, and not all in the same moment."""

        async def conversation(_: aiohttp.ClientSession) -> None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as many:
                homes = [await registered(many, server.url, f"HOME{number}") for number in range(HUNDREDS)]
                began = time.monotonic()
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                for closing in await asyncio.gather(*(home.receive() for home in homes)):
                    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1012), closing
                assert time.monotonic() - began >= BATCH_SECONDS * (HUNDREDS / MIN_BATCH - 1)
                assert await stopping == 0, server.log()

        options = (
            "--connections-per-minute",
            "0",
            "--silent-connections-per-address",
            "0",
            "--drain-seconds",
            "1",
        )
        with ServerProcess(*options) as server:
            talk(conversation)
