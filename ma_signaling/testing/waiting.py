"""Waiting for what another process does, and keeping all of it on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar
from unittest import mock

T = TypeVar("T")

STEP_WITHIN = 15.0
"""Seconds for each step of a conversation."""


def loopback_only() -> AbstractContextManager[object]:
    """Gather candidates on 127.0.0.1 alone: no packet leaves, and it works on a machine without a network."""
    return mock.patch("aioice.ice.get_host_addresses", return_value=["127.0.0.1"])


async def eventually(
    condition: Callable[[], T | None], what: str, within: float = STEP_WITHIN, every: float = 0.02
) -> T:
    """Wait until `condition()` is true and return its value; fail with `what` at the deadline."""
    try:
        async with asyncio.timeout(within):
            while True:
                if value := condition():
                    return value
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}") from None
