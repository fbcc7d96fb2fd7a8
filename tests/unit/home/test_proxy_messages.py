"""HTTP requests over a data channel: which are made, and how the answers look."""

from __future__ import annotations

import json
from typing import Any
from unittest import TestCase

from ma_signaling.home.proxy_messages import Malformed, ProxyHead, ProxyRequest, for_client, is_local

GOOD = (
    "/",
    "/imageproxy/0a1b?size=256&fmt=jpg",
    "/a/b.c/..d/e..",
    "/@other",
    "/a?next=//other/../..",
    "/%41/é"[:-1],
)
BAD = (
    *(
        "",
        "a",
        "@other/",
        "//other/",
        "http://other/",
        "/\\other",
        "/a\\b",
        "/%5cother",
        "/a b",
        "/a\r\nHost: other",
    ),
    *("/..", "/../a", "/a/..", "/a/../b", "/./a", "/%2e%2e/a", "/a/%2E./b", "/é", "/\0", "/" + "a" * 9000),
)


class PathTest(TestCase):
    def test_only_what_stays_at_the_host(self) -> None:
        for path in GOOD:
            self.assertTrue(is_local(path), path)
        for path in BAD:
            self.assertFalse(is_local(path), path)


class RequestTest(TestCase):
    def refused(self, **changes: Any) -> object:
        """Return the ``id`` of a request that is refused."""
        with self.assertRaises(Malformed) as caught:
            ProxyRequest.parse({"id": "1", "method": "GET", "path": "/", **changes})
        return caught.exception.id

    def test_refused(self) -> None:
        self.assertEqual(self.refused(path=None), "1")
        self.assertEqual(self.refused(path="/../"), "1")
        self.assertEqual(self.refused(method="POST"), "1")
        self.assertEqual(self.refused(method=["GET"]), "1")
        self.assertIsNone(self.refused(id=5))
        self.assertIsNone(self.refused(id="1" * 300))

    def test_headers_that_no_client_may_set(self) -> None:
        given = {
            "Accept": "image/*",
            "RANGE": "bytes=0-",
            "Authorization": "Bearer t",
            "Host": "other",
            "X-Remote-User-Id": "1",
            "X-Ingress-Path": "/",
            "Cookie": "a=b",
            "Accept-Encoding": "br",
            "etag": 5,
            "If-None-Match": "a\r\nHost: other",
        }
        request = ProxyRequest.parse({"id": "1", "path": "/", "headers": given})
        self.assertEqual(
            request.headers, {"accept": "image/*", "range": "bytes=0-", "authorization": "Bearer t"}
        )
        self.assertEqual(ProxyRequest.parse({"id": "1", "path": "/", "headers": "no"}).headers, {})


class ResponseTest(TestCase):
    def test_forms(self) -> None:
        head = ProxyHead(200, {"etag": "1"})
        before, after = head.around("7")
        # The mobile app reads it from the end, and compact.
        self.assertTrue(before.endswith(b'"body":"'), before)
        answer = {"type": "http-proxy-response", "id": "7", "status": 200, "headers": {"etag": "1"}}
        self.assertEqual(json.loads(before + b"00ff" + after), {**answer, "body": "00ff"})
        self.assertEqual(json.loads(head.alone("7", 2)), {**answer, "size": 2})

    def test_headers_for_the_client(self) -> None:
        given = {
            "Content-Type": "image/png",
            "Set-Cookie": "a=b",
            "Content-Length": "5",
            "Content-Encoding": "gzip",
        }
        self.assertEqual(for_client(given), {"content-type": "image/png"})

    def test_headers_that_are_no_utf_8(self) -> None:
        """The library leaves such bytes as surrogates, which JSON can't carry."""
        for raw, text in ((b"Bj\xf6rk", "Björk"), ("Björk".encode(), "Björk"), (b"\xff\xc3\xb6", "ÿÃ¶")):
            given = {"Content-Disposition": raw.decode(errors="surrogateescape")}
            head = ProxyHead(200, for_client(given))
            self.assertEqual(json.loads(head.alone("7", 2))["headers"], {"content-disposition": text})
