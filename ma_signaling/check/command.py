"""The command line, and what it prints: progress on a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import orjson

from ma_signaling.check.answers import websocket_url
from ma_signaling.check.outcome import Status, Step, Tell
from ma_signaling.check.run import Check
from ma_signaling.config.declaration import CHECK_URL_VARIABLE

OFFICIAL_URL = "wss://signaling.music-assistant.io/ws"

_MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.CRITICAL: "✗", Status.UNKNOWN: "?"}
_COLOURS = {Status.OK: 32, Status.WARNING: 33, Status.CRITICAL: 31, Status.UNKNOWN: 35}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """A mistake says nothing about the home: 3, where argparse would exit with 2, which means critical."""
        self.print_usage(sys.stderr)
        print(f"UNKNOWN - {message}")  # noqa: T201
        raise SystemExit(int(Status.UNKNOWN))


class Silence:
    """Tells nothing until the end."""

    def begins(self, name: str) -> None: ...

    def is_over(self, step: Step) -> None: ...


class Progress:
    """Tells a person at a terminal."""

    def __init__(self, out: TextIO, *, colours: bool) -> None:
        self._out = out
        self._colours = colours

    def begins(self, name: str) -> None:
        self._out.write(f"… {name}")
        self._out.flush()

    def is_over(self, step: Step) -> None:
        mark = _MARKS[step.status]
        if self._colours:
            mark = f"\x1b[{_COLOURS[step.status]}m{mark}\x1b[0m"
        self._out.write(f"\r\x1b[K{mark} {step.name}: {step.text} ({_duration(step.seconds)})\n")


def main(arguments: Sequence[str]) -> int:
    """Check a home, print what was found, and return the exit status."""
    given = _parse(arguments)
    is_terminal = sys.stdout.isatty() and not given.json
    colours = "NO_COLOR" not in os.environ
    tell: Tell = Progress(sys.stdout, colours=colours) if is_terminal else Silence()
    check = Check(given.url, given.remote_id, given.timeout, given.warning, given.webrtc, tell)
    try:
        asyncio.run(check.run())
    except KeyboardInterrupt:
        return int(Status.UNKNOWN)
    except Exception as problem:  # noqa: BLE001 - a fault of this program says nothing about the home
        sys.stdout.write(f"UNKNOWN - the check itself failed: {problem!r}\n")
        return int(Status.UNKNOWN)
    if given.json:
        sys.stdout.write(as_json(check) + "\n")
    else:
        sys.stdout.write("\n".join(as_lines(check, with_steps=not is_terminal)) + "\n")
    return int(check.status)


def as_lines(check: Check, *, with_steps: bool) -> list[str]:
    """The status line with performance data, as Nagios reads it, and maybe a line for each step."""
    times = " ".join(
        f"{_label(step)}={step.seconds:.3f}s" for step in check.steps if step.status <= Status.WARNING
    )
    first = f"{check.status.name} - {check.headline}" + (f" | {times}" if times else "")
    steps = [
        f"{step.status.name} {step.name}: {step.text} ({_duration(step.seconds)})" for step in check.steps
    ]
    return [first, *(steps if with_steps else [])]


def as_json(check: Check) -> str:
    """All of it, for programs."""
    steps = [
        {
            "step": _label(step),
            "status": step.status.name.lower(),
            "seconds": round(step.seconds, 3),
            "text": step.text,
        }
        for step in check.steps
    ]
    found = {"status": check.status.name.lower(), "text": check.headline, "url": check.url, "steps": steps}
    return orjson.dumps(found).decode()


def _parse(arguments: Sequence[str]) -> Any:
    parser = _Parser(
        prog="ma-signaling check",
        description="Reach for a home as the app does. Exit status: 0 OK, 1 warning, 2 critical, 3 unknown.",
    )
    parser.add_argument("remote_id", metavar="REMOTE-ID")
    parser.add_argument(
        "--url",
        type=_url,
        default=os.environ.get(CHECK_URL_VARIABLE) or OFFICIAL_URL,
        help=f"the signaling server that the home uses [default: ${CHECK_URL_VARIABLE}, or {OFFICIAL_URL}]",
    )
    parser.add_argument("--webrtc", action="store_true", help="go all the way to an open data channel")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--warning",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="warn where the home takes longer to get ready [default: 5]",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="for each step [default: 30]"
    )
    return parser.parse_args(arguments)


def _url(text: str) -> str:
    try:
        return websocket_url(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("it must be a number of seconds up to 3600")
    return value


def _label(step: Step) -> str:
    return step.name.lower().replace(" ", "_")


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
