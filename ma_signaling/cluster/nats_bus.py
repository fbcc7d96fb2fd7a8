"""The bus on a real NATS server, through nats-py on an asyncio loop.

``publish`` and ``subscribe`` only queue; a task sends the queue to the server. Received messages are delivered
immediately, in the order in which the server sent them.

nats-py's own reconnecting is not used: it notices that a server hangs only once everything is written to it, keeps
messages from before an outage until after it, and gives up for good on most errors. Here, a connection that fails is
dropped together with its queue, and a new one is made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVarTuple

from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from twisted.logger import Logger

from ma_signaling.cluster.bus import Listener
from ma_signaling.cluster.messages.packing import pack_batch, unpack_batch
from ma_signaling.cluster.nats_client import NodeClient, cancel
from ma_signaling.cluster.nats_options import nats_options
from ma_signaling.config.settings import Settings

RETRY_SECONDS = 1
"""Pause between two attempts to reach a server."""

PING_SECONDS = 2.0
SILENCE_SECONDS = 4
"""A server that doesn't answer a ping for so long is gone."""

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Bytes that may wait to be sent to the server; more messages are lost, as NATS itself would lose them."""

MAX_BATCH_BYTES = 256 * 1024
"""The most bytes of several messages published as one, unless NATS takes less."""

HEAD_BYTES = 2048
"""The most bytes that a node's own fields add to a peer's message."""

FLUSH_SECONDS = 2.0
"""How long ``NatsBus.end`` may take to send the queue."""

_NOBODY = b"NATS/1.0 503"
"""The status in NATS's answer to a message that has a reply subject but no subscriber."""

Arguments = TypeVarTuple("Arguments")

_log = Logger(namespace="ma_signaling")


class _Batch:
    """Messages for one subject that are published as one."""

    __slots__ = ("messages", "reply", "size", "subject")

    def __init__(self, subject: str, reply: str, message: bytes) -> None:
        self.subject = subject
        self.reply = reply
        self.messages: list[bytes] = []
        self.size = 0
        self.add(message)

    def add(self, message: bytes) -> None:
        self.messages.append(message)
        # One byte more for the separator.
        self.size += len(message) + 1


