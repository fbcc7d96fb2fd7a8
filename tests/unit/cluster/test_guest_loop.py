"""An asyncio loop that Twisted's reactor runs."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable

from twisted.internet.epollreactor import EPollReactor
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.guest_loop import MAX_STEPS, GuestLoop

WITHIN = 5.0
LOOKS_AGAIN = 0.02


class GuestLoopTest(SynchronousTestCase):
    """Whatever is ready is called, and the reactor sleeps while nothing is."""

    def setUp(self) -> None:
        self.reactor = EPollReactor()
        self.addCleanup(self.reactor._poller.close)
        for end in self.reactor._internalReaders:
            self.addCleanup(end.connectionLost, None)
        self.loop = GuestLoop(self.reactor)
        self.addCleanup(self.loop.close)

    def run_until(self, is_done: Callable[[], bool]) -> None:
        """Let the reactor run, as its own main loop does."""
        deadline = time.monotonic() + WITHIN
        while not is_done():
            assert time.monotonic() < deadline
            self.reactor.runUntilCurrent()
            timeout = self.reactor.timeout()
            self.reactor.doIteration(LOOKS_AGAIN if timeout is None else min(timeout, LOOKS_AGAIN))

    def test_a_task_begun_from_outside(self) -> None:
        async def steps() -> str:
            for _ in range(3 * MAX_STEPS):
                await asyncio.sleep(0)
            return "done"

        task = self.loop.create_task(steps())
        self.run_until(task.done)
        self.assertEqual(task.result(), "done")

    def test_an_event_set_from_outside(self) -> None:
        event = asyncio.Event()
        task = self.loop.create_task(event.wait())
        self.run_until(lambda: self.reactor.timeout() is None)
        event.set()
        self.run_until(task.done)

    def test_timers(self) -> None:
        async def waits() -> None:
            try:
                await asyncio.wait_for(asyncio.sleep(WITHIN * 10), 0.01)
            except TimeoutError:
                await asyncio.sleep(0.01)

        task = self.loop.create_task(waits())
        self.run_until(task.done)

    def test_sockets(self) -> None:
        here, there = socket.socketpair()
        self.addCleanup(there.close)

        async def hears() -> bytes:
            reader, writer = await asyncio.open_connection(sock=here)
            heard = await reader.readexactly(2)
            writer.write(b"answer")
            await writer.drain()
            writer.close()
            return heard

        task = self.loop.create_task(hears())
        self.run_until(lambda: self.reactor.timeout() is None)
        there.send(b"he")
        self.run_until(task.done)
        self.assertEqual((task.result(), there.recv(6)), (b"he", b"answer"))

    def test_threads(self) -> None:
        """The reactor is woken by what another thread has done for the loop."""
        task = self.loop.create_task(asyncio.to_thread(lambda: 7))
        self.run_until(task.done)
        self.assertEqual(task.result(), 7)

    def test_it_leaves_a_turn_to_others(self) -> None:
        calls = 0

        def again() -> None:
            nonlocal calls
            calls += 1
            self.loop.call_soon(again)

        self.loop.call_soon(again)
        self.reactor.runUntilCurrent()
        self.assertEqual(calls, MAX_STEPS)

    def test_what_would_end_another_program(self) -> None:
        self.loop.call_soon(sys.exit)
        self.run_until(lambda: self.reactor.timeout() is None)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        task = self.loop.create_task(asyncio.sleep(0, "goes on"))
        self.run_until(task.done)

    def test_what_runs_at_the_end(self) -> None:
        """It ends before the loop is closed, in as many steps as it takes."""
        ended = []

        async def runs() -> None:
            try:
                await asyncio.sleep(WITHIN * 10)
            finally:
                for _ in range(3 * MAX_STEPS):
                    await asyncio.sleep(0)
                ended.append("ended")

        self.loop.create_task(runs())
        self.run_until(lambda: self.reactor.timeout() != 0)
        self.loop.close()
        self.assertEqual(ended, ["ended"])

    def test_after_the_end(self) -> None:
        """Timers that are left do nothing."""
        self.loop.call_later(0, self.fail)
        self.loop.close()
        self.run_until(lambda: self.reactor.timeout() is None)
