"""What a node and a NATS server say to each other, byte by byte, and what a node makes of a server that misbehaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.bus import ALL_NODES, home_subject, node_subject, pack, unpack, unpack_batch
from ma_signaling.cluster.nats_bus import MAX_BATCH_BYTES, RETRY_SECONDS, NatsBus
from ma_signaling.cluster.nats_protocol import PING_SECONDS, NatsConnection
from ma_signaling.config.settings import Settings
from tests.support.certificates import make_certificate

INFO = {"server_id": "N", "max_payload": 1_048_576, "headers": True}


class Transport(StringTransport):
    """A connection to a server, whose other end is the test."""

    encrypted: Any = None

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def startTLS(self, options: object) -> None:
        self.encrypted = options

    def said(self) -> bytes:
        """What was written since this was asked last."""
        said: bytes = self.value()
        self.clear()
        return said


class Node:
    """What hears of the bus."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def received(self, payload: bytes) -> None:
        self.heard.append(payload)
        if payload == b"bad":
            raise KeyError(payload)

    def no_subscribers(self, reply: str) -> None:
        self.heard.append(("nobody", reply))

    def up(self) -> None:
        self.heard.append("up")

    def down(self) -> None:
        self.heard.append("down")


class NatsTestCase(SynchronousTestCase):
    """A bus, and its connection to a server that the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.bus = self.make_bus()
        self.node = self.bus.listener = Node()

    def make_bus(self, **settings: Any) -> NatsBus:
        bus = NatsBus(Settings(nats_url=("nats://127.0.0.1",), **settings), self.clock)
        self.attempts = 0

        def begin() -> None:
            self.attempts += 1

        self.patch(bus, "begin", begin)
        return bus

    def connect(self, *, needs_tls: bool = False, **info: object) -> Transport:
        """Connect the bus to a server that has said so much so far."""
        self.connection = NatsConnection(
            self.bus, self.bus._login, "localhost", self.clock, needs_tls=needs_tls
        )
        self.bus._connection = self.connection
        transport = Transport()
        self.connection.makeConnection(transport)
        self.hear(b"INFO %b\r\n" % orjson.dumps(INFO | info))
        return transport

    def join(self, **info: object) -> Transport:
        """Connect the bus, let it in, and forget what was said meanwhile."""
        transport = self.connect(**info)  # type: ignore[arg-type]
        self.hear(b"PONG\r\n")
        self.clock.advance(0)
        transport.clear()
        self.node.heard.clear()
        return transport

    def hear(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def lose(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))


class LoginTest(NatsTestCase):
    """From a server's first line to its first answer."""

    def said_who(self, transport: Transport) -> dict[str, Any]:
        command, _, rest = transport.said().partition(b" ")
        about, _, ping = rest.partition(b"\r\n")
        self.assertEqual((command, ping), (b"CONNECT", b"PING\r\n"))
        said: dict[str, Any] = orjson.loads(about)
        return said

    def test_let_in(self) -> None:
        """What was subscribed to before goes first."""
        self.bus.subscribe("a")
        transport = self.connect()
        said = self.said_who(transport)
        self.assertEqual(
            (said["echo"], said["headers"], said["no_responders"], said["verbose"]),
            (False, True, True, False),
        )
        self.assertFalse(self.bus.is_up)
        self.hear(b"PONG\r\n")
        self.assertTrue(self.bus.is_up)
        self.assertEqual(self.node.heard, ["up"])
        self.clock.advance(0)
        self.assertEqual(transport.said(), b"SUB a 1\r\n")
        # The servers of the cluster have changed.
        self.hear(b"INFO %b\r\n" % orjson.dumps(INFO | {"max_payload": 5}))
        self.assertEqual((transport.said(), self.connection.max_payload), (b"", 5))

    def test_token_only_where_asked(self) -> None:
        path = Path(self.mktemp())
        path.write_text("s3cret\n")
        self.bus = self.make_bus(nats_token_file=str(path))
        self.assertNotIn("auth_token", self.said_who(self.connect()))
        self.assertEqual(self.said_who(self.connect(auth_required=True))["auth_token"], "s3cret")

    def test_turned_away(self) -> None:
        """The operator reads why, and it is tried again."""
        transport = self.connect()
        self.hear(b"-ERR 'Authorization Violation'\r\n")
        self.assertTrue(transport.disconnecting)
        with capturedLogs() as logged:
            self.lose()
        self.assertIn("Authorization Violation", formatEvent(logged[0]))
        self.assertEqual((self.bus.is_up, self.node.heard, self.attempts), (False, [], 0))
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.attempts, 1)

    def test_tls(self) -> None:
        """Where the server wants it, or the URL; and nothing is said without it."""
        key, certificate = Path(self.mktemp()), Path(self.mktemp())
        make_certificate(key, certificate)
        self.bus = self.make_bus(nats_ca=str(certificate))
        self.assertIsNone(self.connect().encrypted)
        self.assertIsNotNone(self.connect(tls_required=True).encrypted)
        self.assertIsNotNone(self.connect(needs_tls=True, tls_available=True).encrypted)
        transport = self.connect(needs_tls=True)
        self.assertEqual((transport.said(), transport.disconnecting), (b"", True))


