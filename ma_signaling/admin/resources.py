"""The resource tree of the admin socket (docs/openapi.yaml). Parameters are in the query: no request has a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ma_signaling.admin.actions import Actions
from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.following import Followers
from ma_signaling.admin.views import MAX_PAGE, Views, page
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import NotFound, Page, reply, without_content

_log = Logger(namespace="ma_signaling")

MAX_UNSENT = 256 * 1024
"""Bytes that wait for one who follows; beyond it events are left out."""

Status = Callable[[], dict[str, Any]]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class BadParameter(Exception):
    """What is wrong with a request, in one line."""


def parse_duration(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``15m``, ``1h`` or ``7d``. Raises ``BadParameter``."""
    parts = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if parts is None:
        raise BadParameter(f"{text!r} is no duration such as 90s, 15m, 1h or 7d")
    return float(int(parts[1]) * _UNITS[parts[2]])


class AdminPage(Page):
    """A resource for the methods that it has a ``do_`` for; names below it are its ``name``."""

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
        """Return a parameter of the query. Raises ``BadParameter`` where it is missing and there is no default."""
        values: list[bytes] = request.args.get(name.encode(), [])
        if values:
            return values[-1].decode("utf-8", "replace")
        if default is None:
            raise BadParameter(f"the parameter {name} is missing")
        return default

    def number(self, request: HttpRequest, name: str, default: int) -> int:
        """Return a parameter that is a whole number."""
        text = self.parameter(request, name, str(default))
        if not text.isdecimal() or len(text) > 9:
            raise BadParameter(f"the parameter {name} is no whole number")
        return int(text)

    def _not_allowed(self, request: HttpRequest) -> bytes:
        methods = [name[3:] for name in dir(self) if name.startswith("do_")]
        request.setHeader(b"Allow", ", ".join(sorted({*methods, "OPTIONS"})).encode())
        return reply(request, 405, {"error": "Method not allowed"})

    def _answer(self, request: HttpRequest, body: dict[str, Any] | None) -> bytes | int:
        content = reply(request, 404 if body is None else 200, body or {"error": "Not found"})
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
    """``/things``, and ``/things/NAME`` as ``kind``."""

    def __init__(self, kind: Callable[[str], AdminPage]) -> None:
        super().__init__()
        self._kind = kind

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self._kind(path.decode("utf-8", "replace")) if path else NotFound()


class StatusPage(AdminPage):
    """``/status``: what goes on."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return self._status()


class Homes(Collection):
    """``/homes``: all of them, a page at a time; ``/homes/ID``: one with its sessions."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneHome(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        homes, following = page(self._hub.registry.homes(), lambda each: each.remote_id, after, limit)
        return _with_next({"homes": [self._views.home(each) for each in homes]}, following)


