"""The files of the access lists: at the start, at a reload, and on the wire."""

from __future__ import annotations

import aiohttp

from tests.support.access_lists_case import FilesTestCase
from tests.support.server_process import ServerProcess, registered, talk

NOT_ALLOWED = {"type": "error", "error": "Not allowed on this server", "code": "not-allowed"}


class ProcessTest(FilesTestCase):
    """The real server with its files."""

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
