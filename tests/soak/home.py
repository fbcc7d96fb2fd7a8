"""Fifty clients come to the home's agent and leave, some without a goodbye; afterwards nothing of them may be left.

``python -m tests.soak.home SECONDS`` (``make soak-home``). Exits with 1 if memory or descriptors have grown.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ma_signaling.testing import Client, loopback_only
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import MusicAssistantStandIn
from tests.support.server_process import ServerProcess

CLIENTS = 50
STAY_SECONDS = (10.0, 40.0)
SAMPLE_SECONDS = 10.0
SETTLE_SECONDS = 90.0
"""Until ICE has noticed that clients left without a goodbye, and their sessions are closed."""
MAX_GROWTH = 1.15
"""The most by which memory may grow, from the first third of the time to its end."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory and the descriptors of the agent at one moment."""

    seconds: float
    memory: int
    """The resident set in MiB."""
    descriptors: int

    @classmethod
    def of(cls, pid: int, began: float) -> Sample:
        """Return the sample of a process."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return cls(time.monotonic() - began, memory // 1024, len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208


class Crowd:
    """The clients, and the outcomes of their visits."""

    def __init__(self, url: str, remote_id: str) -> None:
        self._url = url
        self._remote_id = remote_id
        self.visits = 0
        self.failures: list[str] = []

    async def come_and_go(self, until: float) -> None:
        """Play one client after the other."""
        await asyncio.sleep(random.uniform(0, STAY_SECONDS[1]))
        while time.monotonic() < until:
            try:
                await self._visit(min(random.uniform(*STAY_SECONDS), max(0.0, until - time.monotonic())))
                self.visits += 1
            except Exception as problem:  # noqa: BLE001 - counted, and said in the end
                self.failures.append(repr(problem))

    async def _visit(self, stay: float) -> None:
        async with Client(self._url, self._remote_id) as client:
            await client.connect()
            await client.ask('{"message_id": "1", "command": "test/long"}')
            client.channel.send(
                '{"type": "http-proxy-request", "id": "1", "method": "GET", "path": "/imageproxy/picture"}'
            )
            await asyncio.sleep(stay)
            if random.random() < 0.3:
                # Neither the server nor the home hears a goodbye.
                await client.cut()
                for connection in client.sessions.values():
                    if connection.sctp is not None:
                        await connection.sctp.transport.transport._connection.close()


def tell(text: str) -> None:
    """Print progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def soak(seconds: float) -> bool:
    """Play the soak, print the samples, and return whether nothing has grown."""
    options = ("--home-sessions-per-minute", "0", "--connect-requests-per-minute", "0")
    with ServerProcess(*options) as server, loopback_only():
        async with MusicAssistantStandIn() as assistant:
            # Clients who left without a goodbye count too, until ICE has noticed it.
            home = HomeProcess(server.url, assistant.url, "--max-sessions", str(2 * CLIENTS))
            await asyncio.to_thread(home.start)
            try:
                return await _measure(Crowd(server.url, home.remote_id), home.pid, seconds)
            finally:
                await asyncio.to_thread(home.stop)
                tell(
                    "\n".join(
                        line for line in home.log().splitlines() if "WARNING" in line or "ERROR" in line
                    )
                )


async def _measure(crowd: Crowd, pid: int, seconds: float) -> bool:
    began = time.monotonic()
    samples = [Sample.of(pid, began)]
    clients = [asyncio.create_task(crowd.come_and_go(began + seconds)) for _ in range(CLIENTS)]
    while any(not each.done() for each in clients):
        await asyncio.wait(clients, timeout=SAMPLE_SECONDS)
        samples.append(Sample.of(pid, began))
        tell(
            f"{samples[-1].seconds:5.0f} s  {samples[-1].memory:4} MiB  {samples[-1].descriptors:4} descriptors"
        )
    while (
        samples[-1].descriptors > samples[0].descriptors
        and time.monotonic() < began + seconds + SETTLE_SECONDS
    ):
        await asyncio.sleep(1)
        samples.append(Sample.of(pid, began))
    first = max(each.memory for each in samples if each.seconds <= seconds / 3 + SAMPLE_SECONDS)
    last = samples[-1]
    tell(f"{crowd.visits} visits, {len(crowd.failures)} failures {sorted(set(crowd.failures))[:3]}")
    tell(f"memory: {first} MiB in the first third, {max(each.memory for each in samples)} MiB at most")
    tell(f"descriptors: {samples[0].descriptors} before, {last.descriptors} after {last.seconds:.0f} s")
    is_flat = max(each.memory for each in samples) <= first * MAX_GROWTH
    return is_flat and last.descriptors <= samples[0].descriptors


if __name__ == "__main__":
    sys.exit(not asyncio.run(soak(float(sys.argv[1]) if len(sys.argv) > 1 else 300)))