class TalkTest(NatsTestCase):
    """Messages and subscriptions."""

    def test_in_any_pieces(self) -> None:
        """Whatever is in a message, and however it is cut."""
        self.join()
        bodies = [b"", b"\r\n", b"MSG x 1 3\r\nabc", pack("to-home", {}, b"one\ntwo")]
        data = b"".join(b"MSG s 1 %d\r\n%b\r\n" % (len(body), body) for body in bodies)
        data += b"HMSG node.n.7 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\nPING\r\n+OK\r\nMSG s 1 reply 1\r\nx\r\n"
        expected = [*bodies, ("nobody", "node.n.7"), b"x"]
        for size in (1, 2, 7, len(data)):
            self.node.heard.clear()
            for start in range(0, len(data), size):
                self.hear(data[start : start + size])
            self.assertEqual(self.node.heard, expected)

    def test_ping(self) -> None:
        transport = self.join()
        self.hear(b"PING\r\n")
        self.assertEqual(transport.said(), b"PONG\r\n")

    def test_one_write_each_turn(self) -> None:
        """Messages for one node go together, past those for other nodes; but nothing passes what is for several."""
        transport = self.join()
        one, other = node_subject("one"), node_subject("other")
        for subject in (one, other, one):
            self.bus.publish(subject, pack("x", {}))
        self.bus.subscribe("s")
        self.bus.publish(ALL_NODES, pack("y", {}))
        self.bus.publish(home_subject("R"), pack("claim", {}), node_subject("me", 1))
        self.bus.publish(one, pack("z", {}))
        self.bus.unsubscribe("s")
        self.assertEqual(transport.said(), b"")
        self.clock.advance(0)
        lines = transport.said().split(b"\r\n")
        self.assertEqual(
            [line.rpartition(b" ")[0] for line in lines if line.startswith((b"PUB", b"SUB", b"UNSUB"))],
            [
                b"PUB " + one.encode(),
                b"PUB " + other.encode(),
                b"SUB s",
                b"PUB " + ALL_NODES.encode(),
                b"PUB %b %b" % (home_subject("R").encode(), node_subject("me", 1).encode()),
                b"PUB " + one.encode(),
                b"UNSUB",
            ],
        )
        self.assertEqual([unpack(each)[0] for each in unpack_batch(lines[1])], ["x", "x"])
        self.assertEqual(self.bus.messages_out, 6)

    def test_size_of_a_batch(self) -> None:
        """What the server takes is not exceeded, and no message is cut."""
        transport = self.join()
        bodies = [bytes([number]) * (MAX_BATCH_BYTES // 3) for number in range(65, 72)]
        for body in bodies:
            self.bus.publish(node_subject("n"), pack("x", {}, body))
        self.clock.advance(0)
        data, sent = transport.said(), []
        while data:
            line, _, data = data.partition(b"\r\n")
            size = int(line.rpartition(b" ")[2])
            self.assertLessEqual(size, MAX_BATCH_BYTES + 100)
            sent += [unpack(each)[1]["body"] for each in unpack_batch(data[:size])]
            data = data[size + 2 :]
        self.assertEqual(sent, bodies)

    def test_too_big(self) -> None:
        """The server would end the connection."""
        transport = self.join(max_payload=100)
        self.bus.publish(node_subject("n"), b"x" * 101)
        self.clock.advance(0)
        self.assertEqual((transport.said(), self.bus.messages_lost), (b"", 1))

    def test_full(self) -> None:
        """What the server doesn't take waits, until it does."""
        transport = self.join()
        self.connection.pauseProducing()
        self.bus.publish(node_subject("n"), b"x")
        self.clock.advance(0)
        self.assertEqual(transport.said(), b"")
        self.connection.resumeProducing()
        self.assertIn(b"\r\nx\r\n", transport.said())

    def test_an_exception(self) -> None:
        """Whatever one message does, the next is read."""
        self.join()
        self.hear(b"MSG s 1 3\r\nbad\r\nMSG s 1 4\r\ngood\r\n")
        self.assertEqual(self.node.heard, [b"bad", b"good"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class LossTest(NatsTestCase):
    """Servers that are gone, or might as well be."""

    def test_gone(self) -> None:
        """What waited is lost, and counted."""
        self.join()
        self.connection.pauseProducing()
        self.bus.publish(node_subject("n"), b"x")
        self.bus.publish(node_subject("n"), b"y")
        self.bus.publish(ALL_NODES, b"z")
        self.lose()
        self.assertEqual((self.node.heard, self.bus.messages_lost, self.attempts), (["down"], 3, 1))
        self.bus.publish(ALL_NODES, b"z")
        self.assertEqual(self.bus.messages_lost, 4)

    def test_silent(self) -> None:
        """While it is let in, and after."""
        for begin in (self.connect, self.join):
            transport = begin()
            self.clock.pump([PING_SECONDS] * 2)
            self.assertFalse(transport.disconnecting)
            self.clock.advance(PING_SECONDS)
            self.assertTrue(transport.disconnecting)
            self.connection.connectionLost()
            self.setUp()

    def test_answering(self) -> None:
        transport = self.join()
        for _ in range(9):
            self.clock.advance(PING_SECONDS)
            self.assertEqual(transport.said(), b"PING\r\n")
            self.hear(b"PONG\r\n")

    def test_nonsense(self) -> None:
        for data in (b"MSG s 1 x\r\n", b"INFO {\r\n", b"x" * 70_000):
            transport = self.connect()
            self.hear(data)
            self.assertTrue(transport.disconnecting, data)

    def test_the_end(self) -> None:
        """What waits is sent first, even where the server is slow; but not for long."""
        transport = self.join()
        self.connection.pauseProducing()
        self.bus.publish(ALL_NODES, b"bye")
        ended: list[object] = []
        self.bus.end().addCallback(ended.append)
        self.assertTrue(transport.said().endswith(b"bye\r\nPING\r\n"))
        self.assertFalse(transport.disconnecting)
        self.hear(b"PONG\r\n")
        self.assertTrue(transport.disconnecting)
        self.assertEqual(ended, [])
        self.lose()
        self.clock.advance(0)
        self.assertEqual((ended, self.node.heard, self.clock.getDelayedCalls()), ([None], [], []))
