"""What a client can make its association pile up: aiortc keeps all that comes, however many.

It tells a client how much it takes, as SCTP demands, but doesn't look at whether the client keeps to it. It also goes
through all that wait for each one that comes, so many small ones would keep the agent from everybody else.
"""

# ruff: noqa: SLF001 - what aiortc keeps within is what this is about

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc.rtcsctptransport import WEBRTC_DCEP, ForwardTsnChunk, SackChunk

from ma_signaling.home.memory import Share

MAX_PARTS = 2048
"""Of one client. What it may have under way at once has half as many of usual length."""
MAX_STREAMS = 256
"""Numbers of data channels that one client may use; clients take the lowest that are free."""
MAX_OPENING = 1024
"""Bytes of the message that opens a data channel; its label is kept."""
PART_COST = 512
"""Bytes that each part takes besides its content."""
_NUMBERS = 2**32


def bound(association: Any, share: Share, exceeded: Callable[[], None]) -> None:
    """Hold in ``share`` what waits in this association of aiortc's; call ``exceeded`` where it is too much.

    Nothing is taken from then on.
    """
    receive, deliver = association._receive_chunk, association._receive
    window = association._advertised_rwnd
    held = 0
    is_over = False

    def count() -> None:
        nonlocal held, is_over
        waiting = sum(len(stream.reassembly) for stream in association._inbound_streams.values())
        # Most that wait are among those that have come before their turn too; whole ones can be only there.
        parts = max(waiting, len(association._sack_misordered))
        now = PART_COST * parts + window - association._advertised_rwnd
        is_over = is_over or parts > MAX_PARTS or _streams(association) > MAX_STREAMS
        if now != held:
            is_over = is_over or (now > held and not share.admits(now - held))
            share.add_received(now - held)
            held = now

    async def receive_bounded(chunk: Any) -> None:
        nonlocal is_over
        if is_over:
            return
        is_over = _is_absurd(association, chunk)
        if not is_over:
            await receive(chunk)
            count()
        if is_over:
            exceeded()

    async def deliver_once(stream: int, protocol: int, message: bytes) -> None:
        nonlocal is_over
        if held:
            count()  # who takes the message counts it, and its parts are no more
        if protocol == WEBRTC_DCEP and len(message) > MAX_OPENING:
            is_over = True
        else:
            await deliver(stream, protocol, message)

    association._receive_chunk, association._receive = receive_bounded, deliver_once


def _streams(association: Any) -> int:
    """Return how many numbers are in use; one that the client gives up is kept in part until it answers."""
    return max(
        len(association._inbound_streams),
        len(association._data_channels),
        len(association._outbound_stream_seq),
    )


def _is_absurd(association: Any, chunk: Any) -> bool:
    """Return whether a chunk names more than there is: aiortc goes through all that it names."""
    if isinstance(chunk, ForwardTsnChunk):
        named = dict(chunk.streams)
        chunk.streams = list(named.items())  # the last of each, which says the most
        return len(association._inbound_streams.keys() | named) > MAX_STREAMS
    if isinstance(chunk, SackChunk):
        sent: int = (association._local_tsn - 1 - chunk.cumulative_tsn) % _NUMBERS
        return sent >= _NUMBERS // 2 or sum(len(range(start, end + 1)) for start, end in chunk.gaps) > sent
    return False
