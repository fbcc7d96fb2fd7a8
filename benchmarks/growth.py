"""Whether a conversation costs more with many idle homes connected than with few, on this server alone."""

from __future__ import annotations

import gc

from benchmarks.conversations import BURST, Arrivals, CrowdedDepartures, Departures, Relay, Sessions
from benchmarks.homes import Home, all_arrive
from benchmarks.loop import Loop
from benchmarks.rounds import Figure, Make, Side, compare, say, warm_up
from benchmarks.servers import Kind, Server
from benchmarks.websocket import Place

FILLED_WITHIN = 30
"""Seconds over which a crowd arrives. If it arrived in one moment, its pings would come in one moment too."""

CONVERSATIONS: dict[str, Make] = {
    "relay": lambda place: Relay(place, 800, BURST),
    "session": lambda place: Sessions(place, 1000),
    "arrive": lambda place: Arrivals(place, 1500),
    "leave": lambda place: Departures(place, 1500),
}
CROWDED: dict[str, Make] = {"leave, 64 sessions": lambda place: CrowdedDepartures(place, 10, 64)}


def growth(loop: Loop, kind: Kind, few: int, many: int, rounds: int) -> list[Figure]:
    """Measure each conversation with ``few`` and ``many`` idle homes, the crowded departure with none and ``many``."""
    with Server(kind) as empty, Server(kind) as small, Server(kind) as large:
        counts = {"none": empty, f"{few:,}": small, f"{many:,}": large}
        places = [Side(loop, server, name) for name, server in counts.items()]
        crowd = fill(places[1], few, 1) + fill(places[2], many, FILLED_WITHIN)
        gc.freeze()
        used = large.cpu()
        loop.pause(FILLED_WITHIN)
        say(f"{many:,} idle homes take {(large.cpu() - used) / FILLED_WITHIN:.1%} of a processor")
        warm_up(places, CONVERSATIONS, 1)
        figures = compare(
            f"Growth from {few:,} idle homes to {many:,}", places[2], places[1], CONVERSATIONS, rounds
        )
        figures += compare(f"Growth from no idle homes to {many:,}", places[2], places[0], CROWDED, rounds)
        for home in crowd:
            home.vanish()
        gc.unfreeze()
    return figures


def fill(place: Place, count: int, seconds: int) -> list[Home]:
    """Let ``count`` homes arrive, evenly over ``seconds``."""
    homes = [Home() for _ in range(count)]
    steps = seconds * 4
    for step in range(steps):
        all_arrive(place, homes[step::steps])
        place.loop.pause(seconds / steps / 2)
    return homes
