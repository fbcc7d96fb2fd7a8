"""nats-py's client, without its queue for each subscription and its tasks for reading and writing the socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from inspect import signature
from typing import Any

from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, UnexpectedEOF
from nats.protocol.command import pub_cmd, sub_cmd, unsub_cmd
from nats.protocol.parser import Parser

from ma_signaling.config.declaration import CannotStart

_KNOWN = {
    "_process_err": ["self", "err_msg"],
    "_process_msg": ["self", "sid", "subject", "reply", "data", "headers"],
    "_process_op_err": ["self", "e"],
    "_read_loop": ["self"],
    "_send_command": ["self", "cmd", "priority"],
    "_flush_pending": ["self", "force_flush"],
}
"""The private methods of nats-py that are used here, with their parameters."""

for _name, _parameters in _KNOWN.items():
    _method = getattr(Client, _name, None)
    if _method is None or list(signature(_method).parameters) != _parameters:
        raise CannotStart(f"--nats-url: this version of nats-py is unknown here ({_name} is another one)")

_KEPT = (
    (Client, ("_pending", "_pending_data_size", "_ps", "_transport")),
    (TcpTransport, ("_io_reader", "_io_writer")),
)
"""The private attributes of nats-py's objects that are used here."""

for _class, _names in _KEPT:
    _object = _class()
    for _name in _names:
        if not hasattr(_object, _name):
            raise CannotStart(f"--nats-url: this version of nats-py is unknown here ({_name} is missing)")

Take = Callable[["NodeClient", bytes, bytes, bytes | None], None]
"""Takes a message that a client has received: its subject, its payload, and its headers as NATS writes them."""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all have ended, since nats-py ignores a cancellation in some places."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


class _Incoming(asyncio.Protocol):
    """Parses what NATS sends as soon as it is read; the protocol that this one replaces does everything else."""

    def __init__(self, replaced: Any, parser: Parser) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails, with the reason, when nothing more will be read."""
        self._replaced = replaced
        self._parser = parser

    def data_received(self, data: bytes) -> None:
        try:
            run_at_once(self._parser.parse(data))
        except Exception as problem:  # noqa: BLE001 - whatever it is, the connection can't go on
            self._end(problem)

    def eof_received(self) -> None:
        self._end(UnexpectedEOF())

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or UnexpectedEOF())
        self._replaced.connection_lost(exc)

    def pause_writing(self) -> None:
        self._replaced.pause_writing()

    def resume_writing(self) -> None:
        self._replaced.resume_writing()

    def _end(self, problem: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(problem)


def run_at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing. Raises ``NatsError`` if it does wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise NatsError("nats-py waits where it didn't")


class NodeClient(Client):
    """Hands over each message as soon as it is read, whatever its subscription, and writes immediately.

    A node has a subscription for each home. nats-py makes a queue for each, which takes 4 KiB, and a third of the
    extra cost of an arriving home on a node compared with a server alone. nats-py reads in one task and writes in
    another. Each takes a turn of the loop: a tenth of the cost of a session across nodes, if there are few at a time.
    """

    def __init__(self, take: Take) -> None:
        """``take`` gets every message, in the order in which the server sent them."""
        super().__init__()
        self._hand_over = take
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, subject: str) -> int:
        """Subscribe to a subject; return the number of the subscription. ``send_on`` sends it, like all else."""
        self._last += 1
        await self._send_command(sub_cmd(subject, "", self._last))
        return self._last

    async def ignore(self, subscription: int) -> None:
        """End a subscription."""
        await self._send_command(unsub_cmd(subscription, 0))

    async def say(self, subject: str, payload: bytes, reply: str) -> None:
        """Publish a message. Raises ``MaxPayloadError`` if the server doesn't take one of this length."""
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        await self._send_command(pub_cmd(subject, reply, payload))

    async def send_on(self) -> None:
        """Send what is queued; return when the socket has room for more."""
        await self._flush_pending(force_flush=True)

    async def _flush_pending(self, force_flush: bool = False) -> None:
        transport: Any = self._transport
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        if not transport._io_writer.is_closing():  # noqa: SLF001 - see _KEPT
            transport.writelines(pending)
        if force_flush:
            await transport.drain()

    async def _read_loop(self) -> None:
        transport: Any = self._transport
        stream, socket = transport._io_reader, transport._io_writer.transport  # noqa: SLF001 - see _KEPT
        incoming = _Incoming(socket.get_protocol(), self._ps)
        socket.set_protocol(incoming)
        stream.feed_eof()
        try:
            incoming.data_received(await stream.read())
            # If the old protocol has already read the end of the stream, let the new one read it again.
            socket.pause_reading()
            socket.resume_reading()
            if socket.is_closing():
                incoming.eof_received()
            await incoming.ended
        except Exception as problem:  # noqa: BLE001 - as nats-py does
            await self._process_op_err(problem)

    async def _process_err(self, err_msg: str) -> None:
        # In a task, since it may close the connection, and so wait, which the parser must not.
        task = asyncio.get_running_loop().create_task(super()._process_err(err_msg))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        self._hand_over(self, subject, data, headers)
