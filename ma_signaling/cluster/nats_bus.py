"""The bus on a real NATS server, on whatever reactor runs.

What a turn of the loop brings is sent at its end, by one write; several messages for one node go as one message of
NATS. A connection that fails is dropped, with all that waits, and a new one is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ma_signaling.cluster.bus import Listener, is_of_a_node, pack_batch, unpack_batch
from ma_signaling.cluster.nats_options import Login
from ma_signaling.cluster.nats_protocol import NatsConnection, publish, subscribe, unsubscribe
from ma_signaling.config.settings import Settings

RETRY_SECONDS = 1.0
"""Between two attempts to reach the same server."""

CONNECT_SECONDS = 4.0
"""How long an attempt may take."""

NATS_PORT = 4222
"""Of a URL that names none."""

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Bytes that may wait to be sent to the server; beyond them messages are lost, as NATS itself would lose them."""

MAX_BATCH_BYTES = 256 * 1024
"""Bytes of several messages in one message of NATS, unless that takes less."""

HEAD_BYTES = 2048
"""What a node's own fields take at most beside a peer's message."""

FLUSH_SECONDS = 2.0
"""How long sending what waits may take in the end."""

_log = Logger(namespace="ma_signaling")


class NatsBus:
    """``bus.Bus``; ``begin`` connects it."""

    listener: Listener

    def __init__(self, settings: Settings, reactor: Any) -> None:
        """Raises ``CannotStart`` if a file of the settings won't do."""
        self.is_up = False
        self.messages_in = self.messages_out = self.messages_lost = 0
        self._settings = settings
        self._reactor = reactor
        self._login = Login(settings)
        servers = [urlsplit(url) for url in settings.nats_url]
        random.shuffle(servers)
        self._servers = cycle(servers)
        self._server = ""
        self._connection: NatsConnection | None = None
        """The latest, once there was one."""
        self._attempt: Deferred[Any] | IDelayedCall | None = None
        """The attempt to connect that is under way, or the wait for the next."""
        self._subscriptions: dict[str, int] = {}
        self._numbers = count(1)
        self._waiting: list[bytes] = []
        """Commands for the server, in the order in which they must arrive."""
        self._batches: dict[str, list[bytes]] = {}
        """Messages for single nodes, behind them, by subject."""
        self._waiting_bytes = self._waiting_messages = 0
        self._is_flushing = False
        self._ended: Deferred[None] | None = None
        self._problem = ""
        self._is_too_small = False
        """The server takes smaller messages than some that were to be sent to it, which was logged."""

    # From the node

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """As ``bus.Bus`` has it."""
        if self._connection is None or not self.is_up or self._waiting_bytes > MAX_WAITING_BYTES:
            self.messages_lost += 1
            return
        if len(payload) > self._connection.max_payload:
            self.messages_lost += 1
            self._warn_too_small(self._connection)
            return
        self.messages_out += 1
        self._waiting_messages += 1
        if is_of_a_node(subject) and not reply:
            batch = self._batches.get(subject)
            if batch is None:
                batch = self._batches[subject] = []
            batch.append(payload)
            self._added(len(payload))
        else:
            self._command(publish(subject, reply, payload))

    def subscribe(self, subject: str) -> None:
        """As ``bus.Bus`` has it; the server gets it before what is published afterwards."""
        number = self._subscriptions[subject] = next(self._numbers)
        if self.is_up:
            self._command(subscribe(subject, number))

    def unsubscribe(self, subject: str) -> None:
        """As ``bus.Bus`` has it."""
        number = self._subscriptions.pop(subject)
        if self.is_up:
            self._command(unsubscribe(number))

    def _command(self, command: bytes) -> None:
        # Nodes may rely on the order, across subjects too.
        self._end_batches()
        self._waiting.append(command)
        self._added(len(command))

    def _added(self, size: int) -> None:
        self._waiting_bytes += size
        if not self._is_flushing:
            self._is_flushing = True
            self._reactor.callLater(0, self._flush)

    def _end_batches(self) -> None:
        for subject, payloads in self._batches.items():
            self._waiting += [publish(subject, "", batch) for batch in self._joined(payloads)]
        self._batches.clear()

    def _joined(self, payloads: list[bytes]) -> Iterator[bytes]:
        """Return messages for one subject as few of NATS's."""
        assert self._connection is not None
        # The sizes of the messages in a batch take less than these.
        max_bytes = min(MAX_BATCH_BYTES, self._connection.max_payload // 2)
        start = size = 0
        for number, payload in enumerate(payloads):
            if number > start and size + len(payload) > max_bytes:
                yield pack_batch(payloads[start:number])
                start, size = number, 0
            size += len(payload)
        yield pack_batch(payloads[start:])

    def _flush(self) -> None:
        self._is_flushing = False
        if self._connection is not None and self.is_up and (self._ended or not self._connection.is_full):
            self._end_batches()
            self._connection.transport.write(b"".join(self._waiting))
            self._nothing_waits()

    def _nothing_waits(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = self._waiting_messages = 0

    # Connecting

    def begin(self) -> None:
        """Connect to a server, as soon as one can be reached."""
        server = next(self._servers)
        self._server, host = server.netloc, server.hostname or ""
        self._connection = NatsConnection(
            self, self._login, host, self._reactor, needs_tls=server.scheme == "tls"
        )
        endpoint = HostnameEndpoint(self._reactor, host, server.port or NATS_PORT, CONNECT_SECONDS)
        self._attempt = endpoint.connect(_Once(self._connection))
        self._attempt.addErrback(lambda failure: self._failed(failure.getErrorMessage()))

    def end(self) -> Deferred[None]:
        """Send what waits, and close the connection."""
        ended: Deferred[None] = Deferred()
        self._ended = ended
        if self._attempt is not None:
            self._attempt.cancel()
        connection = self._connection
        if connection is None or connection.transport is None:
            return succeed(None)
        if not self.is_up:
            connection.abort("")
            return succeed(None)
        self._flush()
        connection.ping(connection.transport.loseConnection)
        timer = self._reactor.callLater(FLUSH_SECONDS, connection.abort, "")
        return ended.addCallback(lambda _: timer.cancel() if timer.active() else None)

    def _failed(self, problem: str) -> None:
        """An attempt to connect has failed: try the next server, after a while."""
        problem = f"{self._server}: {problem}"
        if self._ended is not None:
            return
        # Once for each reason: it is tried every second.
        if problem != self._problem:
            self._problem = problem
            _log.warn("NATS cannot be reached: {problem}", problem=problem)
        self._attempt = self._reactor.callLater(RETRY_SECONDS / len(self._settings.nats_url), self.begin)

    # From a connection

    def let_in(self, connection: NatsConnection) -> None:
        """As ``nats_protocol.User`` has it."""
        self.is_up, self._problem = True, ""
        _log.info("NATS: connected to {server}", server=self._server)
        self._is_too_small = False
        if connection.max_payload < self._settings.max_message_bytes + HEAD_BYTES:
            self._warn_too_small(connection)
        for subject, number in self._subscriptions.items():
            self._command(subscribe(subject, number))
        _safely(self.listener.up)

    def received(self, payload: bytes) -> None:
        """As ``nats_protocol.User`` has it."""
        try:
            payloads = unpack_batch(payload)
        except Exception:  # noqa: BLE001 - as below
            _log.failure("a message of another node failed")
            return
        for each in payloads:
            self.messages_in += 1
            # As in ``_safely``, once less called for each.
            try:
                self.listener.received(each)
            except Exception:  # noqa: BLE001 - whatever one message does, the next must be read
                _log.failure("a message of another node failed")

    def no_subscribers(self, reply: str) -> None:
        """As ``nats_protocol.User`` has it."""
        _safely(partial(self.listener.no_subscribers, reply))

    def drained(self) -> None:
        """As ``nats_protocol.User`` has it."""
        self._flush()

    def lost(self, problem: str) -> None:
        """As ``nats_protocol.User`` has it."""
        if not self.is_up:
            self._failed(problem)
            return
        self.is_up = False
        self.messages_lost += self._waiting_messages
        self._batches.clear()
        self._nothing_waits()
        if self._ended is not None:
            self._ended.callback(None)
            return
        _log.warn(
            "NATS is unreachable ({problem}): this node serves only its own peers until the connection is back",
            problem=problem,
        )
        _safely(self.listener.down)
        self.begin()

    # To the operator

    def _warn_too_small(self, connection: NatsConnection) -> None:
        if not self._is_too_small:
            self._is_too_small = True
            _log.warn(
                "NATS takes {most} bytes a message (max_payload), less than --max-message-bytes {needed} needs:"
                " longer messages don't reach other nodes",
                most=connection.max_payload,
                needed=self._settings.max_message_bytes,
            )


class _Once(Factory):
    """Makes the protocol of one connection."""

    noisy = False

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: object) -> NatsConnection:
        return self._connection


def _safely(call: Callable[[], None]) -> None:
    # A connection would be closed at an exception.
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever one message does, the next must be read
        _log.failure("a message of another node failed")
