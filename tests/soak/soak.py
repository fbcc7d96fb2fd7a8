"""``python -m tests.soak.soak``: honest and hostile load on the real server, which must be as before afterwards.

docs/reliability.md describes the load and the promises.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from tests.soak.clients import party, resident
from tests.soak.ground import Ground
from tests.soak.homes import Home
from tests.soak.hostile import TRICKS, again_and_again
from tests.soak.report import Measure, blocks_in, broken_promises, measure, table
from tests.support.certificates import Authority
from tests.support.free_ports import free_port
from tests.support.server_process import ServerProcess
from tests.support.tls_handshake import trusting

HOMES = 30
STEADY = 12
"""How many homes are never away; these are the targets of attackers."""

RESIDENTS = 2
"""Clients per home."""

QUIET = 75.0
"""Seconds after which nothing may be left of limits (60), grace (45) and keep-alive (60)."""

TRACES = 500
"""Sessions remembered for ten minutes: so few that the warm-up fills them, and the load adds none."""

OVERTIME = 150.0
"""Seconds that actors may take to end their actions."""


async def play(ground: Ground, seconds: float) -> None:
    """Let all actors play for ``seconds``, and then end their actions."""
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


async def soak(server: ServerProcess, seconds: float, port: int, tls: ssl.SSLContext | None) -> int:
    """Play warm-up, quiet, load and quiet on ``port``; return the verdict as the exit status."""
    measures: dict[str, Measure] = {"at start": await asyncio.to_thread(measure, server)}
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=tls or True)
    async with aiohttp.ClientSession(connector=connector) as web:
        ground = Ground(port, web, tls)
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
    """Print progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def prepared(*, is_secure: bool) -> Iterator[tuple[ServerProcess, int, ssl.SSLContext | None]]:
    """Yield a server, the port to play on, and the TLS context of connections to it (None: without TLS)."""
    options = ("--start-grace", "0", "--session-traces", str(TRACES))
    # It may fail, since the report tells of tracebacks.
    if not is_secure:
        with ServerProcess(*options, may_fail=True) as server:
            yield server, server.port, None
        return
    authority, port = Authority(), free_port()
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = Path(directory, "fullchain.pem"), Path(directory, "privkey.pem")
        authority.issue(certificate, key)
        tls = trusting(authority.root)
        # The certificate is for localhost, which may be two addresses.
        tls.check_hostname = False
        secure = ("--port", f"tcp:{port}:interface=127.0.0.1", "--tls-cert", str(certificate))
        with ServerProcess(
            *options, *secure, "--tls-key", str(key), plain="--http-port", may_fail=True
        ) as server:
            yield server, port, tls


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=300.0, help="warm-up and load together")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    given = parser.parse_args()
    seconds: float = given.seconds
    if not 10 <= seconds <= 86400:
        parser.error("between 10 seconds and a day, please")
    begun = time.monotonic()
    with prepared(is_secure=given.tls) as (server, port, tls):
        status = asyncio.run(soak(server, seconds, port, tls))
        if (stopped := server.stop()) != 0:
            say(f"BROKEN the server ended with {stopped}")
            status = 1
    say(f"took {time.monotonic() - begun:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
