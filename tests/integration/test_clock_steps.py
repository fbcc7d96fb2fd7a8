"""The calendar clock is stepped by an hour, back and on, while a real server has all kinds of things pending."""

from __future__ import annotations

import asyncio
import os
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.deaf_peer import Deaf
from tests.support.server_process import ServerProcess, eventually, registered, talk
from tests.support.tls_server_case import AUTHORITY, TlsProcessTestCase, serial_of

HOUR = 3600


def _library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "these tests need Debian's package faketime"
    return found[0]


class ClockStepTest(TlsProcessTestCase):
    """A server under libfaketime: what it takes for the time of day is what a file says."""

    def setUp(self) -> None:
        super().setUp()
        self.time = self.directory / "time"
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set the server's calendar clock, against the real one."""
        # At once: a server that reads an empty file is ended by libfaketime 0.9.12.
        written = self.directory / "next time"
        written.write_text(f"{seconds:+}")
        written.replace(self.time)

    def stepped_server(self, *options: str, **arguments: Any) -> ServerProcess:
        """A server whose clock `step` sets; monotonic time goes on."""
        faking = ["env", f"LD_PRELOAD={_library()}", f"FAKETIME_TIMESTAMP_FILE={self.time}"]
        how = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        return ServerProcess(*options, prefix=[*faking, *how], **arguments)

    def test_steps(self) -> None:
        """A home, a grace, a parked request and a renewal are pending."""
        tls = ("--tls-cert", str(self.certificate), "--tls-key", str(self.key), "--port", str(self.tls_port))
        pings = ("--ping-interval", "2", "--grace", "4", "--park", "3")
        with self.stepped_server(*tls, *pings, plain="--http-port") as server:
            for seconds in (-HOUR, HOUR):
                serial = AUTHORITY.issue(self.certificate, self.key)
                talk(partial(self._pending, url=server.url, seconds=seconds))
                self._wait_for_serial(serial)
                self.step(0)

    async def _pending(self, session: aiohttp.ClientSession, url: str, seconds: int) -> None:
        home = await registered(session, url, "STAYS")
        lost, returning = [await registered(session, url, name) for name in ("LOST", "RETURNS")]
        clients = [await session.ws_connect(url) for _ in range(3)]
        for client, owner, name in zip(clients, (lost, returning), ("LOST", "RETURNS"), strict=False):
            await client.send_json({"type": "connect-request", "remoteId": name})
            announced = await _next(owner, "client-connected")
            await owner.send_json({"type": "session-ready", "sessionId": announced["sessionId"]})
            await _next(client, "connected")
        for owner in (lost, returning):
            owner._response.connection.transport.abort()
        of_lost, of_returning, parked = clients
        await parked.send_json({"type": "connect-request", "remoteId": "LOST"})

        self.step(seconds)

        async def nothing_ends_early() -> None:
            returned = await registered(session, url, "RETURNS")
            await of_returning.send_json({"type": "offer", "data": {}})
            assert (await _next(returned, "offer"))["data"] == {}

        async def pings() -> None:
            for _ in range(2):
                await _next(home, "ping")

        # Nothing waits for an hour either.
        _, _, refused, _ = await asyncio.gather(
            nothing_ends_early(), pings(), _next(parked, "error"), _next(of_lost, "peer-disconnected")
        )
        assert refused["code"] == "server-not-found"

    def _wait_for_serial(self, serial: int) -> None:
        eventually(lambda: self._serial() == serial, lambda: "the certificate from before is still shown")

    def _serial(self) -> int:
        try:
            with self.connect() as connection:
                return serial_of(connection)
        except (OSError, ssl.SSLError):
            return 0

    def test_steps_while_it_drains(self) -> None:
        for seconds in (-HOUR, HOUR):
            self.step(0)
            with self.stepped_server() as server, Deaf(server.port) as deaf:
                os.kill(server.pid, 15)
                assert deaf.close_code() == 1012
                self.step(seconds)
                assert server.wait() == 0, server.log()


async def _next(peer: Any, kind: str) -> Any:
    """The next message of a kind; what comes before it is passed over."""
    while (message := await peer.receive_json())["type"] != kind:
        pass
    return message
