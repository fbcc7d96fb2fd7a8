"""The files of contrib/proxies, in the real nginx, HAProxy and Caddy, before the real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import eventually
from tests.support.free_ports import free_port
from tests.support.proxy_processes import Proxy
from tests.support.server_process import ServerProcess

WITHIN = 30.0
IDLE = 3
"""For how many seconds the proxies leave a silent WebSocket open in these tests."""

FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "CF-Connecting-IP": "203.0.113.9",
    "True-Client-IP": "203.0.113.9",
}
"""What a client may claim of itself."""

# All of 127.0.0.0/8 is this machine, so a client may have one of many addresses; but only the proxy's is trusted.
TRUSTED = ("--trusted-proxies", "127.0.0.1/32")


class Case:
    """One proxy before one server."""

    def __init__(self, kind: str, *options: str, changes: Mapping[str, str] | None = None) -> None:
        listener = free_port()
        prefix = "haproxy:" if kind == "haproxy" else ""
        where = ("--port", f"{prefix}tcp:{listener}:interface=127.0.0.1")
        self.server = ServerProcess(*where, *TRUSTED, *options)
        self.proxy = Proxy(kind, listener, IDLE, changes)

    def play(self, conversation: Callable[[Case], Awaitable[None]]) -> None:
        """Play a conversation to its end, within bounds."""

        async def bounded() -> None:
            async with asyncio.timeout(WITHIN):
                await conversation(self)
                # aiohttp waits for those that it keeps. Those that were refused end by TLS, in their own time.
                await eventually(lambda: not sockets_to(self.proxy.port), "closed sockets")

        with self.server, self.proxy:
            asyncio.run(bounded())

    @asynccontextmanager
    async def client(self, host: str) -> AsyncIterator[Client]:
        """A client of this address."""
        trusting = ssl.create_default_context(cafile=self.proxy.certificate)
        connector = aiohttp.TCPConnector(local_addr=(host, 0), family=socket.AF_INET, ssl=trusting)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = Client(session, self.proxy.port)
            yield client
            for connection in client.connections:
                await connection.close()


def sockets_to(port: int) -> set[str]:
    """Return this process's TCP sockets that are connected to a port, as the kernel knows them (proc_pid_net(5))."""
    own = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            own.add(str(descriptor.readlink()))
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return own & {f"socket:[{line[9]}]" for line in lines if line[2].endswith(f":{port:04X}")}


class Client:
    """Connects through the proxy, from one address."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._where = f"localhost:{port}"
        self.connections: list[aiohttp.ClientWebSocketResponse] = []

    async def check(self, **headers: str) -> int:
        """The status of one question for a Remote ID."""
        url = f"https://{self._where}/api/check/HOME"
        async with self._session.get(url, headers=headers) as reply:
            await reply.read()
            return reply.status

    async def refused(self) -> tuple[int, str]:
        """Return what a plain request for the WebSocket's path is answered."""
        async with self._session.get(f"https://{self._where}/ws") as reply:
            return reply.status, await reply.text()

    async def connect(self, **headers: str) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket. Raises ``WSServerHandshakeError``."""
        connection = await self._session.ws_connect(f"https://{self._where}/ws", headers=headers)
        self.connections.append(connection)
        return connection


class ProxyCase(SynchronousTestCase):
    """What must hold behind each proxy."""

    def check_addresses(self, kind: str) -> None:
        """Limits count by the client's address, on one kept connection to the server too, whatever it claims."""

        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as first, case.client("127.0.0.6") as second:
                assert await first.check() == 200
                assert await first.check() == 429
                assert await second.check(**FORGED) == 200
                assert await second.check(**FORGED) == 429
                assert await first.check(**FORGED) == 429
            async with case.client("127.0.0.7") as guest, case.client("127.0.0.8") as other:
                connection = await guest.connect()
                await guest.connect(**FORGED)
                await connection.send_json({"type": "register-server", "remoteId": "HOME"})
                assert await connection.receive_json() == {"type": "registered", "remoteId": "HOME"}
                for headers in ({}, FORGED, {**FORGED, "X-Forwarded-For": "203.0.113.10, 203.0.113.11"}):
                    with self.assertRaises(aiohttp.WSServerHandshakeError) as refused:
                        await guest.connect(**headers)
                    assert refused.exception.status == 429
                await other.connect()

        case = Case(
            kind, "--lookups-per-minute", "1", "--connections-per-minute", "2", "--log-addresses", "full"
        )
        case.play(conversation)
        assert "(127.0.0.7): home HOME" in case.server.log(), case.server.log()
        assert "203.0.113" not in case.server.log()
        for line in ("forwarding headers", "no header names its client"):
            assert line not in case.server.log(), case.server.log()

    def check_keep_alive(self, kind: str) -> None:
        """The server's pings keep a WebSocket open for longer than the proxy leaves a silent one."""

        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as client:
                connection = await client.connect()
                for _ in range(3 * IDLE):
                    assert await connection.receive_json() == {"type": "ping"}
                await connection.send_json({"type": "register-server", "remoteId": "HOME"})
                while (answer := await connection.receive_json()) == {"type": "ping"}:
                    pass
                assert answer == {"type": "registered", "remoteId": "HOME"}

        Case(kind, "--ping-interval", "0.5").play(conversation)

    def check_silence(self, kind: str) -> None:
        """Without pings it is cut: so the test above shows something."""

        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as client:
                connection = await client.connect()
                ended = await connection.receive()
                assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE), ended
                assert "no answer to a ping" not in case.server.log(), case.server.log()

        Case(kind, "--ping-interval", "600").play(conversation)


