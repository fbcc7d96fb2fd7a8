"""The command line: which figures, how many rounds, against what."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, servers
from benchmarks.conversations import Arrivals, Departures, Relay, Sessions
from benchmarks.loop import Loop, Unexpected
from benchmarks.rounds import Figure, Make, compare
from benchmarks.servers import Kind, NotReady, Server
from benchmarks.websocket import Place

BUSY: dict[str, Make] = {
    "relay": lambda place: Relay(place, 200),
    "session": lambda place: Sessions(place, 1000),
    "arrive": lambda place: Arrivals(place, 2000),
    "leave": lambda place: Departures(place, 2000),
}


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Run; returns what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="some of: " + ",".join([*BUSY, "memory"]))
    parser.add_argument(
        "--against", metavar="OPTIONS", help="this server with other options, instead of Node"
    )
    parser.add_argument("--against-tree", type=Path, metavar="PATH", help="another checkout, instead of Node")
    chosen = parser.parse_args(arguments)
    try:
        run(chosen)
    except (NotReady, Unexpected) as failure:
        return str(failure)
    return None


def run(arguments: argparse.Namespace) -> None:
    gc.disable()
    servers.take_processor()
    ours = Kind("this server")
    peer = Kind("Node ws", is_node=True)
    if arguments.against is not None:
        peer = Kind("other", options=tuple(arguments.against.split()))
    if arguments.against_tree is not None:
        peer = Kind("other", options=peer.options, tree=arguments.against_tree)
    ours.check()
    peer.check()
    only = arguments.only.split(",") if arguments.only else list(BUSY)
    loop = Loop()
    figures: list[Figure] = []
    with Server(ours) as a, Server(peer) as b:
        places = (Place(loop, a), Place(loop, b))
        chosen = {name: BUSY[name] for name in only if name in BUSY}
        compare("warm-up", *places, chosen, 1)
        figures += compare("plain", *places, chosen, arguments.rounds)
    print(report.as_text(figures, ours.name, peer.name))
