"""The stories of sessions: remembered for a while, a bounded number of them, and told to who knows the session ID."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ma_signaling.core.candidates import named
from ma_signaling.core.trace import Side, Story
from ma_signaling.core.verdicts import verdict

REMEMBERED = 600.0
"""Seconds for which a session's story can be asked for after its end."""


class Stories:
    """The ``most`` latest stories by session ID; none if that is 0."""

    def __init__(self, most: int) -> None:
        self._most = most
        # These find their oldest at once; a dict searches for it among those that were deleted.
        self._under_way: OrderedDict[str, Story] = OrderedDict()
        self._ended: OrderedDict[str, Story] = OrderedDict()

    def __len__(self) -> int:
        return len(self._under_way) + len(self._ended)

    def begin(self, session_id: str, now: float) -> Story | None:
        """The story of a new session, to be written on; None where none are kept."""
        if not self._most:
            return None
        self._forget(now)
        while len(self) >= self._most:
            # Those that ended first, then those that began first.
            (self._ended or self._under_way).popitem(last=False)
        story = self._under_way[session_id] = Story(now)
        return story

    def ended(self, session_id: str, now: float) -> None:
        """A session is over; its story is remembered for a while."""
        story = self._under_way.pop(session_id, None)
        if story is not None:
            self._forget(now)
            self._ended[session_id] = story

    def forget(self, session_id: str) -> None:
        """Remember a session no longer."""
        self._under_way.pop(session_id, None)

    def tell(self, session_id: str, now: float) -> dict[str, Any] | None:
        """A story as ``GET /api/sessions/S`` answers with it; None where it isn't known (any more)."""
        self._forget(now)
        story = self._under_way.get(session_id) or self._ended.get(session_id)
        return None if story is None else describe(story, now)

    def _forget(self, now: float) -> None:
        while self._ended:
            story = next(iter(self._ended.values()))
            if story.ended_at is None or story.ended_at > now - REMEMBERED:
                break
            self._ended.popitem(last=False)


def describe(story: Story, now: float) -> dict[str, Any]:
    """A story in JSON's types, for docs/protocol.md: times in whole milliseconds since the request."""

    def since(at: float | None) -> int | None:
        return None if at is None else round(1000 * (at - story.requested_at))

    def side(side: Side, description: str) -> dict[str, Any]:
        return _without_none(
            {
                description: since(side.described_at),
                "firstCandidate": since(side.first_candidate_at),
                "lastCandidate": since(side.last_candidate_at),
                "trickled": named(side.trickled),
                "inSdp": named(side.in_sdp),
            }
        )

    code, text = verdict(story)
    return _without_none(
        {
            "age": since(now),
            "announced": since(story.announced_at),
            "connected": since(story.connected_at),
            "ready": story.is_ready if story.connected_at is not None else None,
            "homeLost": since(story.home_lost_at),
            "homeReturned": since(story.home_returned_at),
            "ended": since(story.ended_at),
            "endedBy": story.end.by if story.end else None,
            "end": story.end,
            "client": side(story.client, "offer"),
            "home": side(story.home, "answer"),
            "verdict": {"code": code, "text": text},
        }
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
