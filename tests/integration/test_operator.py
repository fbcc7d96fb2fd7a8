"""What an operator does to a running server, on the real one: metrics apart, access lists, secrets, signals."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import signal
import sys
import tempfile
import urllib.error
from pathlib import Path
from typing import Any

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from tests.support.deaf_peer import Deaf
from tests.support.free_ports import free_port
from tests.support.server_process import OPENER, ServerProcess, eventually, registered, run, talk


class OperatorTest(SynchronousTestCase):
    """One server, and a directory for its files."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def reread(self, server: ServerProcess, what: str) -> None:
        """Let it read its files again, and wait until it says ``what``."""
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: what in server.log(), server.log)

    def status(self, url: str) -> int:
        try:
            with OPENER.open(url, timeout=5) as reply:
                status: int = reply.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def test_metrics_on_a_port_of_their_own(self) -> None:
        port = free_port()
        with ServerProcess("--metrics-port", str(port)) as server:
            self.assertEqual(self.status(f"{server.http}/metrics"), 404)
            with OPENER.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
                self.assertIn(b"ma_signaling_homes 0.0", reply.read())
                self.assertNotIn("Server", reply.headers)
            self.assertEqual(self.status(f"http://127.0.0.1:{port}/health"), 404)
        self.assertNotIn("GET /metrics", server.log(), "no access log, here as elsewhere")

    def test_a_port_for_metrics_that_cannot_be(self) -> None:
        done = run(sys.executable, "-m", "ma_signaling", "--check-config", "--metrics-port", "nonsense:1")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("cannot listen on nonsense:1", done.stderr)

    def test_a_ban_ends_what_is_connected(self) -> None:
        deny = self.directory / "deny"
        deny.write_text("# nobody yet\n")

        async def conversation(session: aiohttp.ClientSession) -> None:
            banned = await registered(session, server.url, "BANNED")
            other = await registered(session, server.url, "OTHER")
            deny.write_text("BANNED\n203.0.113.0/24\n")
            await asyncio.to_thread(self.reread, server, "Connections closed by the access lists: 1")
            self.assertEqual((await banned.receive_json())["code"], "not-allowed")
            self.assertEqual((await banned.receive()).data, 1008)
            await other.send_json({"type": "ping"})
            self.assertEqual(await other.receive_json(), {"type": "pong"})
            for address, status in (("203.0.113.9", 403), ("192.0.2.9", 200)):
                headers = {"X-Forwarded-For": address}
                async with session.get(f"{server.http}/api/check/OTHER", headers=headers) as reply:
                    self.assertEqual(reply.status, status, address)

        with ServerProcess("--deny", str(deny)) as server:
            talk(conversation)

    def test_a_server_that_becomes_private(self) -> None:
        allowed = self.directory / "allowed"
        allowed.write_text("ONE\nTWO\n")

        async def conversation(session: aiohttp.ClientSession) -> None:
            one, two = [await registered(session, server.url, name) for name in ("ONE", "TWO")]
            allowed.write_text("ONE\n")
            await asyncio.to_thread(self.reread, server, "Connections closed by the access lists: 1")
            self.assertEqual((await two.receive_json())["code"], "not-allowed")
            await one.send_json({"type": "ping"})
            self.assertEqual(await one.receive_json(), {"type": "pong"})

        with ServerProcess("--allow-remote-ids", str(allowed)) as server:
            talk(conversation)

    def test_another_secret_for_the_relays(self) -> None:
        secret = self.directory / "secret"
        secret.write_text("old\n")

        async def relay(session: aiohttp.ClientSession, home: Any) -> dict[str, Any]:
            async with session.ws_connect(server.url) as client:
                await client.send_json({"type": "connect-request", "remoteId": "HOME"})
                asked = await home.receive_json()
                await home.send_json({"type": "session-ready", "sessionId": asked["sessionId"]})
                (server_given,) = (await client.receive_json())["iceServers"]
            await home.receive_json()
            given: dict[str, Any] = server_given
            return given

        def is_made_with(key: bytes, given: dict[str, Any]) -> bool:
            made = hmac.digest(key, given["username"].encode(), hashlib.sha1)
            expected: str = given["credential"]
            return base64.b64encode(made).decode() == expected

        async def conversation(session: aiohttp.ClientSession) -> None:
            home = await registered(session, server.url)
            self.assertTrue(is_made_with(b"old", await relay(session, home)))
            secret.write_text("new\n")
            await asyncio.to_thread(self.reread, server, "Reloading")
            self.assertTrue(is_made_with(b"new", await relay(session, home)))
            secret.unlink()
            await asyncio.to_thread(self.reread, server, "the previous content stays in force")
            self.assertTrue(is_made_with(b"new", await relay(session, home)))

        options = ("--turn-urls", "turn:relay.example.org", "--turn-secret-file", str(secret))
        with ServerProcess(*options) as server:
            talk(conversation)

    def test_nothing_is_read_again_while_it_stops(self) -> None:
        with ServerProcess() as server, Deaf(server.port) as deaf:
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(deaf.close_code(), 1012)
            os.kill(server.pid, signal.SIGHUP)
            self.assertEqual(server.stop(signal.SIGHUP), 0)
        self.assertNotIn("Reloading", server.log())
