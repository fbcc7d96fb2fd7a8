"""The bus on a real NATS server, by nats-py, on the asyncio loop of Twisted's reactor.

The heart publishes and subscribes in passing; one task brings it to the server in that order. What comes is handed over
at once, in the order in which the server has sent it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from twisted.logger import Logger

from ma_signaling.cluster.credentials import Credentials
from ma_signaling.cluster.wire import Listener, pack_many
from ma_signaling.declaration import CannotStart
from ma_signaling.settings import Settings

RETRY_SECONDS = 0.5
"""Between two tries to reach a server."""

PING_SECONDS = 2
MOST_PINGS_OPEN = 2
"""A server that answers none of so many pings is gone."""

MOST_WAITING = 100_000
"""What may wait to be brought to the server; beyond, messages are lost, as NATS itself would lose them."""

MOST_TOGETHER = 256 * 1024
"""Bytes of several messages in one of NATS, which takes a megabyte."""

FAREWELL_SECONDS = 2.0

_NOBODY = "503"
"""The status of NATS's answer where nobody hears a subject that was published to with a reply."""

_log = Logger(namespace="ma_signaling")


class NatsBus:
    """``wire.Bus``; ``begin`` must be called on the running loop."""

    listener: Listener

    def __init__(self, settings: Settings) -> None:
        self.is_up = False
        self.messages_in = self.messages_out = self.lost = 0
        self._settings = settings
        self._options = _options(settings)
        self._client = Client()
        self._waiting: deque[_Message | Callable[[], Awaitable[Any]]] = deque()
        self._has_work = asyncio.Event()
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: list[asyncio.Task[None]] = []

    # From the node

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """As ``wire.Bus`` has it."""
        if self.is_up and len(self._waiting) < MOST_WAITING:
            self.messages_out += 1
            self._add(_Message(subject, payload, reply))
        else:
            self.lost += 1

    def subscribe(self, subject: str) -> None:
        """As ``wire.Bus`` has it."""

        async def act() -> None:
            self._subscriptions[subject] = await self._client.subscribe(subject, future=self._received)

        self._add(act)

    def unsubscribe(self, subject: str) -> None:
        """As ``wire.Bus`` has it."""

        async def act() -> None:
            await self._subscriptions.pop(subject).unsubscribe()

        self._add(act)

    def _add(self, what: _Message | Callable[[], Awaitable[Any]]) -> None:
        self._waiting.append(what)
        self._has_work.set()

    # On the loop

    def begin(self) -> None:
        """Reach a server, now or whenever there is one."""
        self._received = _Every(self._take)
        self._tasks = [asyncio.ensure_future(self._connect())]

    async def end(self) -> None:
        """Bring to the server what waits, and go."""
        if self.is_up:
            brought = asyncio.Event()

            async def act() -> None:
                await self._client.flush()
                brought.set()

            self._add(act)
            with suppress(TimeoutError):
                await asyncio.wait_for(brought.wait(), FAREWELL_SECONDS)
        self.is_up = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client.is_connected:
            await self._client.close()

    async def _connect(self) -> None:
        await self._client.connect(
            list(self._settings.nats_url),
            name="ma-signaling",
            no_echo=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RETRY_SECONDS,  # type: ignore[arg-type]
            ping_interval=PING_SECONDS,
            max_outstanding_pings=MOST_PINGS_OPEN,
            skip_subject_validation=True,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_connect,
            **self._options,
        )
        self._tasks.append(asyncio.ensure_future(self._work()))
        await self._on_connect()

    async def _on_connect(self) -> None:
        url = self._client.connected_url
        _log.info("NATS: connected to {server}", server=None if url is None else url.netloc)
        self._said = ""
        self.is_up = True
        self._has_work.set()
        self._safely(self.listener.up)

    async def _on_disconnect(self) -> None:
        if self.is_up:
            self.is_up = False
            _log.warn("NATS is away: this node goes on by itself until it is back")
            self._safely(self.listener.down)

    async def _on_error(self, problem: Exception) -> None:
        # It tries twice a second, and an operator needs to be told once.
        said = f"{type(problem).__name__} {problem}"
        if said != self._said and not self.is_up:
            self._said = said
            _log.warn("NATS cannot be reached: {problem}", problem=said)

    _said = ""

    async def _work(self) -> None:
        while True:
            await self._has_work.wait()
            while self._waiting and self.is_up:
                what = self._waiting.popleft()
                try:
                    if isinstance(what, _Message):
                        await self._client.publish(what.subject, self._with_followers(what), what.reply)
                    else:
                        await what()
                except (NatsError, OSError) as problem:
                    self.lost += 1
                    _log.warn("NATS: a message is lost: {problem}", problem=repr(problem))
            self._has_work.clear()

    def _with_followers(self, first: _Message) -> bytes:
        """What is to be published with ``first``: what waits behind it for the same subject goes along."""
        payloads = [first.payload]
        size = len(first.payload)
        while not first.reply and self._waiting:
            following = self._waiting[0]
            if not isinstance(following, _Message) or following.reply or following.subject != first.subject:
                break
            size += len(following.payload)
            if size > MOST_TOGETHER:
                break
            self._waiting.popleft()
            payloads.append(following.payload)
        return payloads[0] if len(payloads) == 1 else pack_many(payloads)

    def _take(self, message: Msg) -> None:
        self.messages_in += 1
        headers = message.headers
        if headers is not None and headers.get("Status") == _NOBODY:
            self._safely(lambda: self.listener.nobody(message.subject))
        else:
            self._safely(lambda: self.listener.received(message.data))

    @staticmethod
    def _safely(call: Callable[[], None]) -> None:
        # nats-py stops reading at an exception.
        try:
            call()
        except Exception:  # noqa: BLE001 - whatever one message does, the next must be read
            _log.failure("a message of another node failed")


class _Message(NamedTuple):
    subject: str
    payload: bytes
    reply: str


class _Every(asyncio.Future[Msg]):
    """What a subscription brings its one message to, says nats-py; this takes each of them, and is never done.

    Otherwise there would be a task and a queue to go through for each home.
    """

    def __init__(self, take: Callable[[Msg], None]) -> None:
        super().__init__()
        self._take = take

    def set_result(self, message: Msg) -> None:
        self._take(message)


def _options(settings: Settings) -> dict[str, Any]:
    """What nats-py needs to be let in. Raises ``CannotStart``."""
    options: dict[str, Any] = {}
    if settings.nats_credentials:
        try:
            credentials = Credentials(_read("--nats-credentials", settings.nats_credentials))
        except ValueError as problem:
            path = settings.nats_credentials
            raise CannotStart(f"ma-signaling: --nats-credentials: {path} will not do: {problem}") from None
        options |= {"user_jwt_cb": credentials.jwt, "signature_cb": credentials.sign}
    if settings.nats_token_file:
        options["token"] = _read("--nats-token-file", settings.nats_token_file)
    if settings.nats_ca or any(url.startswith("tls:") for url in settings.nats_url):
        if settings.nats_ca:
            _read("--nats-ca", settings.nats_ca)
        try:
            options["tls"] = ssl.create_default_context(cafile=settings.nats_ca or None)
        except ssl.SSLError:
            raise CannotStart(f"ma-signaling: --nats-ca: {settings.nats_ca} is no certificate") from None
    return options


def _read(option: str, path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, ValueError) as problem:
        raise CannotStart(f"ma-signaling: {option}: {path} cannot be read: {problem}") from None
