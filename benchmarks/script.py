"""Conversations as generators: each ``yield`` waits for the next message, and many conversations run side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import orjson

from benchmarks.loop import Loop, Unexpected

AT_ONCE = 50
"""Conversations that run at any time: as many as fit into the shortest queue that a listener usually has."""

Hear = Callable[[bytes], None]
Script = Generator[None, bytes, None]


def side_by_side(loop: Loop, scripts: Iterable[Callable[[Hear], Script]], at_once: int = AT_ONCE) -> None:
    """Play all scripts to their ends, ``at_once`` of them at any time.

    Each script is called with its ``hear``, which resumes it with a message.
    """
    left = iter(scripts)
    under_way = 0

    def begin() -> None:
        nonlocal under_way
        for script in left:
            under_way += 1
            if _play(script, ended):
                return
            under_way -= 1
        if not under_way:
            loop.stop()

    def ended() -> None:
        nonlocal under_way
        under_way -= 1
        loop.progress()
        begin()

    for _ in range(at_once):
        begin()
    if under_way:
        loop.run()


def _play(script: Callable[[Hear], Script], ended: Callable[[], None]) -> bool:
    """Begin a script; return False if it has ended already, without waiting for a message."""

    def hear(payload: bytes) -> None:
        try:
            playing.send(payload)
        except StopIteration:
            ended()

    playing = script(hear)
    try:
        next(playing)
    except StopIteration:
        return False
    return True


def expect(heard: bytes, expected: bytes) -> None:
    """Raise ``Unexpected`` unless exactly the ``expected`` message came."""
    if heard != expected:
        raise Unexpected(f"{expected[:200]!r} was due, and {heard[:200]!r} came")


def expect_message(heard: bytes, kind: str) -> dict[str, Any]:
    """Return the message in ``heard``. Raises ``Unexpected`` unless its type is ``kind``."""
    try:
        message = orjson.loads(heard)
    except orjson.JSONDecodeError:
        message = {}
    if message.get("type") != kind:
        raise Unexpected(f"{kind} was due, and {heard[:200]!r} came")
    return dict(message)
