"""The first request in memory: what every head is answered that opens no WebSocket."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

from twisted.logger import capturedLogs, formatEvent

from tests.support.first_request_case import HEALTH, FirstRequestTestCase
from tests.support.memory_server import UPGRADE, Reply
from tests.support.metrics_text import parse


class HeadTest(FirstRequestTestCase):
    """RFC 9112, for the first request and for later ones."""

    def statuses(self, request: bytes) -> tuple[int, ...]:
        """Return what a request is answered as the first of a connection, and as the second."""
        first = self.reply(request).status
        client = self.sent(HEALTH + b"\r\n")
        client.transport.clear()
        client.send(request)
        return first, Reply(client.transport.value()).status

    def test_host(self) -> None:
        for host in (
            b"",
            b"h",
            b"h:",
            b"h:80",
            b"[2001:db8::1]:8787",
            b"[::1]",
            b":80",
            b"a_b",
            b"%61",
            b"127.0.0.1:1",
        ):
            assert self.statuses(b"GET /health HTTP/1.1\r\nHost: %b\r\n\r\n" % host) == (200, 200), host
            self.opens(b"Host: " + host, without=b"Host")
        for host in (
            b"h:x",
            b"h:1:2",
            b"a b",
            b"[",
            b"[]",
            b"::1",
            b"h/",
            b"u@h",
            b"%zz",
            b"\xe4",
            b"a,b",
            b"h:80 ",
        ):
            expected = 200 if host in (b"a,b", b"h:80 ") else 400
            assert self.statuses(b"GET /health HTTP/1.1\r\nHost: %b\r\n\r\n" % host) == (
                expected,
                expected,
            ), host
        for lines in (b"", b"Host: h\r\nHost: h\r\n", b"Host: h\r\nHost: i\r\n"):
            assert self.statuses(b"GET /health HTTP/1.1\r\n%b\r\n" % lines) == (400, 400), lines
        assert self.statuses(b"GET /health HTTP/1.0\r\n\r\n") == (200, 200)
        self.refused(400, without=b"Host")
        self.refused(400, b"Host: localhost")

    def test_what_no_head_may_contain(self) -> None:
        for line in (
            b"X: a\nb",
            b"X: a\rb",
            b"X: a\0b",
            b"X : a",
            b" X: a",
            b"X",
            b": a",
            b"\tfolded",
            b"X\0: a",
            b"(: a",
        ):
            assert self.statuses(HEALTH + line + b"\r\n\r\n") == (400, 400), line
            self.refused(400, line)
        for request in (
            b"GET /a\nb HTTP/1.1",
            b"GET\t/health HTTP/1.1",
            b"GET  /health HTTP/1.1",
            b"GET /health",
            b"x",
        ):
            assert self.statuses(request + b"\r\nHost: h\r\n\r\n") == (400, 400), request
        assert self.statuses(HEALTH.replace(b"1.1", b"2.0") + b"\r\n") == (505, 505)

    def test_what_is_wrong_is_said_at_once(self) -> None:
        """A client that speaks something else waits for nothing."""
        for data in (
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"GET / HTTP/1.0\n",
            b"\3\0\0\x13\x0e\xe0\0\0",
            b"EHLO x\r\n",
            b"PING\r\n",
        ):
            client = self.sent(data)
            assert Reply(client.transport.value()).status == 400, data
            assert client.transport.disconnecting, data

    def test_every_reply_has_a_date(self) -> None:
        for request in (
            HEALTH + b"\r\n",
            b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n",
            b"nonsense\r\n\r\n",
            HEALTH + b"Content-Length: 1\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /" + b"x" * 20_000,
        ):
            parsedate_to_datetime(self.reply(request).headers["date"])

    def test_no_content_for_head(self) -> None:
        for request, status in (
            (HEALTH + b"\r\n", 200),
            (HEALTH.replace(b"/health", b"/nowhere") + b"\r\n", 404),
            (HEALTH.replace(b"/health", b"/ws") + b"\r\n", 426),
            (HEALTH.replace(b"Host", b"Hots") + b"\r\n", 400),
            (HEALTH + b"Content-Length: 1\r\n\r\n", 413),
            (HEALTH + b"X: " + b"x" * 20_000, 431),
            (UPGRADE + b"\r\n", 426),
        ):
            got, head = self.reply(request), self.reply(request.replace(b"GET", b"HEAD"))
            assert head.status == status, request[:40]
            assert head.body == b"", request[:40]
            if request[:40] != UPGRADE[:40]:
                assert head.headers["content-length"] == str(len(got.body)) != "0", request[:40]

    def test_no_place_for_head(self) -> None:
        self.server.hub.capacity.allow(0)
        client = self.server.accept()
        assert Reply(client.transport.value()).status == 503

    def test_not_modified(self) -> None:
        page = b"GET /doctor HTTP/1.1\r\nHost: h\r\n"
        etag = self.reply(page + b"\r\n").headers["etag"].encode()
        for tags in (
            etag,
            b"W/" + etag,
            b'"a", ' + etag,
            b'W/"a,b" ,W/%b' % etag,
            b"*",
            b'"a"\r\nIf-None-Match: ' + etag,
        ):
            reply = self.reply(page + b"If-None-Match: %b\r\n\r\n" % tags)
            assert (reply.status, reply.body) == (304, b""), tags
            assert "content-length" not in reply.headers
            assert "transfer-encoding" not in reply.headers
            assert reply.headers["etag"].encode() == etag
        for tags in (b'"a"', etag.strip(b'"'), b'"%b' % etag, b"W/", b""):
            assert self.reply(page + b"If-None-Match: %b\r\n\r\n" % tags).status == 200, tags

    def test_connection_options(self) -> None:
        for line in (
            b"Connection: keep-alive, close",
            b"Connection: x\r\nConnection: Close",
            b"Connection: close,x",
        ):
            client = self.sent((HEALTH + line + b"\r\n\r\n") * 2)
            assert client.transport.value().count(b"HTTP/1.1 200") == 1, line
            assert b"\r\nConnection: close\r\n" in client.transport.value()
            assert client.transport.disconnecting


class WrongProtocolTest(FirstRequestTestCase):
    """What was meant for another port."""

    def assert_said(self, data: bytes, mistake: str) -> None:
        for before in (b"", HEALTH + b"\r\n"):
            client = self.sent(before)
            client.transport.clear()
            with capturedLogs() as logged:
                client.send(data)
            assert client.transport.value() == b""
            assert client.transport.disconnecting
            (line,) = [str(formatEvent(event)) for event in logged]
            assert mistake in line
            client.lose()

    def test_tls(self) -> None:
        self.assert_said(b"\x16\x03\x01\x02\0\1\0\1\xfc", "TLS at an unencrypted port")
        self.assert_said(b"\x16", "TLS")
        counted = parse(self.server.metrics.text().decode())
        assert counted["wrong_protocol_total", ("TLS at an unencrypted port",)] == 4

    def test_proxy_protocol(self) -> None:
        for header in (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY ",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
        ):
            self.assert_said(header, "haproxy:")


class HalfCloseTest(FirstRequestTestCase):
    """A client that will send no more still hears what it asked for."""

    def test_what_is_under_way_is_answered(self) -> None:
        for request in (HEALTH + b"\r\n", HEALTH + b"Connection: close\r\n\r\n", b"nonsense\r\n\r\n"):
            client = self.sent(request)
            client.protocol.readConnectionLost()
            assert client.transport.value().startswith(b"HTTP/1.1 "), request
            assert client.transport.disconnecting
            assert not client.transport.aborted

    def test_half_a_request_ends_the_connection(self) -> None:
        client = self.sent(HEALTH)
        client.protocol.readConnectionLost()
        assert client.transport.disconnecting

    def test_json_is_what_is_said(self) -> None:
        assert json.loads(self.reply(b"nonsense\r\n\r\n").body) == {"error": "Bad request"}
