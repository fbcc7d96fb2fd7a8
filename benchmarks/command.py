"""The command line: which figures to measure, in how many rounds, compared with what."""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import report, servers
from benchmarks.chart import chart
from benchmarks.circumstances import circumstances
from benchmarks.cluster import cluster
from benchmarks.conversations import BURST, Arrivals, Departures, Relay, Sessions
from benchmarks.growth import growth
from benchmarks.idle import idle, memory, start
from benchmarks.latency import latency
from benchmarks.loop import Loop, Unexpected
from benchmarks.rounds import Figure, Make, Side, compare, say, warm_up
from benchmarks.servers import Kind, NotReady, Server, Tls
from benchmarks.storm import storm
from tests.support.certificates import make_certificate

PLAIN = "Without TLS"
TLS = "With TLS"

DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True)
class Sizes:
    """How much is played in a round."""

    sessions: int
    arrivals: int
    crowds: tuple[int, ...]
    few: int
    idle: int
    rounds: int
    warm_up: int
    """Rounds before those that count."""

    def busy(self) -> dict[str, Make]:
        """Return the conversations that keep a server busy, by the figure's name."""
        return {
            "relay": lambda place: Relay(place, self.sessions * 4 // 5, BURST),
            "relay singly": lambda place: Relay(place, self.sessions // 5, 1),
            "session": lambda place: Sessions(place, self.sessions),
            "arrive": lambda place: Arrivals(place, self.arrivals),
            "leave": lambda place: Departures(place, self.arrivals),
        }

    def halved(self) -> Sizes:
        """Return half the sizes, for a transport that costs twice as much."""
        return replace(self, sessions=self.sessions // 2, arrivals=self.arrivals // 2)


FULL = Sizes(
    sessions=1000, arrivals=2000, crowds=(1000, 5000, 15000), few=500, idle=10_000, rounds=5, warm_up=3
)
QUICK = Sizes(sessions=500, arrivals=1000, crowds=(300, 600, 1000), few=100, idle=1000, rounds=3, warm_up=2)

QUICK_FIGURES = ("relay", "session", "arrive")
FIGURES = (*FULL.busy(), "start", "memory", "idle", "latency", "growth", "storm", "cluster")


class Run:
    """One run of the benchmark."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.sizes = QUICK if chosen.quick else FULL
        self.rounds = chosen.rounds or self.sizes.rounds
        self.only = chosen.only or (QUICK_FIGURES if chosen.quick else FIGURES)
        self.transports = chosen.transport or ((PLAIN,) if chosen.quick else (PLAIN, TLS))
        self.ours = Kind("this server")
        self.theirs = opponent(chosen)
        self.figures: list[Figure] = []
        self._loop = Loop()

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """This server and the one that it is compared with."""
        return self.ours, self.theirs

    def check(self) -> None:
        """Raise ``NotReady`` unless both servers can be started."""
        for kind in self.kinds:
            kind.check()

    def measure(self) -> None:
        """Measure the chosen figures."""
        if "start" in self.only:
            self.figures += start(self.kinds, self.rounds)
        with tempfile.TemporaryDirectory() as directory:
            tls = Tls(Path(directory) / "key.pem", Path(directory) / "certificate.pem")
            make_certificate(tls.key, tls.certificate)
            for transport in self.transports:
                self._measure_transport(transport, tls if transport == TLS else None)
        if "growth" in self.only:
            self.figures += growth(self._loop, self.ours, self.sizes.few, self.sizes.crowds[-1], self.rounds)
        if "storm" in self.only:
            self.figures += storm(self._loop, self.kinds, self.sizes.crowds[-1], self.fewer_rounds)
        if "cluster" in self.only:
            self.figures += cluster(self._loop, self.rounds)

    @property
    def fewer_rounds(self) -> int:
        """The rounds of figures that take long and vary little."""
        return max(1, self.rounds * 2 // 5)

    def _measure_transport(self, transport: str, tls: Tls | None) -> None:
        every = (self.sizes.halved() if tls else self.sizes).busy()
        busy = {name: make for name, make in every.items() if name in self.only}
        if "latency" in self.only:
            busy.setdefault("relay singly", every["relay singly"])
        if busy:
            with ExitStack() as running:
                started = [running.enter_context(Server(kind, tls)) for kind in self.kinds]
                ours, theirs = (Side(self._loop, server) for server in started)
                warm_up((ours, theirs), busy, self.sizes.warm_up)
                compared = compare(transport, ours, theirs, busy, self.rounds)
                self.figures += compared
                if "latency" in self.only:
                    relay = next(figure for figure in compared if figure.name == "relay singly")
                    self.figures += latency(transport, ours, theirs, relay, self.rounds)
        if "memory" in self.only:
            self.figures += memory(transport, self.kinds, tls, self.sizes.crowds, self.fewer_rounds)
        if "idle" in self.only:
            self.figures += idle(transport, self.kinds, tls, self.sizes.idle, self.fewer_rounds)


def opponent(chosen: argparse.Namespace) -> Kind:
    """Return what this server is compared with, by the command line."""
    if chosen.against is None and chosen.against_tree is None:
        return Kind("Node ws", is_node=True)
    return Kind("other", options=tuple(shlex.split(chosen.against or "")), tree=chosen.against_tree)


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Run the benchmark; return the text of a failure, or None."""
    chosen = parser().parse_args(arguments)
    processors = len(os.sched_getaffinity(0))
    run = Run(chosen)
    # Collecting garbage would make the generator late. There is little in a round, and it is collected between rounds.
    gc.disable()
    # Servers must not stay behind, however this process ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    try:
        run.check()
        servers.take_processor()
        run.measure()
    except (NotReady, Unexpected) as failure:
        return f"{report.as_text(run.figures)}{failure}"
    took = time.monotonic() - began
    print(report.as_text(run.figures))
    if any(vars(chosen).values()):
        return None
    told = circumstances("make bench", run.theirs, processors, took)
    report.write(DOCS / "performance.md", report.as_markdown(run.figures, told))
    (DOCS / "performance.svg").write_text(chart(run.figures, run.theirs.name), encoding="utf-8")
    say(f"{took:.0f} s; written to docs/performance.md and docs/performance.svg")
    return None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""

    def figures(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if set(names) <= set(FIGURES):
            return names
        raise argparse.ArgumentTypeError("some of: " + ",".join(FIGURES))

    def absolute(text: str) -> Path:
        return Path(text).resolve()  # servers are started elsewhere

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what this server costs. Without options, the results go to docs/performance.md.",
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--only", type=figures, metavar="FIGURES", help="some of: " + ",".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="less of everything, in less than a minute")
    parser.add_argument("--plain", dest="transport", action="append_const", const=PLAIN, help="without TLS")
    parser.add_argument("--tls", dest="transport", action="append_const", const=TLS, help="with TLS")
    parser.add_argument(
        "--against", metavar="OPTIONS", help="this server with these options, instead of Node"
    )
    parser.add_argument(
        "--against-tree", type=absolute, metavar="PATH", help="another checkout, instead of Node"
    )
    return parser
