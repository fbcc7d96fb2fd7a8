"""Measurements of the server from outside, the promises about it, and both as a table."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.soak.ground import Ground
from tests.support.server_process import ServerProcess

MEMORY_MARGIN = 1.05
"""The factor by which memory may grow in a second, longer time of the same load."""

TROUBLE = re.compile(r"Traceback|Unhandled|a message failed|\[[^]]*#(error|critical)\]")


@dataclass
class Measure:
    """The server's process at one moment."""

    memory: int
    """The current resident set in KiB."""
    peak: int
    descriptors: int
    processor: float
    """Seconds of processor time since its start."""
    health: dict[str, Any]


def measure(server: ServerProcess) -> Measure:
    """Return the measure of the server's process and of its own counts."""
    process = Path("/proc") / str(server.pid)
    # First, since the request takes a connection, which must be closed before descriptors are counted.
    health = server.get("/health")
    time.sleep(0.5)
    status = dict(re.findall(r"^(\w+):\s+(\d+) kB$", (process / "status").read_text(), re.MULTILINE))
    times = (process / "stat").read_text().rpartition(")")[2].split()
    return Measure(
        memory=int(status["VmRSS"]),
        peak=int(status["VmHWM"]),
        descriptors=len(os.listdir(process / "fd")),  # noqa: PTH208 - only their number
        processor=(int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
        health=health,
    )


def broken_promises(
    ground: Ground, before: Measure, warm: Measure, after: Measure, log: str, blocks: int
) -> list[str]:
    """Return all broken promises, in words."""
    broken = [f"{times} times: {reason}" for reason, times in ground.failures.items()]
    if after.memory > warm.memory * MEMORY_MARGIN:
        broken.append(f"memory grew from {warm.memory} to {after.memory} KiB")
    if after.descriptors > before.descriptors:
        broken.append(f"descriptors grew from {before.descriptors} to {after.descriptors}")
    for name, number in _numbers(after.health):
        # A blocked address is remembered for ten minutes more, so that a second block is longer.
        if number > (blocks if name == "failedLookupTracked" else 0):
            broken.append(f"/health still says {name} {number}")
    broken += [f"the log says: {line}" for line in log.splitlines() if TROUBLE.search(line)]
    return broken


def _numbers(health: dict[str, Any]) -> Iterable[tuple[str, int]]:
    for name, value in health.items():
        if isinstance(value, dict):
            yield from _numbers(value)
        elif isinstance(value, int):
            yield name, value


def table(ground: Ground, measures: dict[str, Measure], log: str) -> str:
    """Return a table of the figures, for people."""
    rows: list[tuple[str, object]] = sorted(ground.figures.items())
    if len(ground.latencies) > 100:
        percent = quantiles(ground.latencies, n=100)
        rows.append(("honest messages, median way in ms", f"{median(ground.latencies) * 1000:.1f}"))
        rows.append(("honest messages, 99th percentile in ms", f"{percent[98] * 1000:.1f}"))
    for kind, number in Counter(_kind(line) for line in log.splitlines()).most_common():
        if kind:
            rows.append((f"log: {kind}", number))
    for moment, each in measures.items():
        rows.append((f"{moment}: memory, peak so far, in KiB", f"{each.memory} {each.peak}"))
        rows.append((f"{moment}: descriptors", each.descriptors))
        rows.append((f"{moment}: processor seconds", f"{each.processor:.1f}"))
        rows.append((f"{moment}: /health", " ".join(f"{n}={v}" for n, v in _numbers(each.health))))
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:{width}}  {value}\n" for name, value in rows)


_ENDINGS = "|".join(
    (
        r"closed with \d+[^)]*",
        "no answer to a ping",
        "it does not read[^)]*",
        "did not return within its grace time",
        "did not answer the probe",
    )
)


def _kind(line: str) -> str | None:
    """Return the kind of ending that a line of the log reports, or None."""
    found = re.search(_ENDINGS, line)
    return found[0] if found else None


def blocks_in(log: str) -> int:
    """Return how many addresses were blocked for guessing."""
    return log.count("its lookups are blocked")
