"""The resources of the admin socket that change something (docs/openapi.yaml). No request has a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from ma_signaling.admin.actions import Actions, spellings
from ma_signaling.admin.ban_file import BanFile
from ma_signaling.admin.resource import AdminPage, BadParameter, Collection
from ma_signaling.core.access import BadEntry
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpRequest
from ma_signaling.transport.client_address import describe, parse


class Blocks(Collection):
    """``/blocks``: addresses whose lookups are blocked for guessing; ``DELETE /blocks/ADDRESS`` ends one."""

    def __init__(self, hub: Hub, seconds: Callable[[], float]) -> None:
        super().__init__(lambda name: OneBlock(name, hub))
        self._hub = hub
        self._seconds = seconds

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        def show(block: tuple[str, float]) -> dict[str, Any]:
            key, left = block
            return {"address": key, "seconds": round(left)}

        blocks = self._hub.limits.guessing.blocks(self._seconds())
        return self.listed(request, "blocks", blocks, lambda each: each[0], show)


class OneBlock(AdminPage):
    def __init__(self, name: str, hub: Hub) -> None:
        super().__init__(name)
        self._hub = hub

    def do_DELETE(self, request: HttpRequest) -> dict[str, Any] | None:
        names = set(spellings(self.name))
        if (address := parse(self.name)) is not None:
            names.add(describe(address).key)
        unblocked = next(filter(self._hub.limits.guessing.unblock, names), None)
        return None if unblocked is None else {"unblocked": unblocked}


class BanList(Collection):
    """``/bans``: bans by command; ``POST`` bans ``target`` for the time ``for``; ``DELETE /bans/TARGET`` ends one."""

    def __init__(self, hub: Hub, file: BanFile, actions: Actions) -> None:
        super().__init__(lambda name: OneBan(name, hub, file))
        self._hub = hub
        self._file = file
        self._actions = actions

    def do_GET(self, request: HttpRequest) -> dict[str, Any]:
        def show(ban: tuple[str, float | None]) -> dict[str, Any]:
            target, left = ban
            return {"target": target} if left is None else {"target": target, "seconds": round(left)}

        bans = self.listed(request, "bans", self._hub.bans, lambda each: each[0], show)
        return {**bans, "kept": self._file.is_kept}

    def do_POST(self, request: HttpRequest) -> Deferred[dict[str, Any]]:
        seconds = self.duration(request, "for")
        if seconds == 0:
            raise BadParameter("a ban for no time is none")
        target = self.parameter(request, "target")
        try:
            target = self._hub.bans.add(target, seconds)
        except BadEntry as bad:
            raise BadParameter(f"{target!r} {bad.problem}") from None
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
        except BadEntry as bad:
            raise BadParameter(f"{self.name!r} {bad.problem}") from None
        self._file.save()
        return None if name is None else {"unbanned": name}


class Kick(AdminPage):
    """``POST /kick?target=…``: close the connections of a home or an address, which come back."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions

    def do_POST(self, request: HttpRequest) -> Deferred[dict[str, Any] | None]:
        kicking = self._actions.kick(self.parameter(request, "target"))
        return kicking.addCallback(lambda count: {"closed": count} if count else None)


class LogLevelPage(AdminPage):
    """``/log-level``: the lowest level that is written; ``PUT`` with ``level`` sets it until a restart."""

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
    """``POST /drain``: stop as on SIGTERM, over the time ``over`` if given, else ``--drain-seconds``."""

    def __init__(self, drain: Callable[[float | None], float]) -> None:
        super().__init__()
        self._drain = drain

    def do_POST(self, request: HttpRequest) -> dict[str, Any]:
        return {"drainSeconds": self._drain(self.duration(request, "over"))}
