"""What a browser is shown, as bytes; tests/integration looks at it with a browser."""

from __future__ import annotations

import re

from tests import ROOT
from tests.support.web_case import WebTestCase

PAGES = ROOT / "ma_signaling" / "http" / "pages"
BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"


class PagesTest(WebTestCase):
    """Each page and each file of it."""

    def test_every_file_is_served(self) -> None:
        types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
        for path in sorted(PAGES.rglob("*.*")):
            if path.suffix != ".html":
                reply = self.ask(f"/assets/{path.relative_to(PAGES)}")
                assert (reply.status, reply.body) == (200, path.read_bytes()), path
                assert reply.headers["content-type"].startswith(types[path.suffix]), path
        assert self.ask("/doctor").body == (PAGES / "doctor.html").read_bytes()

    def test_nothing_else_is(self) -> None:
        for path in (
            "/assets",
            "/assets/",
            "/assets/doctor",
            "/assets/doctor/",
            "/assets/root.html",
            "/doctor/x",
        ):
            assert self.ask(path).status == 404, path
        for path in ("/assets/../web.py", "/assets/doctor/../../__init__.py", "/assets/%2e%2e/web.py"):
            assert self.ask(path).status == 404, path

    def test_root_counts(self) -> None:
        page = self.ask("/", headers=BROWSER)
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["vary"] == "Accept"
        assert re.search(r"<dt>Homes online</dt><dd>1</dd>", page.body.decode())
        assert b"$" not in page.body

    def test_policy(self) -> None:
        """Nothing inline, nothing from elsewhere: neither allowed nor there."""
        for path in ("/", "/doctor"):
            reply = self.ask(path, headers=BROWSER)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "*" not in policy
            html = reply.body.decode()
            assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|https?:", html), path

    def test_unchanged(self) -> None:
        for path in ("/doctor", "/assets/style.css"):
            first = self.ask(path)
            assert first.headers["cache-control"] == "no-cache"
            again = self.ask(path, headers=f"If-None-Match: {first.headers['etag']}\r\n")
            assert (again.status, again.body) == (304, b""), path
            other = self.ask(path, headers='If-None-Match: "other"\r\n')
            assert (other.status, other.body) == (200, first.body), path
            assert self.ask(path, "HEAD").headers["content-length"] == str(len(first.body))
            assert self.ask(path, "POST").status == 405
