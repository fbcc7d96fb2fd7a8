"""What a connection sends arrives once and in order, at once where there is room."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.sockets import DirectServer, cork
from tests.support.waiting_reactor import WaitingReactor

PORT = SimpleNamespace(_realPortNumber=8787)


class DirectWriteTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = WaitingReactor()
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        self.peer.setblocking(False)
        self.server: Any = DirectServer(ours, Protocol(), ("192.0.2.1", 1), PORT, 0, self.reactor)
        self.addCleanup(ours.close)
        self.addCleanup(cork.pull)

    def test_sent_at_once(self) -> None:
        self.server.write(b"one")
        self.server.write(b"two")
        self.assertEqual(self.peer.recv(100), b"onetwo")
        self.assertEqual(self.reactor.writers, [])

    def test_what_does_not_fit_waits_its_turn(self) -> None:
        sent = [bytes([i]) * 100_000 for i in range(20)]
        for each in sent:
            self.server.write(each)
        received = b""
        for _ in range(1000):
            try:
                received += self.peer.recv(1 << 20)
            except BlockingIOError:
                if not self.reactor.writers:
                    break
                self.assertIsNone(self.server.doWrite())
        self.assertEqual(received, b"".join(sent))
        self.server.write(b"again at once")
        self.assertEqual(self.peer.recv(100), b"again at once")

    def test_what_the_kernel_holds_is_unsent(self) -> None:
        """Until the peer has taken it, and whatever waits behind it."""
        self.server.write(b"x" * 10_000)
        self.assertEqual(self.server.dataBuffer, b"")
        self.assertGreaterEqual(self.server.unsent(), 10_000)
        self.peer.recv(10_000)
        self.assertEqual(self.server.unsent(), 0)
        self.server.write(b"x" * 2_000_000)
        before, waiting = self.server.unsent(), len(self.server.dataBuffer) + self.server._tempDataLen
        self.peer.recv(1 << 17)
        self.assertLess(self.server.unsent(), before)
        self.assertEqual(len(self.server.dataBuffer) + self.server._tempDataLen, waiting)

    def test_broken(self) -> None:
        self.peer.close()
        self.server.write(b"one")
        self.server.write(b"two")
        self.assertIsInstance(self.server.doWrite(), Exception)

    def test_closed(self) -> None:
        self.server.loseConnection()
        self.server.write(b"last words")
        self.assertEqual(self.peer.recv(100), b"last words")
        self.server.connectionLost(Failure(ConnectionDone()))
        self.server.write(b"too late")
        self.assertEqual(self.peer.recv(100), b"")
        self.assertEqual(self.reactor.writers, [])

    def test_collected_while_corked(self) -> None:
        cork.put_in()
        self.server.write(b"one")
        self.server.write(b"two")
        self.assertRaises(BlockingIOError, self.peer.recv, 100)
        cork.pull()
        self.assertEqual(self.peer.recv(100), b"onetwo")
        self.server.write(b"three")
        self.assertEqual(self.peer.recv(100), b"three")

    def test_collected_before_closing(self) -> None:
        cork.put_in()
        self.server.write(b"last words")
        self.server.loseConnection()
        self.assertEqual(self.peer.recv(100), b"last words")

    def test_closed_by_what_was_read(self) -> None:
        self.server.protocol.dataReceived = lambda data: self.server.loseConnection()
        self.peer.send(b"bye")
        self.assertIs(self.server.doRead(), CONNECTION_DONE)
        self.assertEqual(self.reactor.writers, [])

    def test_closed_by_what_was_read_while_more_waits(self) -> None:
        def close_and_write(data: bytes) -> None:
            self.server.loseConnection()
            self.server.write(b"x" * 5_000_000)

        self.server.protocol.dataReceived = close_and_write
        self.peer.send(b"bye")
        self.assertIsNone(self.server.doRead())
        self.assertEqual(self.reactor.writers[-1:], [self.server])
        received = 0
        while (outcome := self.server.doWrite()) is None:
            received += len(self.peer.recv(1 << 20))
        self.assertIs(outcome, CONNECTION_DONE)
        while received < 5_000_000:
            received += len(self.peer.recv(1 << 20))

    def test_aborted_by_what_was_read(self) -> None:
        def abort(data: bytes) -> None:
            self.server.loseConnection()
            self.server.abortConnection()

        self.server.protocol.dataReceived = abort
        self.peer.send(b"bye")
        self.assertIsNone(self.server.doRead())
        self.assertEqual(self.reactor.soon, [self.server.connectionLost])

    def test_names_nobody(self) -> None:
        self.assertNotIn("192.0.2.1", self.server.logPrefix() + repr(self.server))
