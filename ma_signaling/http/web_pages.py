"""The pages for browsers, in each browser's language, and the files that they load."""

from __future__ import annotations

from twisted.web.resource import IResource

from ma_signaling import __version__
from ma_signaling.core.hub import Hub
from ma_signaling.http import languages
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import Page, client_of, reply
from ma_signaling.http.static_files import (
    PAGES,
    StaticFile,
    make_file,
    read_tree,
    send,
    set_page_headers,
)
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.sockets import peer_address

_ASSETS = (
    "app.js",
    "elements.js",
    "fetching.js",
    "root.js",
    "session.js",
    "texts.js",
    "style.css",
    "doctor.css",
    "session.css",
    "icon.svg",
    "doctor",
)
"""Files, and directories of files, that are served below ``/assets``."""

_TEXTS = languages.load({each.name: each.read_bytes() for each in PAGES.joinpath(languages.TEXTS).iterdir()})


def _template(name: str) -> str:
    """Return the page ``name`` below ``pages/``, preceded by the common head; HTML needs no tags around the two."""
    return PAGES.joinpath("head.html").read_text("utf-8") + PAGES.joinpath(name).read_text("utf-8")


def language_of(request: HttpRequest) -> str:
    """Return the language in which to answer a browser."""
    accepted = b",".join(request.head.header(b"accept-language"))
    return languages.preferred(accepted.decode("latin-1"), _TEXTS)


def wants_page(request: HttpRequest) -> bool:
    """Return whether a request is a browser's, not a program's."""
    return b"text/html" in (request.getHeader(b"accept") or b"")


def _no_header(name: bytes) -> list[bytes]:
    return []


def _translated(name: str, app: str = "", why: str = "text") -> dict[str, StaticFile]:
    """Return a page by language, filled with the web app's path, and with the reason for a 404 (key of a text)."""
    page = _template(name)

    def in_language(language: str) -> StaticFile:
        texts = _TEXTS[language]
        values = {"language": language, "app": app, "why": texts["missing"][why]}
        return make_file(name, languages.fill(page, texts, values).encode())

    return {language: in_language(language) for language in _TEXTS}


_MISSING = {why: _translated("missing.html", why=why) for why in ("text", "no-app")}


class TranslatedPage(Page):
    """A page that depends only on the language; ``app`` is the path of the web app, or empty."""

    def __init__(self, name: str, app: str = "") -> None:
        super().__init__()
        self._files = _translated(name, app)

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return MissingPage()

    def render_GET(self, request: HttpRequest) -> bytes | int:
        return send(request, self._files[language_of(request)], b"Accept-Encoding, Accept-Language")


class SessionPages(Page):
    """``/sessions/S``: the page about the session S, for which it asks the API."""

    def __init__(self) -> None:
        super().__init__()
        self._page = TranslatedPage("session.html")

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self._page if path else MissingPage()

    def render_GET(self, request: HttpRequest) -> bytes | int:
        return MissingPage().render_GET(request)


class MissingPage(Page):
    """Any path without a resource (404): browsers get a page with links and a reason, programs get JSON."""

    def __init__(self, why: str = "text") -> None:
        super().__init__()
        self._files = _MISSING[why]

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self

    def render_GET(self, request: HttpRequest) -> bytes | int:
        request.setHeader(b"Vary", b"Accept, Accept-Language")
        if not wants_page(request):
            return reply(request, 404, {"error": "Not found"})
        page = self._files[language_of(request)]
        request.setResponseCode(404, b"Not Found")
        set_page_headers(request, page.type)
        return page.plain.body


class Root(Page):
    """``/``: what this server is, and what it offers."""

    def __init__(self, hub: Hub, addresses: ClientAddresses, app: str) -> None:
        super().__init__()
        self._hub = hub
        self._app = app
        self._addresses = addresses
        self._page = _template("root.html")

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self if path == b"" and not request.postpath else MissingPage()

    def render_GET(self, request: HttpRequest) -> bytes:
        request.setHeader(b"Vary", b"Accept, Accept-Language")
        if wants_page(request):
            set_page_headers(request, b"text/html; charset=utf-8")
            return self._html(request).encode()
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return self._text().encode()

    def _html(self, request: HttpRequest) -> str:
        language = language_of(request)
        texts = _TEXTS[language]
        counts = self._hub.counts()
        mark, key, address = self._way(request)
        values = {
            "language": language,
            "app": self._app,
            "servers": str(counts["servers"]),
            "clients": str(counts["clients"]),
            "version": __version__,
            "proxy": texts["front"][key].format(address=address),
            "proxy-mark": mark,
        }
        return languages.fill(self._page, texts, values)

    def _way(self, request: HttpRequest) -> tuple[str, str, str]:
        """Return how the request came, by a proxy or not: a mark, the key of a text, and the client's address."""
        client = client_of(request, self._addresses)
        if client.shared:
            return "warn", "proxy-unnamed", client.text
        peer = peer_address(request.transport)
        if self._addresses.is_own(peer, request.head.header):
            return "info", "own", client.text
        is_direct = client == self._addresses.of(peer, _no_header)
        return "ok", "direct" if is_direct else "proxy", client.text

    def _text(self) -> str:
        counts = self._hub.counts()
        lines = [
            "Music Assistant Signaling Server",
            "",
            "Status: Running",
            f"Version: {__version__}",
            f"Connected servers: {counts['servers']}",
            f"Connected clients: {counts['clients']}",
            f"Pending clients: {counts['pendingClients']}",
            "",
            "Endpoints:",
            "  /ws - WebSocket connection",
            "  /health - Health check",
            "  /ready - Readiness check",
            "  /api/check/REMOTE-ID - Check if a Remote ID is online",
            "  /doctor - Connection check (for a browser)",
            "",
        ]
        return "\n".join(lines)


def read_assets() -> dict[str, StaticFile | dict[str, StaticFile]]:
    """Return everything below ``/assets``, by name."""
    return {name: read_tree(name) for name in _ASSETS}
