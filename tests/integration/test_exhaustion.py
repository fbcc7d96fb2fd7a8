"""The real server at the end of its means: descriptors, and peers that do not read."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.memory_server import TEXT, UPGRADE, frame
from tests.support.server_process import ServerProcess, run

WITHIN = 30.0


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


async def health(session: aiohttp.ClientSession, url: str) -> int:
    """The status of the reply to a request for ``/health``."""
    async with await session.get(f"{url}/health") as reply:
        return reply.status


class DescriptorsTest(SynchronousTestCase):
    """More connections than there are descriptors."""

    def test_few_descriptors(self) -> None:
        """New ones get 503, existing ones never suffer, and the accept loop doesn't spin."""

        async def conversation() -> None:
            async with aiohttp.ClientSession() as session:
                home = await registered(session, server.url)
                crowd = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(250)]
                # On a busy machine one turn accepts many of them, more than there are descriptors for refusals.
                assert await crowd[-1][0].read(12) in {b"", b"HTTP/1.1 503"}
                crowd.append(await asyncio.open_connection("127.0.0.1", server.port))
                assert await crowd[-1][0].read(12) == b"HTTP/1.1 503"
                before = cpu_seconds(server.pid)
                await asyncio.sleep(1)
                assert cpu_seconds(server.pid) - before < 0.5
                await home.send_json({"type": "ping"})
                assert (await home.receive_json())["type"] == "pong"
                for _, writer in crowd:
                    writer.close()
                await asyncio.gather(*(writer.wait_closed() for _, writer in crowd), return_exceptions=True)
                # The server needs a moment to see that they are gone.
                while await health(session, server.http) != 200:  # noqa: ASYNC110 - nothing here tells it
                    await asyncio.sleep(0.05)

        with ServerProcess(prefix=("prlimit", "--nofile=160:160")) as server:
            play(conversation)

    def test_too_few_descriptors(self) -> None:
        """To serve anybody: it says what it takes."""
        done = run("prlimit", "--nofile=101:101", sys.executable, "-m", "ma_signaling")
        assert done.returncode == 1
        assert (
            "the limit of open files (ulimit -n) is 101; at least 128 are needed" in done.stdout + done.stderr
        )


class SlowReaderTest(SynchronousTestCase):
    """A peer that stops reading is cut off; who sends to it is told, and goes on."""

    def stall(self, port: int, context: ssl.SSLContext | None, where: str) -> None:
        limits = ("--message-burst", "0", "--message-bytes-burst", "0", "--send-buffer-bytes", "262144")
        with (
            ServerProcess(*limits, "--port", where) as server,
            websocket(port, context) as home,
            websocket(port, context) as client,
        ):
            home.sendall(frame(TEXT, b'{"type":"register-server","remoteId":"HOME"}'))
            read_until(home, b'"}')
            client.sendall(frame(TEXT, b'{"type":"connect-request","remoteId":"HOME"}'))
            heard = read_until(home, b'"}')
            session_id = re.search(rb'"sessionId":"([0-9a-f]+)"', heard)
            assert session_id is not None
            home.sendall(frame(TEXT, b'{"type":"session-ready","sessionId":"%b"}' % session_id[1]))
            # Nothing is read at the client's end.
            big = b'{"type":"offer","sessionId":"%b","data":"%b"}' % (session_id[1], b"x" * 60_000)
            heard, deadline = b"", time.monotonic() + WITHIN
            while b"home-busy" not in heard and time.monotonic() < deadline:
                home.sendall(frame(TEXT, big))
                heard += read_available(home)
            deadline = time.monotonic() + WITHIN
            while b"client-disconnected" not in heard and time.monotonic() < deadline:
                heard += read_available(home)
            assert b"home-busy" in heard, heard[:500]
            assert b"client-disconnected" in heard, heard[-500:]
            home.sendall(frame(TEXT, b'{"type":"ping"}'))
            read_until(home, b'"pong"}')
            server.stop()
            assert "does not read what it is sent" in server.log(), server.log()

    def test_plain_and_tls(self) -> None:
        """At the same time, for it takes a while until somebody counts as slow."""
        plain, secure = free_port(), free_port()
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = Path(directory) / "key.pem", Path(directory) / "certificate.pem"
            make_certificate(key, certificate)
            context = ssl.create_default_context(cafile=str(certificate))
            where = f"ssl:{secure}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
            with ThreadPoolExecutor() as pool:
                both = [
                    pool.submit(self.stall, plain, None, f"tcp:{plain}:interface=127.0.0.1"),
                    pool.submit(self.stall, secure, context, where),
                ]
            for each in both:
                each.result()


def websocket(port: int, context: ssl.SSLContext | None) -> socket.socket:
    """A WebSocket on a blocking socket that takes little before it is read."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.settimeout(WITHIN)
    plain.connect(("127.0.0.1", port))
    client = context.wrap_socket(plain, server_hostname="localhost") if context else plain
    client.sendall(UPGRADE + b"\r\n")
    read_until(client, b"\r\n\r\n")
    return client


def read_until(client: socket.socket, end: bytes) -> bytes:
    """What comes, up to and with ``end``."""
    received = b""
    while end not in received:
        part = client.recv(4096)
        assert part, received
        received += part
    return received


def read_available(client: socket.socket) -> bytes:
    """What comes within a moment."""
    client.settimeout(0.01)
    try:
        return client.recv(65536)
    except TimeoutError:
        return b""
    finally:
        client.settimeout(WITHIN)
