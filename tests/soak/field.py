"""``python -m tests.soak.field`` (``make field``): the cases of ``field_cases`` with their real delays, some 4 minutes.

Prints the outcomes as a table in Markdown. Exits with 1 if a case failed.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable

from ma_signaling.testing import loopback_only
from tests.soak import field_cases as cases
from tests.support.server_process import ServerProcess

Case = Callable[[ServerProcess], Awaitable[str]]

TOGETHER: list[Case] = [
    cases.break_before_answer,
    cases.break_of_trickling_home,
    cases.break_after_candidate,
    cases.outage_of_a_minute,
    cases.third_attempt,
    cases.burst_and_late_candidate,
    cases.no_answer,
    cases.party,
    cases.missing_index,
    cases.hyphens,
]
"""Cases that share a server."""

ALONE: list[Case] = [cases.restart, cases.suspended]
"""Cases that each need a server of their own."""


async def play(case: Case, server: ServerProcess) -> tuple[str, bool]:
    """Play one case; return its line of the table, and whether it went well."""
    what = (case.__doc__ or "").partition("\n")[0].rstrip(".")
    try:
        return f"| {what} | {await case(server)} |", True
    except Exception:  # noqa: BLE001 - the others go on, and each is told
        traceback.print_exc()
        return f"| {what} | **failed** |", False


async def main() -> bool:
    """Play all cases; return whether all went well."""
    servers = [ServerProcess() for _ in range(1 + len(ALONE))]
    try:
        for server in servers:
            await asyncio.to_thread(server.start)
        played = await asyncio.gather(
            *(play(case, servers[0]) for case in TOGETHER),
            *(play(case, server) for case, server in zip(ALONE, servers[1:], strict=True)),
        )
    finally:
        for server in servers:
            await asyncio.to_thread(server.close)
    lines = ["| what happens | what came of it |", "| --- | --- |", *(line for line, _ in played)]
    print(*lines, sep="\n")  # noqa: T201 - it was asked for
    return all(is_well for _, is_well in played)


if __name__ == "__main__":
    with loopback_only():
        sys.exit(not asyncio.run(main()))
