"""How a connection over TLS ends: whoever closes it, whatever breaks it, whenever."""

from __future__ import annotations

import gc
import weakref
from unittest import mock

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ma_signaling.transport.sockets import cork
from tests.support.memory_server import CLOSE, UPGRADE, Server, frame
from tests.support.secure_case import SecureTestCase
from tests.support.secure_peer import VERSIONS, Heard


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

    def test_goodbye_by_one_write(self) -> None:
        """A WebSocket's close frame, and that TLS ends with it."""
        peer = self.shaken()
        address = IPv4Address("TCP", "192.0.2.1", 1)
        peer.server.protocol = Server().factory.buildProtocol(address)
        peer.server.protocol.makeConnection(peer.server)
        peer.deliver(peer.say(UPGRADE + b"\r\n"))
        peer.take()
        before = peer.wire.writes
        peer.deliver(peer.say(frame(CLOSE, b"\x03\xe8")))
        peer.take()
        assert peer.received.endswith(b"\r\n\r\n" + frame(CLOSE, b"\x03\xe8", masked=False))
        assert (peer.is_closed, peer.outcome) == (True, CONNECTION_DONE)
        assert peer.wire.writes - before == 1
        assert not cork.is_in

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

    def test_refused_with_what_was_collected(self) -> None:
        peer = self.peer()
        cork.put_in()
        peer.server.write(b"you are too many")
        peer.server.loseConnection()
        cork.pull()
        peer.shake_hands()
        assert (peer.received, peer.is_closed) == (b"you are too many", True)

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

    def test_alert_where_the_protocol_fails(self) -> None:
        for version in VERSIONS:
            peer = self.shaken(version)
            peer.heard.dataReceived = mock.Mock(side_effect=KeyError)  # type: ignore[method-assign]
            with self.assertRaises(KeyError):
                peer.deliver(peer.say(b"one") + b"\x17\x03\x03\x00\x30" + b"x" * 48)
            with self.assertRaises(SSL.Error):
                peer.take()

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
        assert not peer.server.disconnecting
        assert not peer.server._aborting


class LeftBehindTest(SecureTestCase):
    """Nothing of a connection that has ended waits for a search of the garbage collector."""

    def left_of(self, *said: bytes, version: int | None, says_goodbye: bool = False) -> object:
        """Return what is left of a server's end that has heard all this; ``version`` None: without a handshake."""
        peer = self.peer() if version is None else self.shaken(version)
        last = b"".join(said) or peer.say(b"last")
        if says_goodbye:
            peer.tls.shutdown()
            last += peer.flight()
        peer.deliver(last)
        peer.server.connectionLost(Failure(peer.outcome))
        server, tls = weakref.ref(peer.server), weakref.ref(peer.server._tls)
        peer.server = peer.heard.transport = None
        peer.heard = Heard()
        return server() or tls()

    def test_whatever_ends_it(self) -> None:
        damaged = b"\x17\x03\x03\x00\x30" + b"x" * 48
        self.addCleanup(gc.enable)
        gc.disable()
        for version in VERSIONS:
            assert self.left_of(version=version, says_goodbye=True) is None
            assert self.left_of(damaged, version=version) is None
        for no_tls in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 9):
            assert self.left_of(no_tls, version=None) is None
