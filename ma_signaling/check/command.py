"""``ma-signaling check``: one round of checks, or repeated rounds, and the exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from ma_signaling.check import command_line, printing
from ma_signaling.check.handshake_answers import explain_failure
from ma_signaling.check.outcome import Status, Stop, Tell, printable, unknown
from ma_signaling.check.printing import OutputClosed
from ma_signaling.check.run import Check


def main(arguments: Sequence[str]) -> int:
    """Check a home, print the result, and return the exit status."""
    is_json = command_line.wants_json(arguments)
    # Libraries log for developers; without a handler, Python would print that among the results.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        status = _main(arguments, is_json=is_json)
    except KeyboardInterrupt:
        return int(Status.UNKNOWN)
    except OutputClosed:
        status = Status.UNKNOWN
        printing.forget_output()
    return int(status)


def _main(arguments: Sequence[str], *, is_json: bool) -> Status:
    try:
        given = command_line.parse(arguments)
        return asyncio.run(_rounds(given))
    except Stop as mistake:
        text = printable(mistake.text)
    except OutputClosed:
        raise
    except Exception as problem:  # noqa: BLE001 - a fault of this program says nothing about the home
        text = printable(f"the check itself failed: {problem!r}")
    printing.write((printing.failure_as_json(text) if is_json else f"UNKNOWN - {text}") + "\n")
    return Status.UNKNOWN


async def _rounds(given: command_line.Given) -> Status:
    worst = await _round(given)
    while given.watch is not None:
        await asyncio.sleep(given.watch)
        worst = await _round(given)
    return worst


async def _round(given: command_line.Given) -> Status:
    """Check by each address of the server, or by any, and print the results. Return the worst status."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty() and not given.json and given.watch is None
    colours = "NO_COLOR" not in os.environ
    worst = Status.OK
    for address in await _addresses(given):
        tell: Tell = printing.Progress(sys.stdout, colours=colours) if is_terminal else printing.Silence()
        check = Check(
            given.urls,
            given.remote_id,
            given.timeout,
            given.warning,
            given.webrtc,
            given.trust,
            tell,
            address=address,
        )
        await check.run()
        worst = max(worst, check.status)
        if given.json:
            lines = [printing.as_json(check)]
        else:
            lines = printing.as_lines(check, with_steps=not is_terminal and given.watch is None)
        if given.watch is not None and not given.json:
            lines[0] = f"{printing.now()} {lines[0]}"
        printing.write("\n".join(lines) + "\n")
    return worst


async def _addresses(given: command_line.Given) -> list[str]:
    if not given.each_address:
        return [""]
    host = urlsplit(given.urls[0]).hostname
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as problem:
        unknown(explain_failure(given.urls[0], problem))
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
