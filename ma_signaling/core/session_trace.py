"""Traces of sessions: times and counts of fixed size, without addresses or descriptions."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum

from ma_signaling.core.candidate_counts import MAX_COUNT, PLACES, count, named

REMEMBERED = 600.0
"""Seconds for which a session's trace can be asked for after its end."""


class End(StrEnum):
    """How a session ended."""

    CLIENT_LEFT = "client-left"
    CLIENT_LOST = "client-lost"
    CLIENT_ASKED_AGAIN = "client-asked-again"
    HOME_LEFT = "home-left"
    HOME_LOST = "home-lost"
    PARK_EXPIRED = "park-expired"
    UNKNOWN_HOME = "unknown-home"
    UNANSWERED = "unanswered"
    CROWDED_OUT = "crowded-out"
    SERVER_STOPPED = "server-stopped"

    @property
    def by(self) -> str:
        """Who ended it: ``client``, ``home`` or ``server``."""
        side = self.value.partition("-")[0]
        return side if side in ("client", "home") else "server"


class Side:
    """What one side, the client or the home, has sent."""

    __slots__ = ("described_at", "first_candidate_at", "in_sdp", "last_candidate_at", "trickled")

    def __init__(self) -> None:
        self.described_at: float | None = None
        """When its first offer or answer came."""
        self.first_candidate_at: float | None = None
        self.last_candidate_at: float | None = None
        self.trickled = bytearray(PLACES)
        self.in_sdp = bytearray(PLACES)

    def sent(self, kind: str, places: bytes, now: float) -> None:
        """Note that an offer, an answer, or one or more candidates (``kind``) were forwarded.

        ``places`` has a byte for each candidate, as ``candidate_counts.places`` returns them.
        """
        if kind == "ice-candidate":
            if self.first_candidate_at is None:
                self.first_candidate_at = now
            self.last_candidate_at = now
            trickled = self.trickled
            # ``count`` inlined, for speed.
            for place in places:
                if trickled[place] < MAX_COUNT:
                    trickled[place] += 1
            return
        if self.described_at is None:
            self.described_at = now
        # Not added up: the latest description lists all candidates that are known by then.
        self.in_sdp = bytearray(PLACES)
        count(self.in_sdp, places)

    def has(self, type: str) -> bool:
        """Return whether it sent a candidate of this type."""
        return any(name.startswith(f"{type}/") for name in (*named(self.trickled), *named(self.in_sdp)))

    def has_any(self) -> bool:
        """Return whether it sent any candidate, other than the empty one that ends them."""
        return any(self.trickled[:-1]) or any(self.in_sdp[:-1])


class SessionTrace:
    """The trace of one session. Times are in seconds by the hub's clock; None: it has not happened."""

    __slots__ = (
        "announced_at",
        "client",
        "connected_at",
        "end",
        "ended_at",
        "home",
        "home_lost_at",
        "home_returned_at",
        "is_ready",
        "requested_at",
    )

    def __init__(self, now: float) -> None:
        self.requested_at = now
        self.announced_at: float | None = None
        self.connected_at: float | None = None
        self.is_ready = False
        """Whether the home said ``session-ready`` before the client was told ``connected``."""
        self.home_lost_at: float | None = None
        """When the home's connection broke; ``home_returned_at`` is None until it is back."""
        self.home_returned_at: float | None = None
        self.ended_at: float | None = None
        self.end: End | None = None
        self.client = Side()
        self.home = Side()

    @property
    def home_is_away(self) -> bool:
        """Whether the home's connection is broken now."""
        return self.home_lost_at is not None and self.home_returned_at is None

    def announced(self, now: float) -> None:
        """Note that the home was told of the session, maybe again."""
        if self.announced_at is None:
            self.announced_at = now

    def home_lost(self, now: float) -> None:
        """Note that the home's connection broke."""
        self.home_lost_at, self.home_returned_at = now, None

    def home_returned(self, now: float) -> None:
        """Note that the home is connected again, if it was away."""
        if self.home_is_away:
            self.home_returned_at = now

    def connected(self, is_ready: bool, now: float) -> None:
        """Note that the client was told ``connected``."""
        self.connected_at, self.is_ready = now, is_ready

    def ended(self, end: End, now: float) -> None:
        """Note how the session ended."""
        self.ended_at, self.end = now, end


class SessionTraces:
    """Traces by session ID, of current and recently ended sessions: the latest ``max_traces``."""

    def __init__(self, max_traces: int) -> None:
        self._max_traces = max_traces
        # Not dicts, which pass over all deleted items to find their oldest one.
        self._under_way: OrderedDict[str, SessionTrace] = OrderedDict()
        self._ended: OrderedDict[str, SessionTrace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._under_way) + len(self._ended)

    def begin(self, session_id: str, now: float) -> SessionTrace | None:
        """Return a trace for a new session, None if traces are off."""
        if not self._max_traces:
            return None
        self._forget(now)
        while len(self) >= self._max_traces:
            # Those that ended first go first, then those that began first.
            (self._ended or self._under_way).popitem(last=False)
        trace = self._under_way[session_id] = SessionTrace(now)
        return trace

    def ended(self, session_id: str, now: float) -> None:
        """Keep the trace of a session that has ended for ``REMEMBERED`` seconds."""
        trace = self._under_way.pop(session_id, None)
        if trace is not None:
            self._forget(now)
            self._ended[session_id] = trace

    def forget(self, session_id: str) -> None:
        """Forget the trace of a session that is under way."""
        self._under_way.pop(session_id, None)

    def find(self, session_id: str, now: float) -> SessionTrace | None:
        """Return the trace of a session, None if it is unknown or forgotten."""
        self._forget(now)
        return self._under_way.get(session_id) or self._ended.get(session_id)

    def _forget(self, now: float) -> None:
        while self._ended:
            trace = next(iter(self._ended.values()))
            if trace.ended_at is None or trace.ended_at > now - REMEMBERED:
                break
            self._ended.popitem(last=False)
