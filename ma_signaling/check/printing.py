"""Printing a check: progress on a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from ma_signaling.check.outcome import Status, Step
from ma_signaling.check.run import Check

_COLOURS = {Status.OK: 32, Status.WARNING: 33, Status.CRITICAL: 31, Status.UNKNOWN: 35}
_MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.CRITICAL: "✗", Status.UNKNOWN: "?"}
_PLAIN_MARKS = {Status.OK: "+", Status.WARNING: "!", Status.CRITICAL: "x", Status.UNKNOWN: "?"}


class OutputClosed(Exception):
    """Raised if standard output can't be written: its reader is gone, or there is no space."""


def write(text: str) -> None:
    """Print to standard output and flush. Raises ``OutputClosed``."""
    try:
        # Foreign text may have characters that the terminal's encoding lacks.
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        raise OutputClosed from None


def forget_output() -> None:
    """Redirect standard output to nowhere, so that Python's exit doesn't fail to flush it."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays until the end


class Silence:
    """Shows no progress."""

    def begins(self, name: str) -> None: ...

    def ends(self, step: Step) -> None: ...


class Progress:
    """Shows the progress to a person at a terminal."""

    def __init__(self, out: TextIO, *, colours: bool) -> None:
        self._colours = colours
        self._dots, self._marks = "…", _MARKS
        try:
            "…✓✗".encode(out.encoding or "ascii")
        except UnicodeError:
            self._dots, self._marks = "...", _PLAIN_MARKS

    def begins(self, name: str) -> None:
        write(f"{self._dots} {name}")

    def ends(self, step: Step) -> None:
        mark = self._marks[step.status]
        if self._colours:
            mark = f"\x1b[{_COLOURS[step.status]}m{mark}\x1b[0m"
        write(f"\r\x1b[K{mark} {step.name}: {step.text} ({_duration(step.seconds)})\n")


def as_lines(check: Check, *, with_steps: bool) -> list[str]:
    """Return the status line with performance data, in Nagios's format, and optionally a line for each step."""
    times = " ".join(
        f"{step.key}={step.seconds:.3f}s" for step in check.steps if step.status <= Status.WARNING
    )
    where = f"{check.address}: " if check.address else ""
    first = f"{check.status.name} - {where}{check.headline}" + (f" | {times}" if times else "")
    steps = [
        f"{step.status.name} {step.name}: {step.text} ({_duration(step.seconds)})" for step in check.steps
    ]
    return [first, *(steps if with_steps else [])]


def as_json(check: Check) -> str:
    """Return the check as JSON (docs/check.schema.json)."""
    steps = [
        {
            "step": step.key,
            "status": step.status.name.lower(),
            "seconds": round(step.seconds, 3),
            "text": step.text,
        }
        for step in check.steps
    ]
    return _object(check.status, check.headline, check.remote_id, check.url, check.address or None, steps)


def failure_as_json(text: str) -> str:
    """Return JSON as ``as_json`` does, if there was no check at all."""
    return _object(Status.UNKNOWN, text, None, None, None, [])


def now() -> str:
    """Return the time of day, for a line of ``--watch``."""
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")


def _object(
    status: Status,
    text: str,
    remote_id: str | None,
    url: str | None,
    address: str | None,
    steps: list[dict[str, object]],
) -> str:
    found = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": status.name.lower(),
        "text": text,
        "remote_id": remote_id,
        "url": url,
        "address": address,
        "steps": steps,
    }
    # ASCII, which every encoding has.
    return json.dumps(found)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{max(1, round(1000 * seconds))} ms"
    return f"{seconds:.1f} s"
