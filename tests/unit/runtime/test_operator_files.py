"""The files of the access lists: at the start, at a reload, and on the wire."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent

from ma_signaling.runtime.operator_files import OperatorFiles
from tests.support.access_lists_case import FilesTestCase
from tests.support.memory_server import UPGRADE, Reply, Server


class ReloadTest(FilesTestCase):
    """Lists that change while the server runs."""

    def setUp(self) -> None:
        super().setUp()
        self.allow.write_text("HOME\nOTHER\n", encoding="utf-8")
        self.deny.write_text("192.0.2.66\n", encoding="utf-8")
        self.server = Server(allow_remote_ids=str(self.allow), deny=str(self.deny))
        self.lists = OperatorFiles(self.server.settings, self.server.hub)
        self.lists.load()
        self.home, self.other = self.server.connect(), self.server.connect()
        self.home.say(type="register-server", remoteId="HOME")
        self.other.say(type="register-server", remoteId="OTHER")
        assert self.home.heard()[0]["type"] == self.other.heard()[0]["type"] == "registered"

    def reload(self) -> list[str]:
        """Reload; the errors that this puts in the log."""
        with capturedLogs() as events:
            self.lists.reload(self.server.clock)
            self.server.clock.advance(0)
        return [formatEvent(event) for event in events if event["log_level"] is LogLevel.error]

    def is_banned(self, host: str) -> bool:
        client = self.server.accept(host)
        client.send(UPGRADE + b"\r\n")
        client.lose()
        return Reply(client.transport.value()).status == 403

    def test_a_ban_ends_what_is_connected(self) -> None:
        self.deny.write_text("other\n", encoding="utf-8")
        assert self.reload() == []
        assert not self.is_banned("192.0.2.66")
        frames = self.other.frames()
        assert b"not-allowed" in frames[0][1]
        assert int.from_bytes(frames[1][1][:2]) == 1008
        assert self.home.close_code() is None

    def test_who_is_no_longer_allowed_is_closed(self) -> None:
        self.allow.write_text("HOME\n", encoding="utf-8")
        assert self.reload() == []
        assert self.other.close_code() == 1008
        assert self.home.close_code() is None

    def test_byte_order_mark(self) -> None:
        """Some editors write one, which is no part of a secret."""
        secret = self.directory / "secret"
        secret.write_text("secret\n", encoding="utf-8-sig")
        self.server.settings.turn_secret_file = str(secret)
        assert self.reload() == []
        assert self.server.hub.ice_servers.secret == b"secret"

    def test_lists_come_and_go(self) -> None:
        """A changed setting names another file, or none."""
        other = self.directory / "other"
        other.write_text("OTHER\n", encoding="utf-8")
        self.server.settings.deny = str(other)
        assert self.reload() == []
        assert not self.is_banned("192.0.2.66")
        assert self.other.close_code() == 1008
        self.server.settings.deny = self.server.settings.allow_remote_ids = ""
        assert self.reload() == []
        for name in ("OTHER", "ANYBODY"):
            self.server.home(name)
        self.server.settings.deny = str(self.deny)
        assert self.reload() == []
        assert self.is_banned("192.0.2.66")

    def test_a_bad_line_keeps_the_old_list_and_only_that(self) -> None:
        self.deny.write_text("192.0.2.67\nnot good\nOTHER\n", encoding="utf-8")
        self.allow.write_text("OTHER\n", encoding="utf-8")
        (line,) = self.reload()
        assert line.startswith(f"--deny {self.deny}: line 2 is not a Remote ID"), line
        assert line.endswith("the previous content stays in force")
        assert self.is_banned("192.0.2.66")
        assert not self.is_banned("192.0.2.67")
        assert self.other.close_code() is None
        assert self.home.close_code() == 1008

    def test_a_file_that_is_gone_keeps_the_old_list(self) -> None:
        self.allow.unlink()
        self.deny.unlink()
        lines = self.reload()
        assert self.is_banned("192.0.2.66")
        assert self.home.close_code() is None
        assert len(lines) == 2
        assert all("No such file" in line for line in lines)

    def test_bytes_that_are_no_text(self) -> None:
        self.deny.write_bytes(b"\xff\xfe\x00")
        (line,) = self.reload()
        assert line.startswith(f"--deny {self.deny}: it is not UTF-8 text")
        assert self.is_banned("192.0.2.66")

    def test_a_file_as_windows_writes_it(self) -> None:
        self.deny.write_bytes(b"\xef\xbb\xbf192.0.2.67\r\n192.0.2.68\r\n")
        assert self.reload() == []
        assert self.is_banned("192.0.2.67")

    def test_without_lists_nothing_happens(self) -> None:
        server = Server()
        lists = OperatorFiles(server.settings, server.hub)
        lists.load()
        lists.reload(server.clock)
        server.connect().say(type="register-server", remoteId="ANY")
        assert server.counts()["servers"] == 1


class DoorTest(FilesTestCase):
    """A banned address is refused before the upgrade; what anybody may ask, it may ask too."""

    def setUp(self) -> None:
        super().setUp()
        self.deny.write_text("192.0.2.66\n2001:db8::/32\n", encoding="utf-8")
        self.server = Server(deny=str(self.deny))
        OperatorFiles(self.server.settings, self.server.hub).load()

    def ask(self, request: bytes, host: str = "192.0.2.66") -> Reply:
        client = self.server.accept(host)
        client.send(request)
        reply = Reply(client.transport.value())
        client.lose(clean=True)
        return reply

    def assert_refused(self, reply: Reply) -> None:
        assert reply.status_line == "HTTP/1.1 403 Forbidden"
        assert reply.json == {"error": "Not allowed on this server"}
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "retry-after" not in reply.headers

    def test_websocket(self) -> None:
        for host in ("192.0.2.66", "2001:db8:1::1", "::ffff:192.0.2.66"):
            self.assert_refused(self.ask(UPGRADE + b"\r\n", host))
        self.server.connect("192.0.2.67")

    def test_on_a_kept_connection(self) -> None:
        client = self.server.accept("192.0.2.66")
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        client.transport.clear()
        client.send(UPGRADE + b"\r\n")
        self.assert_refused(Reply(client.transport.value()))

    def test_behind_a_proxy(self) -> None:
        banned = b"X-Forwarded-For: 192.0.2.66\r\n"
        self.assert_refused(self.ask(UPGRADE + banned + b"\r\n", "127.0.0.1"))
        self.server.connect("127.0.0.1", b"X-Forwarded-For: 192.0.2.67\r\n")

    def test_rest(self) -> None:
        self.assert_refused(self.ask(b"GET /api/check/HOME HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert self.ask(b"HEAD /api/check/HOME HTTP/1.1\r\nHost: x\r\n\r\n").status == 403
        for path in (b"/health", b"/ready", b"/"):
            assert self.ask(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path).status == 200
