"""The resources of the admin socket that only show something (docs/openapi.yaml)."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from twisted.web.server import NOT_DONE_YET

from ma_signaling.admin.actions import is_of_network, spellings
from ma_signaling.admin.following import Followers
from ma_signaling.admin.resource import AdminPage, Collection
from ma_signaling.admin.status import ServerStatus
from ma_signaling.admin.views import Views
from ma_signaling.core import remote_id
from ma_signaling.core.connection import Role
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import without_content

MAX_UNSENT = 256 * 1024
"""The most unsent bytes for a follower; beyond them, events are left out."""


class StatusPage(AdminPage):
    """``/status``: the status of this server."""

    def __init__(self, status: ServerStatus) -> None:
        super().__init__()
        self._status = status

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return self._status.read()


class Homes(Collection):
    """``/homes``: all homes, in pages; ``/homes/ID``: one with its sessions."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneHome(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        homes = self._hub.registry.homes()
        return self.listed(request, "homes", homes, lambda each: each.remote_id, self._views.home)


class OneHome(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(remote_id.named(name))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        home = self._hub.registry.find(self.name)
        return None if home is None else self._views.whole_home(home)


class Sessions(Collection):
    """``/sessions``: the sessions of this node's clients, in pages; ``/sessions/ID``: one."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneSession(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return self.listed(
            request, "sessions", self._hub.sessions.all(), lambda each: each.id, self._views.session
        )


class OneSession(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(name)
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        session = self._hub.sessions.get(self.name)
        return None if session is None else self._views.session(session)


class Addresses(AdminPage):
    """``/addresses``: the addresses with most connections."""

    def __init__(self, views: Views) -> None:
        super().__init__()
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        return {"addresses": list(self._views.addresses(self.number(request, "limit", 20)))}


class Contests(Collection):
    """``/contests``: the contests for Remote IDs; ``/contests/ID``: one."""

    def __init__(self, hub: Hub, views: Views) -> None:
        super().__init__(lambda name: OneContest(name, hub, views))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        contests = self._hub.registry.contests.by_remote_id.values()
        return self.listed(request, "contests", contests, lambda each: each.remote_id, self._views.contest)


class OneContest(AdminPage):
    def __init__(self, name: str, hub: Hub, views: Views) -> None:
        super().__init__(remote_id.named(name))
        self._hub = hub
        self._views = views

    def do_GET(self, request: HttpRequest) -> dict[str, Any] | None:
        contest = self._hub.registry.contests.by_remote_id.get(self.name)
        return None if contest is None else self._views.contest(contest)


class Traces(Collection):
    """``/trace/ID``: each event about a home, a session, a connection or an address, as it comes, as a line of JSON."""

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
            # A follower that doesn't read misses events.
            if len(transport.dataBuffer) + transport._tempDataLen < MAX_UNSENT:  # noqa: SLF001
                request.write(line)

        names = spellings(self.name)
        stop = self._followers.follow(names, write, set(self._belonging(names)))
        request.notifyFinish().addBoth(lambda _: stop())
        return NOT_DONE_YET

    def _belonging(self, names: Set[str]) -> Iterator[str]:
        """Yield the connection of a home, or those of an address's homes, and the sessions of its clients."""
        home = self._hub.registry.find(remote_id.named(self.name))
        if home is not None and home.connection is not None:
            yield home.connection.id
        # Only for an address, since it goes through all connections.
        for connection in self._hub.connections() if is_of_network(self.name) else ():
            if not names.isdisjoint((connection.address.text, connection.address.key)):
                if connection.role is Role.HOME:
                    yield connection.id
                elif (session := self._hub.sessions.by_client.get(connection)) is not None:
                    yield session.id