class NatsBus:
    """A ``bus.Bus`` on NATS. Everything is called in one thread, within the loop's turns or between them."""

    listener: Listener

    def __init__(self, settings: Settings) -> None:
        self.is_up = False
        self.max_batch_bytes = 0
        self.messages_in = self.messages_out = self.lost = 0
        self._settings = settings
        self._options = nats_options(settings)
        self._client: NodeClient | None = None
        self._waiting: deque[_Batch] = deque()
        self._waiting_bytes = 0
        self._wanted: set[str] = set()
        self._changed: dict[str, None] = {}
        """Subjects to subscribe to, or to unsubscribe from."""
        self._has_work, self._is_ending, self._all_sent = asyncio.Event(), False, asyncio.Event()
        self._problem = ""
        self._is_too_small = False
        """Whether it was logged that the server takes no messages as long as this node's may be."""
        self._task: asyncio.Task[None] | None = None

    # From the node

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Implements ``bus.Bus.publish``."""
        if not self.is_up or self._waiting_bytes > MAX_WAITING_BYTES:
            self.lost += 1
            return
        self.messages_out += 1
        self._waiting_bytes += len(payload) + 1
        last = self._waiting[-1] if self._waiting else None
        if last is not None and self._goes_with(last, subject, payload, reply):
            last.add(payload)
        else:
            self._waiting.append(_Batch(subject, reply, payload))
            self._has_work.set()

    def subscribe(self, subject: str) -> None:
        """Implements ``bus.Bus.subscribe``; the server gets the subscription before any message published later."""
        self._wanted.add(subject)
        self._changed[subject] = None
        self._has_work.set()

    def unsubscribe(self, subject: str) -> None:
        """Implements ``bus.Bus.unsubscribe``."""
        self._wanted.discard(subject)
        self._changed[subject] = None
        self._has_work.set()

    # On the loop

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Connect to a server as soon as one can be reached, and again whenever the connection is lost."""
        self._task = loop.create_task(self._run())

    async def end(self) -> None:
        """Send the queue, and close the connection."""
        self._is_ending = True
        if self.is_up:
            self._has_work.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_sent.wait(), FLUSH_SECONDS)
        if self._task is not None:
            await cancel(self._task)

    async def _run(self) -> None:
        while True:
            closed = asyncio.Event()
            client = NodeClient(self._take)
            try:
                await self._connect(client, closed)
                await self._serve(client, closed)
            except (NatsError, OSError, TimeoutError) as problem:
                self._warn_unreachable(f"{type(problem).__name__} {problem}")
            except Exception:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                _log.failure("NATS: the connection failed")
            finally:
                self._drop(client)
            await asyncio.sleep(RETRY_SECONDS)

    async def _connect(self, client: NodeClient, closed: asyncio.Event) -> None:
        async def on_close() -> None:
            closed.set()

        async def on_error(problem: Exception) -> None:
            if not self.is_up:
                self._warn_unreachable(f"{type(problem).__name__} {problem}")

        await client.connect(
            list(self._settings.nats_url),
            name="ma-signaling",
            no_echo=True,
            allow_reconnect=False,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RETRY_SECONDS,
            skip_subject_validation=True,
            error_cb=on_error,
            disconnected_cb=on_close,
            closed_cb=on_close,
            **self._options,
        )

    async def _serve(self, client: NodeClient, closed: asyncio.Event) -> None:
        """Use a connection until it is lost."""
        self._client, self._problem = client, ""
        self._changed = dict.fromkeys(self._wanted)
        url = client.connected_url
        _log.info("NATS: connected to {server}", server=None if url is None else url.netloc)
        self.max_batch_bytes = min(MAX_BATCH_BYTES, client.max_payload)
        self._is_too_small = False
        if client.max_payload < self._settings.max_message_bytes + HEAD_BYTES:
            self._warn_too_small(client)
        self.is_up = True
        _safely(self.listener.up)
        self._has_work.set()
        working: list[asyncio.Task[Any]] = [
            asyncio.ensure_future(each) for each in (closed.wait(), self._watch(client), self._send(client))
        ]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # Before ``cancel``: a client that waits for a server that hangs swallows each cancellation.
            self._drop(client)
            await cancel(*working)

    async def _watch(self, client: NodeClient) -> None:
        """Raise when the server no longer answers, however much is still to be written to it."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            await asyncio.wait_for(client.flush(SILENCE_SECONDS), SILENCE_SECONDS)

    async def _send(self, client: NodeClient) -> None:
        subscriptions: dict[str, int] = {}
        while client is self._client:
            await self._has_work.wait()
            self._has_work.clear()
            while self._changed and client is self._client:
                subject, _ = self._changed.popitem()
                if subject in self._wanted and subject not in subscriptions:
                    subscriptions[subject] = await client.listen(subject)
                elif subject not in self._wanted and subject in subscriptions:
                    await client.ignore(subscriptions.pop(subject))
            while self._waiting and not self._changed and client is self._client:
                batch = self._waiting.popleft()
                self._waiting_bytes -= batch.size
                try:
                    await client.say(batch.subject, pack_batch(batch.messages), batch.reply)
                except MaxPayloadError:
                    self.lost += len(batch.messages)
                    self._warn_too_small(client)
            await client.send_on()
            if self._changed:
                self._has_work.set()
            elif self._is_ending:
                await client.flush(SILENCE_SECONDS)
                self._all_sent.set()

    def _goes_with(self, last: _Batch, subject: str, message: bytes, reply: str) -> bool:
        """Return whether a message can be published together with ``last``, the end of the queue."""
        return (
            subject == last.subject
            and not (reply or last.reply)
            and last.size + len(message) <= self.max_batch_bytes
        )

    def _drop(self, client: NodeClient) -> None:
        """Abandon a connection; what it hasn't written yet is lost."""
        writer: Any = getattr(getattr(client, "_transport", None), "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
        if client is self._client:
            self._client = None
            self.is_up = False
            self.lost += sum(len(batch.messages) for batch in self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            if not self._is_ending:
                _log.warn(
                    "NATS is unreachable: this node serves only its own peers until the connection is back"
                )
                _safely(self.listener.down)

    def _warn_too_small(self, client: NodeClient) -> None:
        if not self._is_too_small:
            self._is_too_small = True
            _log.warn(
                "NATS takes {most} bytes a message (max_payload), less than --max-message-bytes {needed} needs:"
                " longer messages don't reach other nodes",
                most=client.max_payload,
                needed=self._settings.max_message_bytes,
            )

    def _warn_unreachable(self, problem: str) -> None:
        # Once for each reason, since there is an attempt every second.
        if problem != self._problem and not self._is_ending:
            self._problem = problem
            _log.warn("NATS cannot be reached: {problem}", problem=problem)

    def _take(self, client: NodeClient, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        if client is not self._client:
            return
        self.messages_in += 1
        if headers is not None and headers.startswith(_NOBODY):
            _safely(self.listener.no_subscribers, subject.decode())
        else:
            for message in unpack_batch(payload):
                _safely(self.listener.received, message)


def _safely(call: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
    # nats-py stops reading at an exception.
    try:
        call(*arguments)
    except Exception:  # noqa: BLE001 - whatever one message does, the next must be read
        _log.failure("a message of another node failed")
