"""Connections, homes and sessions in JSON's types, unabridged, for the operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from typing import Any, TypeVar

from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.contest import Contest
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.hub import Hub
from ma_signaling.core.session import Session

MAX_PAGE = 200
"""The most entries of one answer: more would keep all connections waiting."""

Each = TypeVar("Each")


def page(
    items: Iterable[Each], name: Callable[[Each], str], after: str, limit: int
) -> tuple[list[Each], str | None]:
    """Return the first ``limit`` items by name after ``after``, and the last one's name if there are more."""
    limit = max(1, min(limit, MAX_PAGE))
    found = nsmallest(limit + 1, (each for each in items if name(each) > after), key=name)
    return found[:limit], name(found[limit - 1]) if len(found) > limit else None


class Views:
    """Views of the content of ``hub``; ``seconds`` is its clock."""

    def __init__(self, hub: Hub, seconds: Callable[[], float]) -> None:
        self._hub = hub
        self._seconds = seconds

    def home(self, home: Home) -> dict[str, Any]:
        """Return a home's entry in a list."""
        sessions = self._hub.sessions
        view: dict[str, Any] = {
            "remoteId": home.remote_id,
            "state": home.state.value,
            "sessions": len(sessions.of(home)) + len(sessions.remote.of(home)),
        }
        if home.connection is not None and home.state is HomeState.LOCAL:
            view |= self.connection(home.connection)
        return view

    def whole_home(self, home: Home) -> dict[str, Any]:
        """Return a home with its sessions."""
        sessions = [self.session(each) for each in self._hub.sessions.of(home)]
        view = {**self.home(home), "sessionList": sessions[:MAX_PAGE]}
        contest = self._hub.registry.contests.by_remote_id.get(home.remote_id)
        if contest is not None:
            view["contest"] = self.contest(contest)
        return view

    def session(self, session: Session) -> dict[str, Any]:
        """Return a session's entry in a list."""
        return {
            "id": session.id,
            "remoteId": session.home.remote_id,
            "state": session.state.value,
            "negotiation": session.negotiation.value,
            "address": session.client.address.text,
            "connection": session.client.id,
            "seconds": round(self._seconds() - session.requested_at, 1),
        }

    def connection(self, connection: Connection) -> dict[str, Any]:
        """Return a connection's ID, address and age."""
        return {
            "connection": connection.id,
            "address": connection.address.text,
            "seconds": round(self._seconds() - connection.since, 1),
        }

    def addresses(self, limit: int) -> Iterator[dict[str, Any]]:
        """Yield address keys with their connections, those with most first."""
        connections = self._hub.connections()
        counts = Counter(connection.address.key for connection in connections)
        most = dict(counts.most_common(max(1, min(limit, MAX_PAGE))))
        roles = Counter(
            (connection.address.key, connection.role)
            for connection in connections
            if connection.address.key in most
        )
        now = self._seconds()
        for key, count in most.items():
            yield {
                "address": key,
                "connections": count,
                "homes": roles[key, Role.HOME],
                "clients": roles[key, Role.CLIENT],
                "blockedSeconds": round(self._hub.limits.guessing.blocked_for(key, now)),
            }

    def contest(self, contest: Contest) -> dict[str, Any]:
        """Return a contest: its phase, what the probe has shown, and the newcomers."""
        return {
            "remoteId": contest.remote_id,
            "phase": contest.phase.name.lower(),
            "holder": contest.probe.life.name.lower(),
            "newcomers": [each.key for each in contest.contenders],
        }
