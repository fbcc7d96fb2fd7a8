"""The parts of messages that have arrived, and wait for others: aiortc keeps all that come, however many.

It tells a client how much it takes, as SCTP demands, but doesn't look at whether the client keeps to it. It also goes
through all that wait for each one that comes, so many small ones would keep the agent from everybody else.
"""

# ruff: noqa: SLF001 - what aiortc keeps within is what this is about

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ma_signaling.home.memory import Share

MAX_PARTS = 2048
"""Of one client. What it may have under way at once has half as many of usual length."""
MAX_STREAMS = 256
"""Numbers of data channels that one client may use; clients take the lowest that are free."""
PART_COST = 512
"""Bytes that each part takes besides its content."""


def bound(association: Any, share: Share, exceeded: Callable[[], None]) -> None:
    """Hold in ``share`` what waits in this association of aiortc's; call ``exceeded`` where it is too much.

    Nothing is taken from then on.
    """
    receive = association._receive_data_chunk
    window = association._advertised_rwnd
    held = 0
    is_over = False

    async def receive_bounded(part: Any) -> None:
        nonlocal held, is_over
        if is_over:
            return
        await receive(part)
        streams = association._inbound_streams
        parts = sum(len(stream.reassembly) for stream in streams.values())
        now = PART_COST * parts + window - association._advertised_rwnd
        is_over = parts > MAX_PARTS or len(streams) > MAX_STREAMS
        if now != held:
            is_over = is_over or not share.admits(now - held)
            share.add_received(now - held)
            held = now
        if is_over:
            exceeded()

    association._receive_data_chunk = receive_bounded
