"""``python -m tests.soak.admin [HOMES]``: the admin commands, on a real server with many connected homes.

Prints how long the event loop's longest turn was during each command, by the clock and in processor time; on a busy
machine, only the former gets longer. Exits with 1 if a turn took more than 20 ms of processor time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import aiohttp

from tests.soak.turn_clock import Longest
from tests.support.server_process import ServerProcess, child_environment, eventually

MAX_SECONDS = 0.020

CLIENTS = 500
"""Clients with a call each; the first of them all come from one address."""

OF_ONE_ADDRESS = 200

ROW = "{:38} {:>9} {:>9} {:>9}  {}"


class Crowd:
    """Homes and clients, each a connection."""

    def __init__(self, url: str, web: aiohttp.ClientSession, homes: int) -> None:
        self._url = url
        self._web = web
        self._names = [f"HOME{number:05}" for number in range(homes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._free = asyncio.Semaphore(50)
        self.session_id = ""

    async def come(self) -> None:
        """Let all homes and clients connect."""
        for number, name in enumerate(self._names):
            await self._one(f"10.0.{number >> 8}.{number & 255}", type="register-server", remoteId=name)
        for number in range(CLIENTS):
            address = "192.0.2.9" if number < OF_ONE_ADDRESS else f"198.51.{number >> 8}.{number & 255}"
            await self._one(address, type="connect-request", remoteId=self._names[number % len(self._names)])
        for number in range(10):
            await self._one("203.0.113.9", type="connect-request", remoteId=f"NOBODY{number}")

    async def leave(self) -> None:
        """Close all connections that are still open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one(self, address: str, **opening: str) -> None:
        has_answer = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._live(address, opening, has_answer)))
        await has_answer.wait()

    async def _live(self, address: str, opening: dict[str, str], has_answer: asyncio.Event) -> None:
        try:
            async with self._web.ws_connect(self._url, headers={"X-Forwarded-For": address}) as socket:
                await socket.send_json(opening)
                async for message in socket:
                    content = message.json()
                    if content["type"] == "client-connected":
                        self.session_id = content["sessionId"]
                        await socket.send_json({"type": "session-ready", "sessionId": self.session_id})
                    has_answer.set()
        finally:
            has_answer.set()


class Operator:
    """Gives the commands, and measures the loop's turns."""

    def __init__(self, server: ServerProcess, socket: Path, longest: Longest) -> None:
        self._server = server
        self._socket = socket
        self._longest = longest
        self.worst = 0.0

    async def give(self, *arguments: str, seconds: float = 0.0) -> None:
        """Give one command; ``seconds``: end it after so long, since it doesn't end by itself."""
        began = self._begin()
        command = [sys.executable, "-m", "ma_signaling", "admin", "--socket", str(self._socket), *arguments]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=child_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        if seconds:
            await asyncio.sleep(seconds)
            process.send_signal(signal.SIGINT)
        output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
        # By then, the consequences of closing many connections are over.
        await asyncio.sleep(1)
        lines = output.splitlines()
        self._end(
            "admin " + " ".join(arguments), began, f"{lines[0]} …" if len(lines) > 1 else output.strip()
        )

    async def reload(self) -> None:
        """Send SIGHUP, after the access list has changed."""
        began = self._begin()
        os.kill(self._server.pid, signal.SIGHUP)
        line = "Connections closed by the access lists: "
        await asyncio.to_thread(eventually, lambda: line in self._server.log(), self._server.log)
        await asyncio.sleep(1)
        self._end("reload", began, line + self._server.log().rpartition(line)[2].splitlines()[0])

    async def wait(self, seconds: float) -> None:
        """Give no command, to measure the turns without one."""
        began = self._begin()
        await asyncio.sleep(seconds)
        self._end("(nothing)", began, "")

    def _begin(self) -> float:
        self._longest.write(0.0, 0.0)
        return asyncio.get_running_loop().time()

    def _end(self, what: str, began: float, answer: str) -> None:
        took = asyncio.get_running_loop().time() - began
        clock, processor = self._longest.read()
        self.worst = max(self.worst, processor)
        print(ROW.format(what, f"{took:.1f}", f"{clock * 1e3:.1f}", f"{processor * 1e3:.1f}", answer[:60]))  # noqa: T201


async def play(directory: Path, homes: int) -> float:
    """Play all commands; return the processor seconds of the longest turn."""
    socket, deny, clock = directory / "admin.sock", directory / "deny", directory / "turns"
    deny.write_text("# nobody yet\n")
    longest = Longest(clock)
    options = (
        "--admin-socket",
        str(socket),
        "--deny",
        str(deny),
        "--state-directory",
        str(directory / "state"),
    )
    prefix = (sys.executable, "-m", "tests.soak.turn_clock", str(clock))
    with ServerProcess(*options, "--start-grace", "0", prefix=prefix) as server:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as web:
            crowd = Crowd(server.url, web, homes)
            await crowd.come()
            operator = Operator(server, socket, longest)
            print(ROW.format("", "seconds", "turn, ms", "CPU, ms", "answer"))  # noqa: T201
            await operator.wait(10)
            for command in (
                "status",
                "homes",
                "homes --json",
                "homes HOME00030",
                "sessions",
                f"sessions {crowd.session_id}",
                "contests",
                "addresses",
                "addresses --limit 200",
                "blocks",
                "unblock 203.0.113.9",
                "log-level debug",
                "log-level info",
                "kick HOME00002",
                "kick 192.0.2.9",
                "ban HOME00003",
                "ban 10.0.1.0/24 --for 1h",
                "bans",
                "unban 10.0.1.0/24",
            ):
                await operator.give(*command.split())
            await operator.give("status", "--watch", seconds=7)
            await operator.give("trace", "HOME00030", seconds=5)
            deny.write_text("10.0.2.0/23\n")
            await operator.reload()
            await operator.give("ban", "10.0.8.0/21")
            await operator.give("drain", "--over", "5s")
            await crowd.leave()
        await asyncio.to_thread(server.wait)
    return operator.worst


def main() -> None:
    """Play with as many homes as the command line says."""
    directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
    try:
        worst = asyncio.run(play(directory, int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(worst > MAX_SECONDS)


if __name__ == "__main__":
    main()
