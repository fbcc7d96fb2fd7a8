"""What a browser is shown, as bytes; tests/integration looks at it with a browser."""

from __future__ import annotations

import gzip
import json
import re
from html import escape
from urllib.parse import urljoin

from ma_signaling.http.languages import fill
from tests import ROOT
from tests.support.web_case import WebTestCase

PAGES = ROOT / "ma_signaling" / "http" / "pages"
BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"

NO_GZIP = ("gzip;q=0, *", "*, gzip;q=0", "*;q=1, GZIP ; q=0.0", "*;q=0", "x-gzip;q=0, *", "gzip;q=x", "")
"""What the wildcard doesn't give back, in any order."""


class PagesTest(WebTestCase):
    """Each page and each file of it."""

    def test_every_file_is_served(self) -> None:
        types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
        for path in sorted(PAGES.rglob("*.*")):
            if path.suffix in types:
                reply = self.ask(f"/assets/{path.relative_to(PAGES)}")
                assert (reply.status, reply.body) == (200, path.read_bytes()), path
                assert reply.headers["content-type"].startswith(types[path.suffix]), path

    def test_no_expression_that_an_old_safari_cannot_read(self) -> None:
        """Before 16.4, it refuses the whole file for one that looks behind, and so the page does nothing."""
        for path in PAGES.rglob("*.js"):
            assert not re.search(r"\(\?<[=!]", path.read_text()), path

    def test_nothing_else_is(self) -> None:
        for path in (
            "/assets",
            "/assets/",
            "/assets/doctor",
            "/assets/doctor/",
            "/assets/root.html",
            "/assets/head.html",
            "/assets/texts",
            "/assets/texts/en.json",
            "/doctor/x",
            "/sessions",
            "/sessions/",
            "/sessions/a/b",
        ):
            assert self.ask(path).status == 404, path
        for path in ("/assets/../web.py", "/assets/doctor/../../__init__.py", "/assets/%2e%2e/web.py"):
            assert self.ask(path).status == 404, path

    def test_missing(self) -> None:
        """Where nothing is, a browser gets a page, a program JSON; so does everybody below /api."""
        for path in ("/nowhere", "/no/where", "/doctor/x", "/sessions/a/b", "/index.php"):
            page = self.ask(path, headers=BROWSER)
            assert page.status == 404, path
            assert page.headers["content-type"] == "text/html; charset=utf-8", path
            assert b'href="/doctor"' in page.body, path
            assert self.ask(path).json == {"error": "Not found"}, path
        assert self.ask("/api/x", headers=BROWSER).json == {"error": "Not found"}

    def test_web_app_that_is_not_served(self) -> None:
        """Whoever follows a home's link hears that this server has none; no page leads there."""
        for path in ("/app", "/app/?remote_id=A&remote=1", "/app/assets/x"):
            page = self.ask(path, headers=BROWSER)
            assert (page.status, b"--web-app on" in page.body) == (404, True), path
            assert self.ask(path).json == {"error": "Not found"}, path
        for path in ("/", "/doctor"):
            assert b'data-app=""' in self.ask(path, headers=BROWSER).body, path

    def test_root(self) -> None:
        page = self.ask("/", headers=BROWSER)
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["vary"] == "Accept, Accept-Language"
        assert re.search(r"<dt>Homes online</dt><dd>1</dd>", page.body.decode())
        assert b"{{" not in page.body

    def test_root_says_how_the_visitor_came(self) -> None:
        """By what this server sees: nobody in between, a proxy that it trusts, one that it doesn't know."""
        cases = [
            ("192.0.2.2", "", "No proxy in between. You come from 192.0.2.2."),
            ("127.0.0.1", "", "Or else a proxy in between doesn&#x27;t report who asks"),
            ("::ffff:192.0.2.2", "", "No proxy in between. You come from 192.0.2.2."),
            ("127.0.0.1", "X-Forwarded-For: 203.0.113.7\r\n", "reports who asks. You come from 203.0.113.7."),
            ("192.0.2.9", "X-Forwarded-For: 203.0.113.7\r\n", "all visitors look like 192.0.2.9."),
            ("127.0.0.1", "X-Forwarded-For: <b>\r\n", "all visitors look like 127.0.0.1."),
        ]
        for host, headers, sentence in cases:
            page = self.ask("/", headers=BROWSER + headers, host=host)
            assert sentence in page.body.decode(), (host, headers)

    def test_language(self) -> None:
        """What the browser prefers among those that there are; else English."""
        texts = {path.stem: json.loads(path.read_text()) for path in (PAGES / "texts").iterdir()}
        cases = {
            "": "en",
            "de-CH, de;q=0.9, en;q=0.8": "de",
            "ja, fr;q=0.5, nl;q=0.7": "nl",
            "fr;q=0, xx": "en",
            "FR": "fr",
            "*": "en",
            "en;q=0.1, de;q=0.1": "en",
            ";;;, de;q=x, =": "en",
        }
        for path, section in (
            ("/", "front"),
            ("/doctor", "doctor"),
            ("/nowhere", "missing"),
            ("/sessions/S", "session"),
        ):
            for accepted, language in cases.items():
                reply = self.ask(path, headers=f"{BROWSER}Accept-Language: {accepted}\r\n")
                html = reply.body.decode()
                assert f'<html lang="{language}">' in html, (path, accepted)
                assert escape(texts[language][section]["title"]) in html, (path, accepted)
                assert "{{" not in html, path
                assert "Accept-Language" in reply.headers["vary"], path

    def test_texts_for_scripts(self) -> None:
        """Those of a language, as they are, and nothing in them ends the element that they are in."""
        for path, name in (("/doctor", "hints"), ("/sessions/S", "verdicts")):
            html = self.ask(path, headers="Accept-Language: fr\r\n").body.decode()
            found = re.search(r'<script id="texts" type="application/json">(.*?)</script>', html)
            assert found is not None, path
            texts = json.loads((PAGES / "texts" / "fr.json").read_text())
            assert json.loads(found[1])[name] == texts[name], path
        filled = fill("{{texts a}}", {"a": {"b": "</script><!--"}}, {})
        assert "<" not in filled, filled
        assert json.loads(filled) == {"a": {"b": "</script><!--"}}

    def test_size(self) -> None:
        """A page and all that it loads are below 100 KiB without compression too, in each language."""

        def load(path: str, loaded: dict[str, bytes], headers: str = "") -> dict[str, bytes]:
            """Add to `loaded` what is at `path`, and what that names."""
            body = loaded[path] = self.ask(path, headers=headers).body
            for match in re.finditer(rb'(?:src|href)="(/assets/[^"]+)"|from "(\.[^"]+)"', body):
                name = urljoin(path, (match[1] or match[2]).decode())
                if name not in loaded:
                    load(name, loaded)
            return loaded

        for path, wanted in (
            ("/", "root.js"),
            ("/doctor", "doctor/waiting.js"),
            ("/sessions/S", "session.css"),
        ):
            for texts in (PAGES / "texts").iterdir():
                loaded = load(path, {}, f"{BROWSER}Accept-Language: {texts.stem}\r\n")
                assert f"/assets/{wanted}" in loaded, (path, list(loaded))
                assert sum(map(len, loaded.values())) < 100 * 1024, (path, texts.stem)

    def test_policy(self) -> None:
        """Nothing inline, nothing from elsewhere: neither allowed nor there."""
        for path in ("/", "/doctor", "/sessions/S", "/nowhere"):
            reply = self.ask(path, headers=BROWSER)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "*" not in policy
            html = reply.body.decode()
            inline = r"<style|<script(?![^>]* (src=|type=.application/json))|\sstyle=|\son[a-z]+="
            assert not re.search(inline, html), path
            assert not re.search(r"<(?!a )\w+ [^>]*(src|href)=.https?:", html), path

    def test_unchanged(self) -> None:
        for path in ("/doctor", "/assets/style.css", "/sessions/S"):
            first = self.ask(path)
            assert first.headers["cache-control"] == "no-cache"
            again = self.ask(path, headers=f"If-None-Match: {first.headers['etag']}\r\n")
            assert (again.status, again.body) == (304, b""), path
            other = self.ask(path, headers='If-None-Match: "other"\r\n')
            assert (other.status, other.body) == (200, first.body), path
            assert self.ask(path, "HEAD").headers["content-length"] == str(len(first.body))
            assert self.ask(path, "POST").status == 405

    def test_compressed(self) -> None:
        """For who takes it, with a tag of its own: the two aren't the same bytes."""
        for path in ("/doctor", "/assets/style.css", "/assets/doctor/main.js"):
            plain = self.ask(path)
            zipped = self.ask(path, headers="Accept-Encoding: br, gzip;q=0.8\r\n")
            assert zipped.headers["content-encoding"] == "gzip", path
            assert gzip.decompress(zipped.body) == plain.body, path
            assert zipped.headers["etag"] != plain.headers["etag"], path
            assert "Accept-Encoding" in plain.headers["vary"], path
            for refused in ("identity", "gzip;q=0", "gzip;q=0.000", "x-gzip2", *NO_GZIP):
                reply = self.ask(path, headers=f"Accept-Encoding: {refused}\r\n")
                assert "content-encoding" not in reply.headers, refused
