"""The service within this process: real sockets on Twisted's reactor, plain and TLS."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import pytest_twisted
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.readiness import MAX_LAG_SECONDS
from ma_signaling.runtime.listening import BACKLOG
from ma_signaling.runtime.service import make_service
from ma_signaling.transport import openssl_calls
from tests.support.certificates import Authority, make_certificate

WITHIN = 10.0


class Client(WebSocketClientProtocol):
    """Queues what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: Deferred[Client] = Deferred()
        self._heard: DeferredQueue[Any] = DeferredQueue()

    def onOpen(self) -> None:
        self.opened.callback(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self._heard.put(json.loads(payload))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._heard.put(code)

    def next(self) -> Deferred[Any]:
        """The next message, or the close code."""
        clock: Any = reactor
        return self._heard.get().addTimeout(WITHIN, clock)

    def shown(self) -> int:
        """The serial number of the certificate that it was shown."""
        transport: Any = self.transport
        serial: int = transport.getPeerCertificate().get_serial_number()
        return serial

    def say(self, **message: object) -> None:
        self.sendMessage(json.dumps(message).encode())


class Running:
    """A service, and how to reach it."""

    def __init__(self, tmp_path: Path, kind: str) -> None:
        self.trust: Any = None
        self.key, self.certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        where = "tcp:0:interface=127.0.0.1"
        if kind == "ssl endpoint":
            self.trust = Certificate.loadPEM(make_certificate(self.key, self.certificate))
            where = f"ssl:0:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"
        settings = Settings(port=(where,))
        if kind == "tls":
            self.authority = Authority()
            self.authority.issue(self.certificate, self.key)
            self.trust = Certificate.loadPEM(self.authority.root.encode())
            settings = Settings(port=("0",), tls_cert=str(self.certificate), tls_key=str(self.key))
        running: Any = reactor
        self.service = make_service(settings, running)
        self.service.privilegedStartService()
        self.service.startService()
        ports: Any = self.service.getServiceNamed("ports")
        self.port: int = ports._ports[0].getHost().port

    def endpoint(self) -> Any:
        """A client endpoint, which checks the certificate where there is one."""
        plain = HostnameEndpoint(reactor, b"localhost", self.port)
        if self.trust is None:
            return plain
        return wrapClientTLS(optionsForClientTLS("localhost", trustRoot=self.trust), plain)

    async def connect(self) -> Client:
        """A WebSocket that is open."""
        factory = WebSocketClientFactory(f"ws://localhost:{self.port}/ws")
        factory.protocol = Client
        clock: Any = reactor
        client = await self.endpoint().connect(factory).addTimeout(WITHIN, clock)
        opened: Client = await client.opened.addTimeout(WITHIN, clock)
        return opened

    async def get(self, path: str) -> Any:
        """The JSON that a path answers."""
        scheme, context = ("http", None) if self.trust is None else ("https", create_default_context())
        if context is not None:
            context.load_verify_locations(cadata=self.trust.dumpPEM().decode())
            # As browsers and aiohttp do.
            context.set_alpn_protocols(["h2", "http/1.1"])
        return json.loads(await deferToThread(fetch, f"{scheme}://localhost:{self.port}{path}", context))

    async def unready(self) -> Any:
        """Why the server isn't ready, which it must say with 503."""
        try:
            await self.get("/ready")
        except HTTPError as error:
            with error:
                assert error.status == 503
                return json.load(error)["reason"]
        raise AssertionError("it is ready")


def fetch(url: str, context: SSLContext | None) -> bytes:
    """What a URL answers; it blocks."""
    with urlopen(url, timeout=WITHIN, context=context) as response:
        body: bytes = response.read()
        return body


@pytest_twisted.async_yield_fixture(params=["plain", "ssl endpoint", "tls"])
async def running(request: Any, tmp_path: Path) -> AsyncIterator[Running]:
    """A service that listens, and stops after the test."""
    server = Running(tmp_path, request.param)
    yield server
    if server.service.running:
        await server.service.stopService()


@pytest_twisted.ensureDeferred
async def test_session_and_rest(running: Running) -> None:
    home, client = await running.connect(), await running.connect()
    home.say(type="register-server", remoteId="HOME")
    assert await home.next() == {"type": "registered", "remoteId": "HOME"}
    client.say(type="connect-request", remoteId="HOME")
    session_id = (await home.next())["sessionId"]
    home.say(type="session-ready", sessionId=session_id)
    assert (await client.next())["type"] == "connected"
    client.say(type="offer", data="x" * 60_000)
    assert len((await home.next())["data"]) == 60_000
    assert (await running.get("/health"))["clients"] == 1
    assert await running.get("/api/check/HOME") == {"online": True}
    client.sendClose(1000)
    assert (await home.next())["type"] == "client-disconnected"


@pytest_twisted.ensureDeferred
async def test_stopping_waits_until_everybody_has_heard_it(running: Running) -> None:
    clients = [await running.connect() for _ in range(5)]
    await running.service.stopService()
    for client in clients:
        assert await client.next() == 1012


@pytest_twisted.ensureDeferred
async def test_ready(running: Running) -> None:
    assert await running.get("/ready") == {"ready": True}
    lag: Any = running.service.getServiceNamed("loop-lag")
    lag.stopService()  # else its next look says otherwise
    lag.latest = MAX_LAG_SECONDS + 1
    assert await running.unready() == "lagging"
    lag.latest = 0
    ports: Any = running.service.getServiceNamed("ports")
    ports.running = 0
    assert await running.unready() == "not-listening"
    ports.running = 1
    assert await running.get("/ready") == {"ready": True}


@pytest.mark.parametrize("port", ["tcp:x", "tcp:1:no=such"])
def test_bad_endpoint(port: str) -> None:
    running: Any = reactor
    service = make_service(Settings(port=(port,)), running)
    with pytest.raises(CannotStart, match="cannot listen on"):
        service.privilegedStartService()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("running", ["tls"], indirect=True)
async def test_renewed_certificate(running: Running) -> None:
    """New connections see it; old ones live on, and relay to new ones."""
    home = await running.connect()
    home.say(type="register-server", remoteId="HOME")
    assert await home.next() == {"type": "registered", "remoteId": "HOME"}
    serial = running.authority.issue(running.certificate, running.key)
    running.service.getServiceNamed("certificates").reload()
    client = await running.connect()
    assert client.shown() == serial
    assert home.shown() != serial
    client.say(type="connect-request", remoteId="HOME")
    session_id = (await home.next())["sessionId"]
    home.say(type="session-ready", sessionId=session_id)
    assert (await client.next())["type"] == "connected"
    client.say(type="offer", data="x" * 60_000)
    assert len((await home.next())["data"]) == 60_000


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("running", ["tls"], indirect=True)
async def test_idle_connections_release_their_buffers(running: Running) -> None:
    """Within a moment, and get new ones for what comes then."""
    calls: Any = openssl_calls.calls
    clock: Any = reactor
    releasing: Any = running.service.getServiceNamed("tls-buffers")
    home = await running.connect()
    for _ in range(2):
        releasing.stopService()
        home.say(type="register-server", remoteId="HOME")
        assert await home.next() == {"type": "registered", "remoteId": "HOME"}
        assert calls._with_buffers
        releasing.startService()
        idle = Deferred[None]().addTimeout(WITHIN, clock)
        looking = LoopingCall(_fire_once_empty, calls._with_buffers, idle)
        looking.start(0.01)
        try:
            await idle
        finally:
            looking.stop()


def _fire_once_empty(table: dict[Any, Any], empty: Deferred[None]) -> None:
    if not table and not empty.called:
        empty.callback(None)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("running", ["plain", "tls"], indirect=True)
async def test_protocols_of_tls(running: Running) -> None:
    """Whoever comes with the wrong one is turned away, and nobody else hears of it."""
    home = await running.connect()
    plain, tls = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello\r\n\r\n"
    wrong = plain if running.trust else tls
    with socket.create_connection(("localhost", running.port)) as client:
        client.settimeout(WITHIN)
        client.sendall(wrong)
        assert (await deferToThread(client.recv, 13)) == b""
    home.say(type="ping")
    assert await home.next() == {"type": "pong"}


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("running", ["tls"], indirect=True)
async def test_port_number_has_a_long_queue(running: Running) -> None:
    """And listens on IPv4 and IPv6."""
    (port,) = running.service.getServiceNamed("ports")._ports
    # Of a listening socket, tcpi_sacked is the length that its queue may have (linux/tcp.h).
    information = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    (longest,) = struct.unpack_from("=I", information, 28)
    assert longest == BACKLOG
    for host in ("127.0.0.1", "::1"):
        (await deferToThread(socket.create_connection, (host, running.port))).close()
