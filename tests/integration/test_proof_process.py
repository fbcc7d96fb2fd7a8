"""The process that asks for proofs goes wrong in each way that a process can, and the server asks another one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.runtime import proof_process
from ma_signaling.runtime.prover import ChildProver
from tests.support.browser_thread import HomeThread
from tests.support.proof_child import AskedHome, ProofChild

WITHIN = 30.0


class AskedPeer:
    """A home of a thread of its own, as core's ``Asked``: it answers the offer, and knows what came of it."""

    def __init__(self, homes: HomeThread, home: AskedHome, *, answers: bool = True) -> None:
        self._homes = homes
        self._home = home
        self._answers = answers
        self.session: Any = None
        self.offered: Deferred[None] = Deferred()
        self.outcome: Deferred[str] = Deferred()

    def offer(self, data: dict[str, object]) -> None:
        """Answer it."""
        assert data["type"] == "offer"
        self.offered.callback(None)
        if self._answers:
            answering = deferToThread(self._homes.run, self._home.answer(str(data["sdp"])))
            answering.addCallback(lambda sdp: self.session.answer({"type": "answer", "sdp": sdp}))

    def proved(self) -> None:
        """It has proved itself."""
        self.outcome.callback("proved")

    def failed(self, reason: str) -> None:
        """It has not."""
        self.outcome.callback(reason)


class Asking:
    """A prover on the real reactor, and homes."""

    def __init__(self, homes: HomeThread) -> None:
        self.homes = homes
        settings = Settings(proof_networks=(ip_network("127.0.0.1/32"),))
        self.prover = ChildProver(settings, lambda: IceServers(settings), self.reactor)
        self.prover.startService()
        self._homes: list[AskedHome] = []

    @property
    def reactor(self) -> Any:
        """Twisted's."""
        return reactor

    @property
    def pid(self) -> int:
        """The id of the process."""
        process: Any = self.prover._process
        return int(process._child.pid)

    def ask(self, **options: Any) -> AskedPeer:
        """Ask a new home."""

        async def make() -> AskedHome:
            return AskedHome()

        home = self.homes.run(make())
        self._homes.append(home)
        peer = AskedPeer(self.homes, home, **options)
        peer.session = self.prover.ask(home.remote_id, peer)
        return peer

    async def outcome(self, peer: AskedPeer) -> str:
        """Wait for what came of it."""
        return await peer.outcome.addTimeout(WITHIN, self.reactor)

    async def stop(self) -> None:
        """End all of it."""
        stopping = self.prover.stopService()
        if stopping is not None:
            await stopping.addTimeout(WITHIN, self.reactor)
        for home in self._homes:
            await deferToThread(self.homes.run, home.__aexit__())


def strings_of(pid: int, name: str) -> list[str]:
    """Return what the kernel says of a process: its arguments or its environment."""
    return Path(f"/proc/{pid}/{name}").read_text().rstrip("\0").split("\0")


@pytest_twisted.async_yield_fixture
async def asking() -> AsyncIterator[Asking]:
    with HomeThread() as homes:
        asking = Asking(homes)
        yield asking
        await asking.stop()


@pytest_twisted.ensureDeferred
async def test_proofs_one_after_the_other(asking: Asking) -> None:
    """By one process, which is told nothing in its environment or arguments."""
    pids = set()
    for _ in range(3):
        assert await asking.outcome(asking.ask()) == "proved"
        pids.add(asking.pid)
    (pid,) = pids
    assert [each.partition("=")[0] for each in strings_of(pid, "environ")] == ["PYTHONPATH"]
    assert strings_of(pid, "cmdline")[1:] == ["-P", "-m", proof_process.MODULE]


@pytest_twisted.ensureDeferred
async def test_killed(asking: Asking) -> None:
    """Whoever was being asked fails; whoever is asked next is asked by another process."""
    waiting = asking.ask(answers=False)
    await waiting.offered.addTimeout(WITHIN, asking.reactor)
    first = asking.pid
    os.kill(first, signal.SIGKILL)
    assert await asking.outcome(waiting) == "the process that asks for proofs has ended"
    assert await asking.outcome(asking.ask()) == "proved"
    assert asking.pid != first


@pytest_twisted.ensureDeferred
async def test_stopped(asking: Asking) -> None:
    """A process that does nothing at all is killed in the end."""
    waiting = asking.ask(answers=False)
    await waiting.offered.addTimeout(WITHIN, asking.reactor)
    os.kill(asking.pid, signal.SIGSTOP)
    process: Any = asking.prover._process
    (proof,) = process._proofs.values()
    # ``HANG_SECONDS`` are over soon; to start, the process may have taken longer than a test would wait.
    proof.deadline.reset(0.5)
    assert await asking.outcome(waiting) == "the process that asks for proofs has ended"
    assert await asking.outcome(asking.ask()) == "proved"


@pytest_twisted.ensureDeferred
async def test_idle(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes when it has nothing to do, by itself."""
    monkeypatch.setattr("ma_signaling.runtime.prover.IDLE_SECONDS", 0.1)
    assert await asking.outcome(asking.ask()) == "proved"
    process: Any = asking.prover._process
    await process.ended.addTimeout(WITHIN, asking.reactor)
    assert process._child.status == 0


class LimitsTest(SynchronousTestCase):
    """What the kernel does about a process that a peer has got the better of."""

    def status_of(self, code: str) -> int:
        """Return the exit status of a process whose first proof runs `code` instead."""
        patch = f"from ma_signaling.webrtc import child\ndef take(*_):\n    {code}\nchild.Child.take = take\n"

        async def ask() -> int:
            async with ProofChild("-c", patch + "child.MAX_TURN = 0.3\nchild.main()") as child:
                child.ask("A" * 26)
                return await child.wait()

        return asyncio.run(ask())

    def test_busy(self) -> None:
        assert self.status_of("while True: pass") == -signal.SIGPROF

    def test_memory(self) -> None:
        assert self.status_of("bytes(child.MAX_DATA)") == 1
        assert self.status_of("bytes(child.MAX_DATA // 2); raise SystemExit(7)") == 7

    def test_files(self) -> None:
        assert self.status_of("import os; [os.dup(0) for _ in range(child.MAX_FILES)]") == 1
        assert (
            self.status_of("import os; [os.dup(0) for _ in range(child.MAX_FILES // 2)]; raise SystemExit(7)")
            == 7
        )
