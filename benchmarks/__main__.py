"""``python -m benchmarks``: measure, print, and after a full run write docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks import servers
from benchmarks.conversations import Arrivals, Conversation, Departures, Relay, Sessions
from benchmarks.load import Place
from benchmarks.rounds import compare
from benchmarks.servers import Kind, NotReady, Server

CONVERSATIONS: dict[str, Callable[[Place], Conversation]] = {
    "relay": lambda place: Relay(place, 200),
    "session": lambda place: Sessions(place, 1000),
    "arrive": lambda place: Arrivals(place, 2000),
    "leave": lambda place: Departures(place, 2000),
}


async def run(arguments: argparse.Namespace) -> None:
    gc.disable()
    servers.take_processor()
    ours = Kind("ours")
    peer = Kind("node", is_node=True)
    if arguments.against is not None:
        peer = Kind("other", options=tuple(arguments.against.split()))
    if arguments.against_tree is not None:
        peer = Kind("other", options=peer.options, tree=arguments.against_tree)
    ours.check()
    peer.check()
    only = arguments.only.split(",") if arguments.only else list(CONVERSATIONS)
    with Server(ours) as a, Server(peer) as b:
        places = (Place(a), Place(b))
        chosen = {name: CONVERSATIONS[name] for name in only if name in CONVERSATIONS}
        await compare(places, chosen, 1)
        for name, each in (await compare(places, chosen, arguments.rounds)).items():
            if each.ours:
                mine, theirs = each.each
                print(
                    f"{name:10} {mine * 1e6:8.1f} us {theirs * 1e6:8.1f} us  {sorted(each.ratios)[len(each.ratios) // 2]:.2f} "
                    f"({min(each.ratios):.2f}-{max(each.ratios):.2f}) "
                    f"server {min(s.server for s in each.ours + each.peers):.2f} generator {max(s.generator for s in each.ours + each.peers):.2f}"
                )
            for refusal in each.refusals:
                print(f"{name:10} refused round: {refusal}")
    if "memory" in only or not arguments.only:
        from benchmarks.conversations import homes_that_arrive

        for kind in (ours, peer):
            with Server(kind) as s:
                place = Place(s)
                homes = []
                for count in (1000, 5000, 15000):
                    homes += await homes_that_arrive(place, count - len(homes))
                    await asyncio.sleep(1)
                    print(f"memory {kind.name:10} {count:6} homes {s.memory() / 2**20:8.1f} MiB")


parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--only", help="some of: " + ",".join([*CONVERSATIONS, "memory"]))
parser.add_argument("--against", metavar="OPTIONS", help="this server with other options, instead of Node")
parser.add_argument("--against-tree", type=Path, metavar="PATH", help="another checkout, instead of Node")
try:
    uvloop.run(run(parser.parse_args()))
except NotReady as missing:
    sys.exit(str(missing))
