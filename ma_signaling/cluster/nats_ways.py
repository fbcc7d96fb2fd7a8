"""Ways around what nats-py does: its subscriptions, and tasks that it keeps alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import signature
from typing import Any

from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.protocol.command import pub_cmd, sub_cmd, unsub_cmd

from ma_signaling.config.declaration import CannotStart

_KNOWN = {
    "_process_msg": ["self", "sid", "subject", "reply", "data", "headers"],
    "_send_command": ["self", "cmd", "priority"],
    "_flush_pending": ["self", "force_flush"],
}
"""What is used of nats-py within, with its parameters."""

for _name, _parameters in _KNOWN.items():
    _method = getattr(Client, _name, None)
    if _method is None or list(signature(_method).parameters) != _parameters:
        raise CannotStart(f"--nats-url: this version of nats-py is unknown here ({_name} is another one)")

Take = Callable[["NodeClient", bytes, bytes, bytes | None], None]
"""Takes what has come to a client: a message's subject, its payload, and its headers as NATS writes them."""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """End tasks, in several attempts if need be: nats-py ignores a cancellation in some places."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


class NodeClient(Client):
    """Hands over every message at once, whatever it was subscribed to.

    A node has a subscription for each home. To nats-py, each of them is a queue: 4 KiB, and a third of what a home that
    arrives costs a node more than a server alone.
    """

    def __init__(self, take: Take) -> None:
        """``take`` gets every message, in the order in which the server sent them."""
        super().__init__()
        self._hand_over = take
        self._last = 0

    async def listen(self, subject: str) -> int:
        """Subscribe to a subject; returns the number of the subscription. It is sent by ``send_on``, as all else."""
        self._last += 1
        await self._send_command(sub_cmd(subject, "", self._last))
        return self._last

    async def ignore(self, subscription: int) -> None:
        """End a subscription."""
        await self._send_command(unsub_cmd(subscription, 0))

    async def say(self, subject: str, payload: bytes, reply: str) -> None:
        """Publish a message. Raises ``MaxPayloadError``."""
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        await self._send_command(pub_cmd(subject, reply, payload))

    async def send_on(self) -> None:
        """Send what waits."""
        await self._flush_pending()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        self._hand_over(self, subject, data, headers)
