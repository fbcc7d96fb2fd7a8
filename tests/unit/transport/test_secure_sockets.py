"""TLS on the transport itself: what one end says reaches the other, whatever lies in between."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.protocols.tls import TLSMemoryBIOFactory

from ma_signaling.transport.proxy_protocol import ProxyFactory
from ma_signaling.transport.secure_sockets import ALL, Records, secure
from ma_signaling.transport.sockets import DirectServer, cork
from ma_signaling.transport.timers import Deadlines
from tests.support.secure_peer import VERSIONS, SecurePeer
from tests.support.tls_handshake import TlsTestCase


class SecureTestCase(TlsTestCase):
    """A server's certificate, and peers."""

    def setUp(self) -> None:
        super().setUp()
        self.certificates = self.start()
        self.addCleanup(cork.pull)

    def peer(self, version: int = SSL.TLS1_3_VERSION) -> SecurePeer:
        """A connection that has just been accepted."""
        peer = SecurePeer(self.certificates, version)
        self.addCleanup(peer.close)
        return peer

    def shaken(self, version: int = SSL.TLS1_3_VERSION) -> SecurePeer:
        """A connection after its handshake."""
        peer = self.peer(version)
        peer.shake_hands()
        return peer


class ReadingTest(SecureTestCase):
    """What comes is handed over once, in order, and at once."""

    def test_both_ways(self) -> None:
        for version in VERSIONS:
            peer = self.shaken(version)
            peer.deliver(peer.say(b"one"))
            peer.server.write(b"two")
            peer.server.writeSequence([b"three", b"four"])
            peer.take()
            assert (peer.heard.pieces, peer.received) == ([b"one"], b"twothreefour")

    def test_several_records_in_one_piece(self) -> None:
        for version in VERSIONS:
            peer = self.shaken(version)
            peer.deliver(peer.say(*(b"%d," % number for number in range(20))))
            assert peer.heard.pieces == [b"".join(b"%d," % number for number in range(20))]

    def test_one_byte_at_a_time(self) -> None:
        for version in VERSIONS:
            peer = self.peer(version)
            for _ in range(3):
                peer.take()
                for byte in peer.flight():
                    peer.deliver(bytes([byte]))
            for byte in peer.say(b"one", b"two" * 5_000):
                peer.deliver(bytes([byte]))
            assert b"".join(peer.heard.pieces) == b"one" + b"two" * 5_000

    def test_said_with_the_end_of_the_handshake(self) -> None:
        peer = self.peer()
        peer.take()
        peer.deliver(peer.flight())
        peer.take()
        peer.deliver(peer.flight() + peer.say(b"one", b"two"))
        assert peer.heard.pieces == [b"onetwo"]

    def test_nothing_is_kept_back_where_reading_pauses(self) -> None:
        """All that one read has brought is the protocol's; the rest is the kernel's, which announces it again."""
        peer = self.shaken()

        def take_and_pause(data: bytes) -> None:
            peer.heard.pieces.append(data)
            peer.server.pauseProducing()

        peer.heard.dataReceived = take_and_pause  # type: ignore[method-assign]
        sent = [b"x" * 10_000] * 20
        peer.socket.send(peer.say(*sent[:3]))
        peer.turn()
        assert peer.heard.pieces == [b"".join(sent[:3])]
        assert peer.server.unread() == 0
        assert peer.reactor.readers == []
        peer.socket.send(peer.say(*sent[3:10]))
        assert peer.server.unread() > 70_000
        peer.server.resumeProducing()
        while peer.server.unread():
            peer.turn()
        assert b"".join(peer.heard.pieces) == b"".join(sent[:10])

    def test_counts_the_wire(self) -> None:
        peer = self.shaken()
        before = peer.server.received
        said = peer.say(b"x" * 100)
        peer.socket.send(said)
        assert peer.server.unread() == len(said)
        peer.turn()
        assert peer.server.received == before + len(said)


class WritingTest(SecureTestCase):
    """What is said arrives, however slowly the peer reads."""

    def test_corked_in_one_record(self) -> None:
        peer = self.shaken()
        cork.put_in()
        for message in (b"one", b"two", b"three"):
            peer.server.write(message)
        peer.take()
        assert peer.records == 0
        cork.pull()
        peer.take()
        assert (peer.received, peer.records) == (b"onetwothree", 1)

    def test_slow_reader(self) -> None:
        for version in VERSIONS:
            peer, told = self.shaken(version), []

            class Producer:
                def pauseProducing(self) -> None:
                    told.append("pause")  # noqa: B023 - within the loop

                def resumeProducing(self) -> None:
                    told.append("resume")  # noqa: B023

                def stopProducing(self) -> None: ...

            peer.server.registerProducer(Producer(), True)
            sent = [bytes([number]) * 99_999 for number in range(20)]
            for each in sent:
                peer.server.write(each)
            assert told[0] == "pause"
            waiting = peer.server.unsent()
            assert waiting > 1_500_000
            while peer.reactor.writers:
                peer.take()
                assert peer.server.doWrite() is None
            peer.take()
            assert peer.received == b"".join(sent)
            assert told[-1] == "resume"
            peer.server.write(b"again at once")
            peer.take()
            assert peer.received.endswith(b"again at once")

    def test_broken(self) -> None:
        peer = self.shaken()
        peer.socket.close()
        peer.server.write(b"one")
        peer.server.write(b"two")
        assert isinstance(peer.server.doWrite(), Exception)


