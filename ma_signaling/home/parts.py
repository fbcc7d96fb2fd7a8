"""Bounds on the parts of messages that a client can make its SCTP association keep: aiortc has none.

It announces a receive window, as SCTP demands, but doesn't enforce it. It also goes through all kept parts for each new
one, so that many small ones would keep the agent from serving others.
"""

# ruff: noqa: SLF001 - aiortc's internals are the point of this module

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc.rtcsctptransport import WEBRTC_DCEP, ForwardTsnChunk, SackChunk

from ma_signaling.home.memory import Share

MAX_PARTS = 2048
"""The most parts of one client. Its receive window has room for half as many of usual length."""
MAX_STREAMS = 256
"""How many stream numbers one client may use; clients take the lowest free ones for data channels."""
MAX_OPENING = 1024
"""The most bytes of the message that opens a data channel, whose label is kept."""
PART_COST = 512
"""Bytes of overhead of each part."""
_NUMBERS = 2**32


def bound(association: Any, share: Share, exceeded: Callable[[], None]) -> None:
    """Count in ``share`` what an association of aiortc keeps; call ``exceeded`` if it is too much.

    From then on it receives nothing.
    """
    receive, deliver = association._receive_chunk, association._receive
    window = association._advertised_rwnd
    held = 0
    is_over = False

    def count() -> None:
        nonlocal held, is_over
        waiting = sum(len(stream.reassembly) for stream in association._inbound_streams.values())
        # Parts in reassembly are mostly among the misordered ones as well; complete messages may be only there.
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
            count()  # the message's parts are gone, and the receiver counts the message
        if protocol == WEBRTC_DCEP and len(message) > MAX_OPENING:
            is_over = True
        else:
            await deliver(stream, protocol, message)

    association._receive_chunk, association._receive = receive_bounded, deliver_once


def _streams(association: Any) -> int:
    """Return how many stream numbers are in use; a closed one stays in some tables until the client confirms."""
    return max(
        len(association._inbound_streams),
        len(association._data_channels),
        len(association._outbound_stream_seq),
    )


def _is_absurd(association: Any, chunk: Any) -> bool:
    """Return whether a chunk names more streams or numbers than exist: aiortc iterates over all that it names."""
    if isinstance(chunk, ForwardTsnChunk):
        named = dict(chunk.streams)
        chunk.streams = list(named.items())  # the last entry of each stream, which is the highest
        return len(association._inbound_streams.keys() | named) > MAX_STREAMS
    if isinstance(chunk, SackChunk):
        sent: int = (association._local_tsn - 1 - chunk.cumulative_tsn) % _NUMBERS
        return sent >= _NUMBERS // 2 or sum(len(range(start, end + 1)) for start, end in chunk.gaps) > sent
    return False
