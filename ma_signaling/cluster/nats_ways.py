"""Ways around what nats-py does: messages past its queues, and an end for tasks that it keeps alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nats.aio.msg import Msg


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """End tasks, in several attempts if need be: nats-py ignores a cancellation in some places."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


class EachMessage(asyncio.Future[Msg]):
    """Takes every message of a subscription.

    nats-py sets a subscription's future for one message; this future is never done. Otherwise each home would cost a
    task and a queue.
    """

    def __init__(self, take: Callable[[Msg], None]) -> None:
        super().__init__()
        self._take = take

    def set_result(self, message: Msg) -> None:
        self._take(message)
