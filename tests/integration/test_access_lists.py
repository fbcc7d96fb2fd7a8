"""The files of the access lists: at the start, at a reload, and on the wire."""

from __future__ import annotations

import tempfile
from pathlib import Path

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from tests.support.server_process import ServerProcess, registered, script, talk

NOT_ALLOWED = {"type": "error", "error": "Not allowed on this server", "code": "not-allowed"}


class FilesTestCase(SynchronousTestCase):
    """Two files in a directory of their own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.allow, self.deny = self.directory / "allow", self.directory / "deny"


class ProcessTest(FilesTestCase):
    """The real server with its files."""

    def assert_fails(self, hint: str, *options: str) -> None:
        done = script("--port", "tcp:0:interface=127.0.0.1", *options)
        output = done.stdout + done.stderr
        assert done.returncode == 1, output
        (line,) = output.splitlines()
        assert line.startswith(f"ma-signaling: {hint}"), line

    def test_a_file_that_will_not_do_at_the_start(self) -> None:
        self.deny.write_text("# first\n192.0.2.0/23\n192.0.2.1/24\n", encoding="utf-8")
        self.assert_fails(f"--deny {self.deny}: line 3 is no address or network", "--deny", str(self.deny))
        self.allow.write_text("\nSECRET ID\n", encoding="utf-8")
        name = f"--allow-remote-ids {self.allow}"
        self.assert_fails(f"{name}: line 2 is no Remote ID", "--allow-remote-ids", str(self.allow))
        self.allow.unlink()
        self.assert_fails(f"{name}: No such file", "--allow-remote-ids", str(self.allow))

    def test_a_private_server(self) -> None:
        async def conversation(session: aiohttp.ClientSession) -> None:
            await registered(session, server.url)
            stranger = await session.ws_connect(server.url)
            await stranger.send_json({"type": "register-server", "remoteId": "STRANGER"})
            assert await stranger.receive_json() == NOT_ALLOWED
            closing = await stranger.receive()
            assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1008)

        self.allow.write_text("home\n", encoding="utf-8")
        with ServerProcess("--allow-remote-ids", str(self.allow)) as server:
            talk(conversation)
            assert "STRA…" in server.log()
            assert "STRANGER" not in server.log()

    def test_a_banned_remote_id(self) -> None:
        async def conversation(session: aiohttp.ClientSession) -> None:
            home = await session.ws_connect(server.url)
            await home.send_json({"type": "register-server", "remoteId": "HOMEHOME"})
            assert await home.receive_json() == NOT_ALLOWED
            await registered(session, server.url, "HOMEMADE")

        self.deny.write_text("homehome\n", encoding="utf-8")
        with ServerProcess("--deny", str(self.deny)) as server:
            talk(conversation)
