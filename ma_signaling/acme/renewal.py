"""When to ask a CA for a certificate (RFC 8555), and when for its advice (RFC 9773).

Pure: the time is passed in, in seconds of Unix time. It is the calendar's, since certificates end by the calendar.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

import orjson

FIRST_RETRY = 60.0
"""Seconds after a first failure, which may be a name that was not known yet."""

NEXT_RETRY = 300.0
"""After the second; then doubled. So a CA is asked five times in the first hour, which is what Let's Encrypt allows."""

LONGEST_RETRY = 12 * 3600.0

SUCCESS_RETRY = 3600.0
"""After a success, should the new certificate be due at once: by its names, the clock, or the CA's advice."""

RELOAD_RETRY = 5.0
"""After the last attempt, when somebody asks for another one."""

DAY = 24 * 3600.0
"""No wait is longer: what says otherwise comes from a clock that was wrong."""

SHORTEST_ADVICE = 60.0
"""Seconds until a CA is asked for advice again, whatever it says itself; a day is the longest."""

LOOK_SECONDS = 60.0
"""How often to think again at least, as the clock may be set."""

CHALLENGES = ("tls-alpn-01", "http-01")


@dataclass(frozen=True, slots=True)
class Held:
    """The certificate that is there."""

    begin: float
    end: float
    names: frozenset[str]
    id: str
    """What tells it from every other one."""


@dataclass(slots=True)
class Record:
    """What must not be forgotten at a restart, or a server that starts again and again would hammer its CA."""

    wanted: str = ""
    """Names and CA that it is about; for others all begins anew."""
    failures: int = 0
    """Attempts since the last success; the one that is under way counts."""
    begun_at: float = 0.0
    """When the last attempt was."""
    retry_at: float = 0.0
    limited_until: float = 0.0
    """Until when the CA wants to hear nothing."""
    advised_for: str = ""
    """The certificate that the next two are about."""
    renew_at: float | None = None
    """When the CA wants it to be renewed."""
    ask_at: float = 0.0
    """When to ask for advice the next time."""

    @classmethod
    def parse(cls, content: bytes) -> Record:
        """Return what ``as_json`` has written. Raises ValueError for what is no object; what is strange is left out."""
        data = orjson.loads(content)
        if not isinstance(data, dict):
            raise ValueError("no object")
        known: dict[str, Any] = {}
        for each in fields(cls):
            value = data.get(each.name)
            if isinstance(each.default, int):
                is_right = isinstance(value, int) and value >= 0
            else:
                is_right = isinstance(value, str if isinstance(each.default, str) else (int, float))
            if is_right:
                known[each.name] = value
        return cls(**known)

    def as_json(self) -> bytes:
        """Return it for a file."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)

    def begin(self, now: float) -> None:
        """Count an attempt, before it is made: one that ends with the process has been made too."""
        self.failures += 1
        self.begun_at = now
        self.retry_at = now + _wait(self.failures)

    def refused(self, now: float, retry_after: float | None) -> None:
        """The CA has said when it may be asked again."""
        if retry_after is not None:
            self.limited_until = now + min(retry_after, DAY)

    def succeeded(self, now: float, due: float) -> None:
        """There is a new certificate, which is ``due`` to be replaced then: not at once in any case."""
        self.failures = 0
        self.limited_until = 0.0
        self.retry_at = self.begun_at + SUCCESS_RETRY
        if due > now:
            self.retry_at = min(self.retry_at, due)

    def retry_now(self) -> None:
        """Somebody has mended something: don't wait, but for what the CA has said."""
        self.retry_at = min(self.retry_at, self.begun_at + RELOAD_RETRY)

    def advise(self, now: float, id: str, renew_at: float | None, ask_at: float) -> None:
        """Keep the CA's advice for the certificate ``id``."""
        self.advised_for, self.renew_at = id, renew_at
        self.ask_at = min(max(ask_at, now + SHORTEST_ADVICE), now + DAY)

    def challenges(self) -> Sequence[str]:
        """Return the kinds of challenges, in the order in which to try them: each attempt begins with another one."""
        first = max(0, self.failures - 1) % len(CHALLENGES)
        return (*CHALLENGES[first:], *CHALLENGES[:first])

    def waits_until(self, now: float) -> float:
        """Return when the next attempt may be made."""
        until = max(self.retry_at, self.limited_until)
        return until if until <= now + DAY else now


class Step(Enum):
    """What to do."""

    ISSUE = "issue"
    ADVISE = "advise"
    """Ask the CA when it wants the certificate to be renewed."""
    WAIT = "wait"


def next_step(held: Held | None, wanted: Collection[str], record: Record, now: float) -> tuple[Step, float]:
    """Return what to do now, and in how many seconds to ask again where that is to wait."""
    due = due_at(held, wanted, record)
    if due <= now:
        start = record.waits_until(now)
        return (Step.ISSUE, 0.0) if start <= now else (Step.WAIT, min(start - now, LOOK_SECONDS))
    assert held is not None
    if record.advised_for != held.id or not now < record.ask_at <= now + DAY:
        return Step.ADVISE, 0.0
    return Step.WAIT, min(due - now, record.ask_at - now, LOOK_SECONDS)


def due_at(held: Held | None, wanted: Collection[str], record: Record) -> float:
    """Return when a new certificate is wanted: a third of the lifetime before the end, or when the CA says."""
    if held is None or not frozenset(wanted) <= held.names:
        return 0.0
    due = held.end - (held.end - held.begin) / 3
    if record.advised_for == held.id and record.renew_at is not None:
        return min(due, record.renew_at)
    return due


def _wait(failures: int) -> float:
    if failures == 1:
        return FIRST_RETRY
    return min(NEXT_RETRY * (1 << min(failures - 2, 16)), LONGEST_RETRY)