class EndTest(SecureTestCase):
    """However a connection ends, both sides hear of it, and nothing that was said before is lost."""

    def test_closed(self) -> None:
        for version in VERSIONS:
            peer = self.shaken(version)
            cork.put_in()
            peer.server.write(b"last words")
            peer.server.loseConnection()
            peer.server.write(b"too late")
            cork.pull()
            peer.take()
            assert (peer.received, peer.is_closed) == (b"last words", True)
            assert peer.server.doWrite() is CONNECTION_DONE

    def test_closed_by_what_was_read(self) -> None:
        peer = self.shaken()

        def answer(data: bytes) -> None:
            peer.server.write(b"bye")
            peer.server.loseConnection()

        peer.heard.dataReceived = answer  # type: ignore[method-assign]
        peer.deliver(peer.say(b"bye"))
        assert peer.outcome is CONNECTION_DONE
        peer.take()
        assert (peer.received, peer.is_closed) == (b"bye", True)

    def test_peer_says_no_more(self) -> None:
        """By ``close_notify``, by TCP, or by both: it still hears what is answered."""
        for version in VERSIONS:
            for by_tls, by_tcp in ((True, False), (False, True), (True, True)):
                peer = self.shaken(version)
                said = peer.say(b"one")
                if by_tls:
                    peer.tls.shutdown()
                peer.socket.send(said + peer.flight())
                if by_tcp:
                    peer.socket.shutdown(1)
                peer.turn()
                peer.turn()
                assert peer.outcome is CONNECTION_DONE
                peer.server.readConnectionLost(CONNECTION_DONE)
                assert (peer.heard.pieces, peer.heard.has_read_all) == ([b"one"], True)
                peer.server.write(b"answer")
                peer.server.loseConnection()
                peer.take()
                assert peer.received == b"answer"

    def test_gone_in_the_handshake(self) -> None:
        peer = self.peer()
        peer.take()
        peer.deliver(peer.flight()[:100])
        peer.socket.shutdown(1)
        peer.turn()
        assert peer.outcome is CONNECTION_LOST

    def test_refused_before_the_handshake(self) -> None:
        """It is told so as soon as it can hear it."""
        peer = self.peer()
        peer.server.write(b"you are ")
        peer.server.write(b"too many")
        peer.server.loseConnection()
        peer.shake_hands()
        assert (peer.received, peer.is_closed) == (b"you are too many", True)
        assert peer.heard.pieces == []
        assert peer.outcome is CONNECTION_DONE

    def test_closed_before_the_handshake(self) -> None:
        peer = self.peer()
        peer.server.loseConnection()
        assert peer.reactor.soon == [peer.server.connectionLost]

    def test_no_tls(self) -> None:
        for garbage in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x80\x2e\x01\3\3" + b"x" * 60,
            b"\x16\x03\x01\xff\xff" * 9,
        ):
            peer = self.peer()
            peer.deliver(garbage)
            assert peer.outcome is CONNECTION_LOST, garbage
            assert peer.heard.pieces == []

    def test_garbage_after_the_handshake(self) -> None:
        for version in VERSIONS:
            for garbage in (
                b"\x17\x03\x03\x00\x30" + b"x" * 48,
                b"GET / HTTP/1.1\r\n\r\n",
                b"\x17\x03\x03\xff\xff",
            ):
                peer = self.shaken(version)
                peer.deliver(peer.say(b"one") + garbage)
                assert peer.outcome is CONNECTION_LOST, garbage
                assert peer.heard.pieces == [b"one"]
                with self.assertRaises(SSL.Error):
                    peer.take()  # an alert

    def test_no_renegotiation(self) -> None:
        """Who asks for it is told no; the connection goes on, unless the peer doesn't."""
        peer = self.shaken(SSL.TLS1_2_VERSION)
        peer.tls.renegotiate()
        with self.assertRaises(SSL.WantReadError):
            peer.tls.do_handshake()
        peer.deliver(peer.flight())
        assert peer.outcome is None
        with self.assertRaises(SSL.Error) as refused:
            peer.take()
        assert "no renegotiation" in str(refused.exception)
        peer.server.write(b"still here")


class RecordsTest(SecureTestCase):
    """Counting, so that OpenSSL is asked for what there is."""

    def test_any_pieces(self) -> None:
        lengths = [0, 1, 5, 300, 16406]
        stream = b"".join(b"\x17\x03\x03" + length.to_bytes(2) + b"x" * length for length in lengths)
        for size in (1, 2, 3, 4, 5, 6, 7, 11, 305, 1000, len(stream)):
            records = Records()
            counts = [records.count(stream[at : at + size]) for at in range(0, len(stream), size)]
            assert sum(counts) == len(lengths), size

    def test_other_types(self) -> None:
        records = Records()
        assert records.count(b"\x15\x03\x03\x00\x02") >= ALL
        assert records.count(b"xx\x17\x03\x03\x00\x01x") == 2
        assert records.count(b"\x80\x01x") == 0
        assert records.count(b"xx") >= ALL
        assert records.count(b"\x17\x03\x03\x00\x01x") == ALL, "nobody knows where it begins"


class PortTest(SecureTestCase):
    """Where Twisted's TLS stays."""

    def test_only_where_nothing_else_is_between(self) -> None:
        inner = Factory()
        factory = self.certificates.wrap(inner)
        reactor: Any = self.clock
        other: Any = TLSMemoryBIOFactory(self.certificates, False, inner, reactor)
        proxied = ProxyFactory(factory, lambda *_, **__: None, Deadlines(reactor))
        for served, transport, is_direct in (
            (factory, DirectServer, True),
            (factory, Port.transport, False),
            (proxied, DirectServer, False),
            (other, DirectServer, False),
        ):
            port: Any = Port(0, served, reactor=reactor)
            port.transport = transport
            secure(port, factory, self.certificates)
            assert (port.factory is inner) == is_direct
            assert (port.transport is not transport) == is_direct