class OneHome(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(name.upper())
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        home = self._hub.registry.find(self.name)
        return None if home is None else self._views.whole_home(home)


class Sessions(Collection):
    """``/sessions``: those of clients of this node, a page at a time; ``/sessions/ID``."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneSession(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        sessions, following = page(self._hub.sessions.all(), lambda each: each.id, after, limit)
        return _with_next({"sessions": [self._views.session(each) for each in sessions]}, following)


class OneSession(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(name)
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        session = self._hub.sessions.get(self.name)
        return None if session is None else self._views.session(session)


class Addresses(AdminPage):
    """``/addresses``: who has most connections."""

    def __init__(self, views: Views) -> None:
        super().__init__()
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return {"addresses": list(self._views.addresses(self.number(request, "limit", 20)))}


class Blocks(Collection):
    """``/blocks``: addresses whose lookups are blocked for guessing; ``DELETE /blocks/ADDRESS`` ends one."""

    def __init__(self, hub: Hub, seconds: Callable[[], float]) -> None:
        super().__init__(lambda name: OneBlock(name, hub))
        self._hub = hub
        self._seconds = seconds

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        blocks, following = page(
            self._hub.limits.guessing.blocks(self._seconds()), lambda each: each[0], after, limit
        )
        return _with_next(
            {"blocks": [{"address": key, "seconds": round(left)} for key, left in blocks]},
            following,
        )


class OneBlock(AdminPage):
    def __init__(self, name: str, hub: Hub) -> None:
        super().__init__(name)
        self._hub = hub

    def do_DELETE(self, request: HttpRequest) -> dict[str, Any] | None:
        return {"unblocked": self.name} if self._hub.limits.guessing.unblock(self.name) else None


class BanList(Collection):
    """``/bans``: what is banned by command; ``POST`` bans ``target``, for ``for``; ``DELETE /bans/TARGET`` unbans."""

    def __init__(self, hub: Hub, file: BanFile, actions: Actions) -> None:
        super().__init__(lambda name: OneBan(name, hub, file))
        self._hub = hub
        self._file = file
        self._actions = actions

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        bans, following = page(self._hub.bans, lambda each: each[0], after, limit)
        entries = [
            {"target": target} if left is None else {"target": target, "seconds": round(left)}
            for target, left in bans
        ]
        return _with_next({"bans": entries, "kept": self._file.is_kept}, following)

    def do_POST(self, request: HttpRequest) -> Deferred[dict[str, Any]]:
        duration = self.parameter(request, "for", "")
        seconds = parse_duration(duration) if duration else None
        try:
            target = self._hub.bans.add(self.parameter(request, "target"), seconds)
        except ValueError as problem:
            raise BadParameter(str(problem).removeprefix("line 1 ")) from None
        self._file.save()
        return self._actions.enforce().addCallback(
            lambda count: {"banned": target, "closed": count, "kept": self._file.is_kept}
        )


class OneBan(AdminPage):
    def __init__(self, name: str, hub: Hub, file: BanFile) -> None:
        super().__init__(name)
        self._hub = hub
        self._file = file

    def do_DELETE(self, request: HttpRequest) -> dict[str, Any] | None:
        try:
            name = self._hub.bans.remove(self.name)
        except ValueError as problem:
            raise BadParameter(str(problem).removeprefix("line 1 ")) from None
        self._file.save()
        return None if name is None else {"unbanned": name}


class Kick(AdminPage):
    """``POST /kick?target=…``: close the connections of a home or an address; they come back."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions

    def do_POST(self, request: HttpRequest) -> Deferred[dict[str, Any] | None]:
        kicking = self._actions.kick(self.parameter(request, "target"))
        return kicking.addCallback(lambda count: {"closed": count} if count else None)


class Contests(Collection):
    """``/contests``: Remote IDs that several connections want; ``/contests/ID``."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneContest(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        after, limit = self.parameter(request, "after", ""), self.number(request, "limit", MAX_PAGE)
        contests, following = page(
            list(self._hub.registry.contests.by_remote_id.values()), lambda each: each.remote_id, after, limit
        )
        return _with_next({"contests": [self._views.contest(each) for each in contests]}, following)


class OneContest(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(name.upper())
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        contest = self._hub.registry.contests.by_remote_id.get(self.name)
        return None if contest is None else self._views.contest(contest)


class LogLevelPage(AdminPage):
    """``/log-level``: from which level on lines are written; ``PUT`` with ``level`` sets it, until a restart."""

    def __init__(self, read: Callable[[], str], write: Callable[[str], None]) -> None:
        super().__init__()
        self._read = read
        self._write = write

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return {"level": self._read()}

    def do_PUT(self, request: HttpRequest) -> dict[str, Any]:
        try:
            self._write(self.parameter(request, "level"))
        except ValueError as problem:
            raise BadParameter(str(problem)) from None
        return self.do_GET(request)


class Drain(AdminPage):
    """``POST /drain``: stop as on SIGTERM, over ``over`` instead of ``--drain-seconds`` if it is given."""

    def __init__(self, drain: Callable[[float | None], float]) -> None:
        super().__init__()
        self._drain = drain

    def do_POST(self, request: HttpRequest) -> dict[str, Any]:
        over = self.parameter(request, "over", "")
        return {"drainSeconds": self._drain(parse_duration(over) if over else None)}


class Traces(Collection):
    """``/trace/ID``: each event about a home, a session, a connection or an address, a line of JSON, as it comes."""

    def __init__(self, hub: Hub, followers: Followers) -> None:
        super().__init__(lambda name: Trace(name, hub, followers))


class Trace(AdminPage):
    def __init__(self, name: str, hub: Hub, followers: Followers) -> None:
        super().__init__(name)
        self._hub = hub
        self._followers = followers

    def do_GET(self, request: HttpRequest) -> int:
        request.setHeader(b"Content-Type", b"application/x-ndjson")
        if request.method == b"HEAD":
            return without_content(request)
        request.write(b"")
        transport: Any = request.transport

        def write(line: bytes) -> None:
            # Who doesn't read misses something.
            if len(transport.dataBuffer) + transport._tempDataLen < MAX_UNSENT:  # noqa: SLF001
                request.write(line)

        names = {self.name, self.name.upper()}
        home = self._hub.registry.find(self.name.upper())
        if home is not None and home.connection is not None:
            names.add(home.connection.id)
        stop = self._followers.follow(names, write)
        request.notifyFinish().addBoth(lambda _: stop())
        return NOT_DONE_YET


def _with_next(body: dict[str, Any], following: str | None) -> dict[str, Any]:
    return body if following is None else {**body, "next": following}
