"""The kernel says what it holds for a peer, and gives one up that confirms nothing."""

from __future__ import annotations

import socket
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from ma_signaling.transport.sockets import KERNEL_BYTES, prepare


@pytest_twisted.ensureDeferred
async def test_accepted_sockets() -> None:
    factory, accepted = Factory(), Deferred[Any]()
    running: Any = reactor

    class Kept(Protocol):
        def connectionMade(self) -> None:
            accepted.callback(self.transport)

    factory.protocol = Kept
    port = running.listenTCP(0, factory, interface="127.0.0.1")
    prepare(port, 90.0)
    with socket.create_connection(("127.0.0.1", port.getHost().port)):
        transport = await accepted
        options = {
            socket.TCP_USER_TIMEOUT: 90_000,
            socket.TCP_NOTSENT_LOWAT: KERNEL_BYTES,
            socket.TCP_NODELAY: 1,
        }
        handle = transport.getHandle()
        found = {option: handle.getsockopt(socket.IPPROTO_TCP, option) for option in options}
        transport.abortConnection()
    await port.stopListening()
    assert found == options
