"""The real server at the end of its means: descriptors, and peers that do not read."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_certificate
from tests.server_process import ServerProcess, free_port
from tests.wire import TEXT, UPGRADE, frame

WITHIN = 60.0


def play(conversation: Callable[[], Awaitable[None]]) -> None:
    """A conversation to its end, within bounds."""

    async def bounded() -> None:
        async with asyncio.timeout(WITHIN):
            await conversation()

    asyncio.run(bounded())


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used (proc(5), fields 14 and 15, in hundredths)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def registered(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    """A home that is connected; its certificate is not looked at."""
    home = await session.ws_connect(url, ssl=False)
    await home.send_json({"type": "register-server", "remoteId": "HOME"})
    assert (await home.receive_json())["type"] == "registered"
    return home


class DescriptorsTest(SynchronousTestCase):
    """More connections than there are descriptors."""

    def test_few_descriptors(self) -> None:
        """New ones get 503, existing ones never suffer, and the accept loop doesn't spin."""

        async def conversation() -> None:
            async with aiohttp.ClientSession() as session:
                home = await registered(session, server.url)
                crowd = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(250)]
                assert await crowd[-1][0].read(12) == b"HTTP/1.1 503"
                before = cpu_seconds(server.pid)
                await asyncio.sleep(1)
                assert cpu_seconds(server.pid) - before < 0.5
                await home.send_json({"type": "ping"})
                assert (await home.receive_json())["type"] == "pong"
                for _, writer in crowd:
                    writer.close()
                await asyncio.gather(*(writer.wait_closed() for _, writer in crowd), return_exceptions=True)
                async with await session.get(f"{server.http}/health") as reply:
                    assert reply.status == 200

        with ServerProcess(prefix=("prlimit", "--nofile=160:160")) as server:
            play(conversation)
            assert "Traceback" not in server.log(), server.log()


class SlowReaderTest(SynchronousTestCase):
    """A peer that stops reading is cut at the send buffer's bound; who sends to it is told, and goes on."""

    def stall(self, url: str, port: int, context: ssl.SSLContext | None, *options: str) -> None:
        async def conversation() -> None:
            async with aiohttp.ClientSession() as session:
                home = await registered(session, url)
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=1024)
                request = frame(TEXT, b'{"type":"connect-request","remoteId":"HOME"}')
                writer.write(UPGRADE + b"\r\n" + request)
                session_id = (await home.receive_json())["sessionId"]
                await home.send_json({"type": "session-ready", "sessionId": session_id})
                # Nothing is read at the other end from here on.
                message = {"type": "ice-candidate", "sessionId": session_id, "data": "x" * 60_000}
                answer: dict[str, str] = {}
                while answer.get("code") != "home-busy":
                    for _ in range(20):
                        await home.send_json(message)
                    await home.send_json({"type": "ping"})
                    answer = await home.receive_json()
                while answer["type"] != "client-disconnected":
                    answer = await home.receive_json()
                writer.transport.abort()
                await asyncio.sleep(0)

        limits = ("--message-burst", "0", "--message-bytes-burst", "0", "--control-burst", "0")
        with ServerProcess(*limits, "--send-buffer-bytes", "262144", *options) as server:
            play(conversation)
            assert "does not read what it is sent" in server.log(), server.log()
            assert "Traceback" not in server.log(), server.log()

    def test_plain(self) -> None:
        port = free_port()
        self.stall(f"ws://127.0.0.1:{port}/ws", port, None, "--port", f"tcp:{port}:interface=127.0.0.1")

    def test_tls(self) -> None:
        port = free_port()
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = Path(directory) / "key.pem", Path(directory) / "certificate.pem"
            make_certificate(key, certificate)
            context = ssl.create_default_context(cafile=str(certificate))
            context.check_hostname = False
            where = f"ssl:{port}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
            self.stall(f"wss://127.0.0.1:{port}/ws", port, context, "--port", where)
