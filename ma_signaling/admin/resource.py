"""The common part of the admin socket's resources: methods, query parameters, and delayed answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ma_signaling.admin.actions import is_of_network
from ma_signaling.admin.views import MAX_PAGE, Each, page
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import NotFound, Page, reply

_log = Logger(namespace="ma_signaling")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class BadParameter(Exception):
    """Raised for an invalid request; the text is one line."""


def _parse_duration(text: str) -> float:
    """Return the seconds of ``90s``, ``15m``, ``1h`` or ``7d``. Raises ``BadParameter``."""
    parts = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if parts is None:
        raise BadParameter(f"{text!r} is not a duration such as 90s, 15m, 1h or 7d")
    return float(int(parts[1]) * _UNITS[parts[2]])


def _as_text(body: Mapping[str, object]) -> str:
    """Return what was done, for the log; a Remote ID is shortened as in other lines."""

    def shown(name: str, value: object) -> object:
        is_remote_id = name in ("banned", "unbanned") and not is_of_network(str(value))
        return f"{str(value)[:4]}…" if is_remote_id else value

    return ", ".join(f"{name} {shown(name, value)}" for name, value in body.items())


class AdminPage(Page):
    """A resource for each method that it has as ``do_METHOD``; ``name`` is the path segment of one entry."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.name = name

    def render(self, request: HttpRequest) -> bytes | int:
        method = "GET" if request.method == b"HEAD" else request.method.decode("latin-1")
        do: Callable[[HttpRequest], Any] | None = getattr(self, f"do_{method}", None)
        if do is None:
            return super().render(request) if method == "OPTIONS" else self._not_allowed(request)
        try:
            body = do(request)
        except BadParameter as problem:
            return reply(request, 400, {"error": str(problem)})
        if isinstance(body, Deferred):
            self._finish_later(request, body)
            return NOT_DONE_YET
        if isinstance(body, int):
            return body
        return self._answer(request, body)

    def parameter(self, request: HttpRequest, name: str, default: str | None = None) -> str:
        """Return a query parameter. Raises ``BadParameter`` if it is missing and there is no default."""
        values: list[bytes] = request.args.get(name.encode(), [])
        if values:
            return values[-1].decode("utf-8", "replace")
        if default is None:
            raise BadParameter(f"the parameter {name} is missing")
        return default

    def number(self, request: HttpRequest, name: str, default: int) -> int:
        """Return a query parameter that is a whole number. Raises ``BadParameter``."""
        text = self.parameter(request, name, str(default))
        if not text.isdecimal() or len(text) > 9:
            raise BadParameter(f"the parameter {name} is not a whole number")
        return int(text)

    def duration(self, request: HttpRequest, name: str) -> float | None:
        """Return a query parameter such as ``15m`` in seconds, None if it is missing. Raises ``BadParameter``."""
        return _parse_duration(self.parameter(request, name)) if name.encode() in request.args else None

    def _not_allowed(self, request: HttpRequest) -> bytes:
        methods = [name[3:] for name in dir(self) if name.startswith("do_")]
        request.setHeader(b"Allow", ", ".join(sorted({*methods, "OPTIONS"})).encode())
        return reply(request, 405, {"error": "Method not allowed"})

    def _answer(self, request: HttpRequest, body: dict[str, Any] | None) -> bytes | int:
        content = reply(request, 404 if body is None else 200, body or {"error": "Not found"})
        if body is not None and request.method not in (b"GET", b"HEAD"):
            _log.info("Admin socket: {act}", act=_as_text(body), is_about_peers=True)
        if request.method == b"HEAD":
            request.setHeader(b"Content-Length", b"%d" % len(content))
            return b""
        return content

    def _finish_later(self, request: HttpRequest, body: Deferred[Any]) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def succeeded(found: dict[str, Any] | None) -> None:
            if not gone:
                content = self._answer(request, found)
                assert isinstance(content, bytes)
                self._finish(request, content)

        def failed(failure: Failure) -> None:
            _log.failure("An action of the admin socket failed", failure)
            if not gone:
                self._finish(request, reply(request, 500, {"error": "Internal error"}))

        body.addCallback(succeeded)
        body.addErrback(failed)

    @staticmethod
    def _finish(request: HttpRequest, content: bytes) -> None:
        request.setHeader(b"Content-Length", b"%d" % len(content))
        request.write(content)
        request.finish()


class Collection(AdminPage):
    """``/things``; ``kind`` makes the resource for ``/things/NAME``."""

    def __init__(self, kind: Callable[[str], AdminPage]) -> None:
        super().__init__()
        self._kind = kind

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self._kind(path.decode("utf-8", "replace")) if path else NotFound()

    def listed(
        self,
        request: HttpRequest,
        key: str,
        items: Iterable[Each],
        name: Callable[[Each], str],
        show: Callable[[Each], dict[str, Any]],
    ) -> dict[str, Any]:
        """Return the requested page of ``items`` under ``key``, each converted by ``show``.

        The query parameters are ``after``, a name, and ``limit``; the answer's ``next`` is ``after`` for the next page.
        """
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        found, following = page(items, name, after, limit)
        body: dict[str, Any] = {key: [show(each) for each in found]}
        return body if following is None else {**body, "next": following}