class NginxTest(ProxyCase):
    """nginx, by X-Forwarded-For."""

    def test_addresses(self) -> None:
        self.check_addresses("nginx")

    def test_keep_alive(self) -> None:
        self.check_keep_alive("nginx")

    def test_silence(self) -> None:
        self.check_silence("nginx")


class CarelessTest(SynchronousTestCase):
    """Proxies that were not set up as contrib's files say: what goes wrong is said to whoever can mend it."""

    def test_http_1_0(self) -> None:
        """nginx speaks HTTP/1.0 to the server unless it is told otherwise, and passes no upgrade on."""

        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as client:
                status, text = await client.refused()
                assert status == 426
                assert "proxy_http_version 1.1" in text

        changes = {"proxy_http_version 1.1;": "proxy_http_version 1.0;"}
        Case("nginx", changes=changes).play(conversation)

    def test_a_clients_own_header_is_passed_on(self) -> None:
        """The two disagree, and neither is believed: least of all the client's."""

        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as client:
                connection = await client.connect(Forwarded="for=203.0.113.9")
                await connection.send_json({"type": "register-server", "remoteId": "HOME"})
                assert await connection.receive_json() == {"type": "registered", "remoteId": "HOME"}

        case = Case("nginx", "--log-addresses", "full", changes={'proxy_set_header Forwarded "";': ""})
        case.play(conversation)
        assert "203.0.113.9" not in case.server.log()
        assert "(127.0.0.1): home HOME" in case.server.log()
        assert "forwarding headers that are malformed or disagree" in case.server.log()

    def test_no_header_at_all(self) -> None:
        async def conversation(case: Case) -> None:
            async with case.client("127.0.0.5") as client:
                await client.connect()

        changes = {"proxy_set_header X-Forwarded-For $remote_addr;": ""}
        case = Case("nginx", changes=changes)
        case.play(conversation)
        assert case.server.log().count("no header names its client") == 1


class HAProxyTest(ProxyCase):
    """HAProxy, by the PROXY protocol, version 2."""

    def test_addresses(self) -> None:
        self.check_addresses("haproxy")

    def test_keep_alive(self) -> None:
        self.check_keep_alive("haproxy")

    def test_silence(self) -> None:
        self.check_silence("haproxy")


class CaddyTest(ProxyCase):
    """Caddy, by X-Forwarded-For. It never cuts a silent WebSocket."""

    def test_addresses(self) -> None:
        self.check_addresses("caddy")

    def test_keep_alive(self) -> None:
        self.check_keep_alive("caddy")
