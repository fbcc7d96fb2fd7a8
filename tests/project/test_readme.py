"""The README from the top, in a copy of this checkout that has nothing yet; and a session by hand, line by line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling import __version__
from ma_signaling.testing import Home, Peer, eventually
from tests import ROOT
from tests.support.free_ports import free_port
from tests.support.markdown_parts import blocks
from tests.support.server_process import OPENER, STOPS_WITHIN, ServerProcess

README = ROOT / "README.md"
# What a checkout has not, and what would have to be built again.
LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis", "_trial_temp*", "node_modules", "build", "*.egg-info")
INSTALLS_WITHIN = 300.0


class ReadmeTest(SynchronousTestCase):
    """Its blocks of commands, in their order: each is run as it stands, but for the port."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.clone = directory / "ma-signaling"
        shutil.copytree(ROOT, self.clone, ignore=shutil.ignore_patterns(*LEFT_OUT))
        self.port = free_port()
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
        }
        path = f"{self.clone}/.venv/bin{os.pathsep}{clean['PATH']}"
        # What is not run needs not be compiled.
        self.environment = {**clean, "PATH": path, "PORT": str(self.port), "PIP_NO_COMPILE": "1"}

    def test_from_the_top(self) -> None:
        run, install, check, test = (
            block.replace("8787", str(self.port)) for block in blocks(README, "bash")
        )
        with_server = self.start(run)
        self.check_a_home(check)
        self.stop(with_server)
        self.check_installation()

        # All of it runs in CI, which begins as this does; here only what it would do.
        assert test == "make test\n"
        assert "pytest" in self.shell("make --dry-run test")
        assert self.ci_runs_the_same(), ".ci/run"

        pip, foreground, daemon = install.splitlines()
        self.shell(pip)
        self.check_installation()
        self.stop(self.start(foreground))
        self.shell(daemon)
        process_id = int((self.clone / "ma-signaling.pid").read_text())
        self.addCleanup(self.kill_daemon, process_id)
        self.wait_until_healthy(None)
        os.kill(process_id, signal.SIGTERM)
        self.wait_for(lambda: not (self.clone / "ma-signaling.pid").exists(), "an end")

    def check_installation(self) -> None:
        """Away from the checkout, so that nothing is found by accident: the plugin, the version, and the pages."""
        assert "    ma-signaling " in self.shell("twistd --help", away=True)
        assert self.shell("ma-signaling --version", away=True) == f"ma-signaling {__version__}\n"
        code = "from ma_signaling.http.web_pages import read_assets; print(len(read_assets()['doctor']))"
        files = list((ROOT / "ma_signaling" / "http" / "pages" / "doctor").iterdir())
        assert self.shell(f'python -c "{code}"', away=True) == f"{len(files)}\n"

    def ci_runs_the_same(self) -> bool:
        last = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1].split()
        return last[-2:] == ["make", "test"]

    def check_a_home(self, command: str) -> None:
        """Nobody has registered the Remote ID of the example; then somebody does."""
        (remote_id,) = re.findall(r"MA-\S+", command)
        done = self.attempt(command)
        assert done.returncode == 2, done.stdout
        assert done.stdout.startswith("CRITICAL - no home with this Remote ID"), done.stdout

        async def with_home() -> subprocess.CompletedProcess[str]:
            async with Home(f"ws://127.0.0.1:{self.port}/ws", remote_id=remote_id) as home:
                await home.start()
                return await asyncio.to_thread(self.attempt, command)

        done = asyncio.run(with_home())
        assert done.returncode in (0, 1), done.stdout
        assert "OK Home" in done.stdout, done.stdout

    def attempt(self, command: str, *, away: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-ec", command],
            cwd=self.clone.parent if away else self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALLS_WITHIN,
        )

    def shell(self, command: str, *, away: bool = False) -> str:
        done = self.attempt(command, away=away)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """A command that goes on; it serves."""
        process = subprocess.Popen(
            ["bash", "-ec", command],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.addCleanup(self.kill, process)
        self.wait_until_healthy(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kill_daemon(self, process_id: int) -> None:
        """Unless it has ended: then the number may be somebody else's."""
        if (self.clone / "ma-signaling.pid").exists():
            os.kill(process_id, signal.SIGKILL)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ctrl+C."""
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOPS_WITHIN)

    def wait_until_healthy(self, process: subprocess.Popen[bytes] | None) -> None:
        def healthy() -> bool:
            assert process is None or process.poll() is None, "it has ended"
            try:
                with OPENER.open(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return True
            except OSError:
                return False

        self.wait_for(healthy, "an answer from /health")

    def wait_for(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + INSTALLS_WITHIN
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)


class SessionByHandTest(SynchronousTestCase):
    """docs/session-by-hand.md: the home's and the client's blocks by turns, then a third terminal's."""

    def test_line_by_line(self) -> None:
        *turns, third = blocks(ROOT / "docs" / "session-by-hand.md", "")
        with ServerProcess() as server:
            self.server = server
            self.session_ids: dict[str, str] = {}
            asyncio.run(self.play(turns, third))

    async def play(self, turns: list[str], third: str) -> None:
        async with AsyncExitStack() as stack:
            terminals = [Peer(self.server.url), Peer(self.server.url)]
            heard = [0, 0]
            for number, block in enumerate(turns):
                peer = terminals[number % 2]
                for line in block.splitlines():
                    if line.startswith("$"):
                        assert "ws://localhost:8787/ws" in line
                        await stack.enter_async_context(peer)
                        await peer.open()
                    elif line.startswith("> "):
                        await peer.send(**self.message(line))
                    elif line.startswith("< "):
                        heard[number % 2] += 1
                        await self.expect(peer, heard[number % 2], json.loads(line[2:]))
                    elif line.startswith("Connection closed"):
                        await self.ask(third)
                        await peer.stop()

    def message(self, line: str) -> dict[str, Any]:
        """A line that is typed, with this session's ID."""
        message: dict[str, Any] = json.loads(line[2:])
        if "sessionId" in message:
            message["sessionId"] = self.session_ids[message["sessionId"]]
        message["kind"] = message.pop("type")
        return message

    async def expect(self, peer: Peer, count: int, expected: dict[str, Any]) -> None:
        """The message that is shown comes next, with the same fields in the same order."""
        await eventually(lambda: len(peer.received) >= count, f"{expected}")
        message = peer.received[count - 1]
        if "sessionId" in expected:
            shown = expected["sessionId"]
            expected["sessionId"] = self.session_ids.setdefault(shown, message["sessionId"])
            assert len(shown) == len(expected["sessionId"])
        assert list(message.items()) == list(expected.items())

    async def ask(self, third: str) -> None:
        """What `curl` would answer."""
        asked = re.findall(r"^\$ curl -s localhost:8787(/\S+)\n(.*)$", third, re.MULTILINE)
        assert len(asked) == third.count("$ ") > 0, third
        for path, answer in asked:
            shown = json.loads(answer)
            told = await asyncio.to_thread(self.server.get, path)
            if "version" in shown:
                shown["version"] = __version__
                # Whether proofs can be had depends on the machine.
                shown["proof"] = told["proof"]
            assert told == shown
