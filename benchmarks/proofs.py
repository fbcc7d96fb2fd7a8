"""``python -m benchmarks.proofs [PROOFS] [AT_ONCE]``: what proofs of possession by real homes cost, on loopback.

The homes (aiortc) are in a process of their own. In the output, *server* is this process, with the server's prover,
Twisted and the pipes to the homes; *child* is the process that asks for proofs.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater, react

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.runtime.prover import ChildProver
from ma_signaling.testing import loopback_only
from tests.support.proof_child import AskedHome

SETTLES = 0.5
"""Seconds after which the last proof has closed its connection."""


class Homes(ProcessProtocol):
    """The process with the homes, which are numbered."""

    def __init__(self) -> None:
        self.transport: Any
        self._line = b""
        self._waiting: dict[int, Deferred[str]] = {}

    def ask(self, number: int, offer: str | None = None) -> Deferred[str]:
        """Return a new home's Remote ID or, with ``offer``, the SDP of a home's answer."""
        self._waiting[number] = Deferred()
        self.transport.write(json.dumps([number, offer]).encode() + b"\n")
        return self._waiting[number]

    def outReceived(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            number, text = json.loads(line)
            self._waiting.pop(number).callback(text)

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode(errors="replace"))


class Contender:
    """A home that is asked for proof (``core.prover.Asked``)."""

    def __init__(self, homes: Homes, number: int) -> None:
        self._homes = homes
        self._number = number
        self._began = time.perf_counter()
        self.session: Any = None
        self.took: Deferred[float] = Deferred()

    def offer(self, data: dict[str, object]) -> None:
        """Let the home answer."""
        answered = self._homes.ask(self._number, str(data["sdp"]))
        answered.addCallback(lambda sdp: self.session.answer({"type": "answer", "sdp": sdp}))

    def proved(self) -> None:
        """Fire ``took`` with the seconds since the home was asked."""
        self.took.callback(time.perf_counter() - self._began)

    def failed(self, reason: str) -> None:
        """Let ``took`` fail."""
        self.took.errback(RuntimeError(reason))


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


async def measure(clock: Any, proofs: int, at_once: int) -> None:
    """Have homes prove themselves, and print what that costs."""
    settings = Settings(proof_networks=(ip_network("127.0.0.1/32"),))
    prover = ChildProver(settings, lambda: IceServers(settings, b""), clock)
    homes = Homes()
    clock.spawnProcess(homes, sys.executable, [sys.executable, "-m", __spec__.name, "homes"], os.environ)
    names = [await homes.ask(number) for number in range(proofs + 1)]

    async def one(number: int) -> float:
        contender = Contender(homes, number)
        contender.session = prover.ask(names[number], contender)
        return await contender.took

    print(f"first proof, with the start of the child: {1000 * await one(proofs):.0f} ms")
    process: Any = prover._process  # noqa: SLF001 - which process it is, is nobody else's business
    pid = process._child.pid  # noqa: SLF001
    child, server, began = processor_seconds(pid), time.process_time(), time.perf_counter()
    took: list[float] = []
    for first in range(0, proofs, at_once):
        batch = range(first, min(first + at_once, proofs))
        took += await gatherResults([ensureDeferred(one(number)) for number in batch])
        await deferLater(clock, 0)
    server, wall = time.process_time() - server, time.perf_counter() - began
    await deferLater(clock, SETTLES)
    child = processor_seconds(pid) - child
    print(
        f"{proofs} proofs, {at_once} at once, in {wall:.1f} s: median {1000 * statistics.median(took):.0f} ms,"
    )
    print(
        f"  slowest {1000 * max(took):.0f} ms; processor time of each: {1000 * child / proofs:.1f} ms in the child,"
    )
    print(
        f"  {1000 * server / proofs:.1f} ms in the server; peak memory of the child: {peak_mib(pid):.0f} MiB"
    )
    process.kill()
    await process.ended


async def be_homes() -> None:
    """Make homes and answer offers, as lines of JSON on stdin ask for."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    homes: dict[int, AskedHome] = {}
    answering = set()

    async def answer(number: int, offer: str) -> None:
        print(json.dumps([number, await homes[number].answer(offer)]), flush=True)

    while line := await reader.readline():
        number, offer = json.loads(line)
        if offer is None:
            homes[number] = AskedHome()
            print(json.dumps([number, homes[number].remote_id]), flush=True)
        else:
            answering.add(asyncio.create_task(answer(number, offer)))


def main(*arguments: str) -> None:
    """Measure; with ``homes`` as the argument, be the process with the homes."""
    if arguments == ("homes",):
        with loopback_only():
            asyncio.run(be_homes())
    else:
        proofs, at_once = [*map(int, arguments), *(100, 1)[len(arguments) :]]
        react(lambda clock: ensureDeferred(measure(clock, proofs, at_once)))


if __name__ == "__main__":
    main(*sys.argv[1:])
