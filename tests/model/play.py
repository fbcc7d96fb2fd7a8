"""Plays other games against the models than the tests do, on all processors: ``python -m tests.model.play 500``.

It prints a line for each hundred games. A failing game is printed immediately, and again in its shortest form.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from hypothesis import Phase, seed

from tests.model import machine
from tests.model.cluster_machine import FaultyMachine, PeersMachine
from tests.model.hub_machine import HubMachine, LimitedMachine
from tests.model.leaving_machine import LeavingMachine

KINDS: tuple[type[machine.Machine], ...] = (
    HubMachine,
    LimitedMachine,
    LeavingMachine,
    PeersMachine,
    FaultyMachine,
)
BATCH = 100
"""Games between two lines."""

PATIENCE = 600
"""Seconds after which a batch counts as hung, and its stack is printed."""


def tell(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def play(kind: type[machine.Machine], games: int, number: int, *phases: Phase) -> str:
    """Play the games of a seed; return how one of them failed, or nothing."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    try:
        machine.play(seed(number)(type(kind.__name__, (kind,), {})), games, is_same=False, phases=phases)
    except Exception as error:  # noqa: BLE001 - whatever the model or the core raises is what is looked for
        return "".join(traceback.format_exception(error))
    finally:
        faulthandler.cancel_dump_traceback_later()
    return ""


def play_all(games: int, first: int) -> int:
    """Play ``games`` games of each kind; return how many batches failed."""
    began, played, failed = time.monotonic(), Counter[str](), set[str]()
    failures = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs: dict[Future[str], tuple[type[machine.Machine], int, int]] = {}
        for kind in KINDS:
            for start in range(0, games, BATCH):
                batch = kind, min(BATCH, games - start), first + start
                jobs[pool.submit(play, *batch, Phase.generate)] = batch
        shortened: dict[Future[str], str] = {}
        for job in as_completed(jobs):
            kind, size, number = jobs[job]
            name = kind.__name__
            played[name] += size
            seconds = time.monotonic() - began
            tell(f"{seconds:5.0f} s: {name}, {played[name]} of {games} games")
            if not job.result():
                continue
            failures += 1
            tell(f"{job.result()}A game of {name} failed: seed {number}")
            if name not in failed:
                failed.add(name)
                shortened[pool.submit(play, kind, size, number, *machine.SHORTENING)] = (
                    f"{name}, seed {number}"
                )
        if shortened:
            tell(f"Shortening {len(shortened)} of {failures} games: at most five minutes each")
        for job in as_completed(shortened):
            tell(f"{shortened[job]}, as short as can be:\n{job.result()}")
    return failures


def main() -> int:
    """Play as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("games", type=int, help="of each kind")
    parser.add_argument(
        "seed", type=int, nargs="?", help="of the first batch; as many as there are games follow"
    )
    arguments = parser.parse_args()
    first = arguments.seed if arguments.seed is not None else random.randrange(10**9)
    tell(f"{arguments.games} games of each kind, from seed {first} on")
    return 1 if play_all(arguments.games, first) else 0


if __name__ == "__main__":
    sys.exit(main())
