"""The web app's files: what changes in them, and how they are served."""

from __future__ import annotations

import gzip
from typing import Any
from unittest import TestCase

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.http.web_app import WebAppError, prepare
from ma_signaling.http.web_app_pages import PIECE, SEND_SECONDS, WebApp
from ma_signaling.runtime.service import make_factory
from tests.support.memory_server import Reply, Server, Socket

CODE = (
    b"var a={signalingServerUrl:`wss://signaling.music-assistant.io/ws`},"
    b'b=()=>window.location.hostname==="app.music-assistant.io"||c;d=`__chunk__`;'
)
FILES = {
    "index.html": b"<!DOCTYPE html>" + b" " * 1000,
    "sw.js": b"// a service worker",
    "favicon.svg": b"<svg/>",
    "assets/index-B1i2nKlG.js": CODE + b" " * 1000,
    "assets/other-A_-45678.js": b"/* app.music-assistant.io */" * 10_000,
    "assets/picture-12345678.png": b"\x89PNG",
}


class PrepareTest(TestCase):
    def test_the_two_places(self) -> None:
        served = prepare(FILES)
        changed = served["assets/index-B1i2nKlG.js"]
        self.assertEqual(
            changed.body.rstrip(),
            b'var a={signalingServerUrl:new URL("../../ws",import.meta.url).href.replace("http","ws")},'
            b"b=()=>!0||c;d=`__chunk__`;",
        )
        same = {path: file.body for path, file in served.items() if file is not changed}
        self.assertEqual(same, {path: body for path, body in FILES.items() if path in same})
        self.assertEqual(
            {path for path, file in served.items() if file.is_final},
            {"assets/other-A_-45678.js", "assets/picture-12345678.png"},
        )

    def test_another_depth(self) -> None:
        files = {"index.html": b"", "app.js": CODE}
        self.assertIn(b'new URL("../ws",', prepare(files)["app.js"].body)

    def refusal(self, files: dict[str, bytes]) -> str:
        """Return why these files are not served."""
        with self.assertRaises(WebAppError) as caught:
            prepare(files)
        return str(caught.exception)

    def test_what_no_longer_fits(self) -> None:
        without = {**FILES, "assets/index-B1i2nKlG.js": CODE.replace(b"wss://signaling.", b"wss://other.")}
        self.assertIn("signaling server's name in other than one", self.refusal(without))
        self.assertIn("other than one", self.refusal({**FILES, "assets/x.js": CODE}))
        self.assertIn(
            "other than one", self.refusal({**FILES, "sw.js": b"https://signaling.music-assistant.io/"})
        )
        elsewhere = {**FILES, "assets/index-B1i2nKlG.js": CODE.replace(b"io/ws`", b"io/v2/ws`")}
        self.assertIn("address of the signaling server in 0 places", self.refusal(elsewhere))
        renamed = {
            **FILES,
            "assets/index-B1i2nKlG.js": CODE.replace(b"window.location", b"document.location"),
        }
        self.assertIn("test for the official site in 0 places", self.refusal(renamed))
        old = {**FILES, "assets/index-B1i2nKlG.js": CODE.replace(b"__chunk__", b"")}
        self.assertIn("too old", self.refusal(old))
        self.assertIn("no index.html", self.refusal({"assets/index-B1i2nKlG.js": CODE}))


class PagesTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server()
        parts: Any = self.server
        self.server.factory = make_factory(
            parts.hub,
            Settings(),
            lambda *_, **__: None,
            parts.clock,
            parts.metrics,
            parts.readiness,
            WebApp(prepare(FILES)),
        )

    def begin(self, path: str, method: str = "GET", **headers: str) -> Socket:
        """Send one request on a connection of its own."""
        client = self.server.accept("192.0.2.2")
        fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]
        client.send("\r\n".join(lines).encode("latin-1"))
        return client

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Return the reply to a request."""
        return Reply(self.begin(path, method, **headers).transport.value())

    def test_every_file(self) -> None:
        for path, file in prepare(FILES).items():
            reply = self.ask(f"/app/{path}")
            self.assertEqual((reply.status, reply.body), (200, file.body), path)
            self.assertEqual(reply.headers["content-type"], file.type)
            lifetime = "public, max-age=31536000, immutable" if file.is_final else "no-cache"
            self.assertEqual(reply.headers["cache-control"], lifetime, path)
        page = self.ask("/app/?remote_id=A&remote=1")
        self.assertEqual(page.body, FILES["index.html"])
        self.assertIn("script-src 'self' blob: 'wasm-unsafe-eval';", page.headers["content-security-policy"])

    def test_pages_lead_to_it(self) -> None:
        self.assertIn(b'data-app="/app/"', self.ask("/doctor").body)
        self.assertIn(b'data-app="/app/"', self.ask("/", accept="text/html").body)

    def test_nothing_else(self) -> None:
        for path in (
            "/app/info",
            "/app/x/",
            "/app/assets/",
            "/app/../settings.py",
            "/app/%2e%2e/x",
            "/app//",
        ):
            self.assertEqual(self.ask(path).status, 404, path)
        self.assertEqual(self.ask("/app/", "POST").status, 405)

    def test_without_the_slash(self) -> None:
        reply = self.ask("/app?remote_id=A")
        self.assertEqual((reply.status, reply.headers["location"]), (308, "app/?remote_id=A"))

    def test_compression(self) -> None:
        plain = self.ask("/app/index.html")
        self.assertNotIn("content-encoding", plain.headers)
        for accepted in ("gzip", "br, GZIP;q=0.5", "*", "gzip;q=1.0, identity;q=0", "gzip, *;q=0", "x-gzip"):
            reply = self.ask("/app/index.html", Accept_Encoding=accepted)
            self.assertEqual(reply.headers["content-encoding"], "gzip", accepted)
            self.assertEqual(gzip.decompress(reply.body), plain.body)
            self.assertEqual(reply.headers["vary"], "Accept-Encoding")
            self.assertNotEqual(reply.headers["etag"], plain.headers["etag"])
        for refused in ("br", "gzip;q=0", "gzip;q=0.000, br", "xgzip", "gzip;q=0, *", "*, gzip;q=0"):
            self.assertEqual(self.ask("/app/index.html", Accept_Encoding=refused).body, plain.body, refused)
        picture = self.ask("/app/assets/picture-12345678.png", Accept_Encoding="gzip")
        self.assertNotIn("content-encoding", picture.headers)

    def test_unchanged(self) -> None:
        first = self.ask("/app/sw.js")
        again = self.ask("/app/sw.js", If_None_Match=first.headers["etag"])
        self.assertEqual((again.status, again.body), (304, b""))
        head = self.ask("/app/sw.js", "HEAD")
        self.assertEqual((head.body, head.headers["content-length"]), (b"", str(len(first.body))))

    def test_who_does_not_read_holds_little(self) -> None:
        clock: Clock = self.server.clock
        client = self.server.accept("192.0.2.2")
        written = client.transport.write

        def write(data: bytes) -> None:
            written(data)
            if client.transport.producer is not None and client.transport.streaming:
                client.transport.producer.pauseProducing()

        client.transport.write = write  # type: ignore[method-assign] # as a socket whose buffer is full
        client.send(b"GET /app/assets/other-A_-45678.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertLess(len(client.transport.value()), 2 * PIECE)
        producer: Any = client.transport.producer
        producer.resumeProducing()
        self.assertLess(len(client.transport.value()), 3 * PIECE)
        clock.advance(SEND_SECONDS - 1)
        self.assertFalse(client.transport.aborted)
        clock.advance(2)
        self.assertTrue(client.transport.aborted)
        client.lose()
