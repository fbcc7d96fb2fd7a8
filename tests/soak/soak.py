"""Honest and hostile load on the real server, and whether it is as before afterwards: ``python -m tests.soak.soak``.

What it does and promises is described in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import aiohttp

from tests.soak.clients import party, resident
from tests.soak.ground import Ground
from tests.soak.homes import Home
from tests.soak.hostile import TRICKS, again_and_again
from tests.soak.report import Measure, blocks_in, broken_promises, measure, table
from tests.support.server_process import ServerProcess

HOMES = 30
STEADY = 12
"""Homes among them that are never away, and that the hostile ones turn to."""

RESIDENTS = 2
"""Clients of each home."""

QUIET = 75.0
"""Seconds after which limits (60), grace (45) and keep-alive (60) must have let go of everything."""

TRACES = 500
"""Sessions that are remembered for ten minutes: so few that they fill up in the warm-up, and no load adds to them."""

OVERTIME = 150.0
"""Seconds that actors may take to end what they have begun."""


async def play(ground: Ground, seconds: float) -> None:
    """Let everybody play for so long, and end what they have begun."""
    ground.begin(seconds)
    homes = [Home(ground, steady=number < STEADY) for number in range(HOMES)]
    host = Home(ground, steady=False)
    await asyncio.gather(*(home.arrive() for home in (*homes, host)))
    async with asyncio.timeout(seconds + OVERTIME), asyncio.TaskGroup() as actors:
        for home in (*homes, host):
            actors.create_task(home.live())
        for home in homes:
            for _ in range(RESIDENTS):
                actors.create_task(resident(ground, home))
        actors.create_task(party(ground, host))
        for trick, rest in TRICKS:
            actors.create_task(again_and_again(ground, homes[:STEADY], trick, rest))
    await asyncio.gather(*(home.leave() for home in (*homes, host)))


async def soak(server: ServerProcess, seconds: float) -> int:
    """Warm-up, quiet, load, quiet, verdict: the exit status."""
    measures: dict[str, Measure] = {"at start": await asyncio.to_thread(measure, server)}
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as web:
        ground = Ground(server.port, web)
        for name, part in (("warm-up", seconds / 2), ("load", seconds / 2)):
            say(f"{name}: {part:.0f} s, then {QUIET:.0f} s of quiet")
            await play(ground, part)
            measures[f"end of {name}"] = await asyncio.to_thread(measure, server)
            await asyncio.sleep(QUIET)
            measures[f"quiet after {name}"] = await asyncio.to_thread(measure, server)
        for writer in ground.left_open:
            writer.transport.abort()
    log = server.log()
    say(table(ground, measures, log))
    warm, after = measures["quiet after warm-up"], measures["quiet after load"]
    broken = broken_promises(ground, measures["at start"], warm, after, log, blocks_in(log))
    for promise in broken:
        say(f"BROKEN {promise}")
    say(
        "failed"
        if broken
        else f"passed: memory at {after.memory / warm.memory:.1%} of that after the warm-up"
    )
    return 1 if broken else 0


def say(text: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=300.0, help="warm-up and load together")
    seconds = parser.parse_args().seconds
    if not 10 <= seconds <= 86400:
        parser.error("between 10 seconds and a day, please")
    begun = time.monotonic()
    # Its report tells of tracebacks.
    with ServerProcess("--start-grace", "0", "--session-traces", str(TRACES), may_fail=True) as server:
        status = asyncio.run(soak(server, seconds))
        if (stopped := server.stop()) != 0:
            say(f"BROKEN the server ended with {stopped}")
            status = 1
    say(f"took {time.monotonic() - begun:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
