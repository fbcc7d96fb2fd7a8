"""When to ask a CA for a certificate (RFC 8555), and when for renewal advice (RFC 9773).

Pure: times are passed in, as Unix times. They are calendar times, since certificates expire by the calendar.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

import orjson

FIRST_RETRY = 60.0
"""Seconds after the first failure: the name may have been too new for DNS."""

NEXT_RETRY = 300.0
"""Seconds after the second failure; then doubled. So a CA is asked five times in the first hour, as Let's Encrypt
allows."""

LONGEST_RETRY = 12 * 3600.0

SUCCESS_RETRY = 3600.0
"""Seconds after a success, if the new certificate is already due: by its names, the clock, or the CA's advice."""

RELOAD_RETRY = 5.0
"""Seconds after the last attempt, if the operator asks for another one."""

DAY = 24 * 3600.0
"""The longest wait: a longer one comes from a clock that was wrong."""

SHORTEST_ADVICE = 60.0
"""The least seconds until a CA is asked for advice again, whatever it says; a day is the most."""

LOOK_SECONDS = 60.0
"""How often to decide again, at least, since the clock may be set."""

CHALLENGES = ("tls-alpn-01", "http-01")


@dataclass(frozen=True, slots=True)
class Held:
    """The current certificate."""

    begin: float
    end: float
    names: frozenset[str]
    id: str
    """Identifies the certificate."""


@dataclass(slots=True)
class Record:
    """State that must survive restarts, or a server that keeps restarting would hammer its CA."""

    wanted: str = ""
    """The names and the CA of this record; for others a new one begins."""
    failures: int = 0
    """Attempts since the last success, including the current one."""
    begun_at: float = 0.0
    """When the last attempt began."""
    retry_at: float = 0.0
    limited_until: float = 0.0
    """Until when the CA doesn't want to be asked."""
    advised_for: str = ""
    """The certificate that ``renew_at`` and ``ask_at`` are about."""
    renew_at: float | None = None
    """When the CA wants that certificate to be renewed."""
    ask_at: float = 0.0
    """When to ask for advice again."""

    @classmethod
    def parse(cls, content: bytes) -> Record:
        """Return the record in ``content``, without invalid values. Raises ValueError if it is no JSON object."""
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
        """Return the record as JSON for a file."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)

    def begin(self, now: float) -> None:
        """Count an attempt before it is made, so that one that ends with the process counts, too."""
        self.failures += 1
        self.begun_at = now
        self.retry_at = now + _wait(self.failures)

    def refused(self, now: float, retry_after: float | None) -> None:
        """Note when the CA may be asked again, if it said so."""
        if retry_after is not None:
            self.limited_until = now + min(retry_after, DAY)

    def succeeded(self, now: float, due: float) -> None:
        """Note a new certificate, which is ``due`` for renewal then, but never immediately."""
        self.failures = 0
        self.limited_until = 0.0
        self.retry_at = self.begun_at + SUCCESS_RETRY
        if due > now:
            self.retry_at = min(self.retry_at, due)

    def retry_now(self) -> None:
        """Shorten the wait, since the operator may have fixed something; the CA's own wait stays."""
        self.retry_at = min(self.retry_at, self.begun_at + RELOAD_RETRY)

    def advise(self, now: float, id: str, renew_at: float | None, ask_at: float) -> None:
        """Keep the CA's advice for the certificate ``id``."""
        self.advised_for, self.renew_at = id, renew_at
        self.ask_at = min(max(ask_at, now + SHORTEST_ADVICE), now + DAY)

    def challenges(self) -> Sequence[str]:
        """Return the kinds of challenges in the order to try them, which changes with each attempt."""
        first = max(0, self.failures - 1) % len(CHALLENGES)
        return (*CHALLENGES[first:], *CHALLENGES[:first])

    def waits_until(self, now: float) -> float:
        """Return when the next attempt may be made."""
        until = max(self.retry_at, self.limited_until)
        return until if until <= now + DAY else now


class Step(Enum):
    """The next thing to do."""

    ISSUE = "issue"
    ADVISE = "advise"
    """Ask the CA when it wants the certificate to be renewed."""
    WAIT = "wait"


def next_step(held: Held | None, wanted: Collection[str], record: Record, now: float) -> tuple[Step, float]:
    """Return what to do now; for ``WAIT``, also in how many seconds to decide again."""
    due = due_at(held, wanted, record)
    if due <= now:
        start = record.waits_until(now)
        return (Step.ISSUE, 0.0) if start <= now else (Step.WAIT, min(start - now, LOOK_SECONDS))
    assert held is not None
    if record.advised_for != held.id or not now < record.ask_at <= now + DAY:
        return Step.ADVISE, 0.0
    return Step.WAIT, min(due - now, record.ask_at - now, LOOK_SECONDS)


def due_at(held: Held | None, wanted: Collection[str], record: Record) -> float:
    """Return when to renew: a third of the lifetime before the end, or earlier if the CA says so; 0.0 if now."""
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
