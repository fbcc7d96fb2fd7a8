"""What TLS says by itself after the handshake is bounded."""

from __future__ import annotations

import contextlib
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from ma_signaling.transport.secure_sockets import ANSWER_BYTES, MAX_MESSAGES, bound
from tests.support.memory_server import Transport
from tests.support.new_keys import DATA, NewKeys
from tests.support.secure_case import SecureTestCase
from tests.support.secure_peer import Heard, SecurePeer

HONEST = 20
"""Demands for new keys of a peer that stays for months."""

READS = 50


class OwnTlsTest(SecureTestCase):
    """On the transport itself."""

    def shaken_with_keys(self) -> tuple[SecurePeer, NewKeys]:
        """Return a connection after its handshake, and what its client says."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        keys = NewKeys(context)
        peer = SecurePeer(self.certificates, context=context)
        self.addCleanup(peer.close)
        peer.shake_hands()
        return peer, keys

    def test_honest(self) -> None:
        """Each demand is answered, and what is said is heard by both."""
        peer, keys = self.shaken_with_keys()
        for _ in range(HONEST):
            peer.deliver(keys.demand() + keys.record(DATA, b"one,"))
            peer.server.write(b"two,")
            peer.take()
        assert b"".join(peer.heard.pieces) == b"one," * HONEST
        assert peer.received == b"two," * HONEST
        assert not peer.server._aborting

    def test_flood(self) -> None:
        """With nothing else, and with something to read each time."""
        for data in (b"", b"x"):
            peer, keys = self.shaken_with_keys()
            answered = 0
            for _ in range(READS):
                peer.deliver(b"".join(keys.demand() for _ in range(20)) + keys.record(DATA, data))
                with contextlib.suppress(BlockingIOError):
                    answered += len(peer.socket.recv(1 << 20))
            assert peer.server._aborting
            assert answered <= ANSWER_BYTES
            assert len(peer.heard.pieces) < READS // 2

    def test_flood_that_wants_no_answer(self) -> None:
        peer, keys = self.shaken_with_keys()
        for _ in range(HONEST):
            peer.deliver(keys.announce() + keys.record(DATA, b"x"))
        assert b"".join(peer.heard.pieces) == b"x" * HONEST
        for _ in range(READS):
            peer.deliver(b"".join(keys.announce() for _ in range(20)) + keys.record(DATA, b"y"))
        assert peer.server._aborting
        assert len(peer.heard.pieces) < HONEST + READS // 2


class TwistedsTlsTest(SecureTestCase):
    """Where something stands before TLS, and at endpoints that speak TLS themselves."""

    def server(self, factory: Any) -> tuple[Any, NewKeys]:
        """Return the server's end of a connection after its handshake, and what its client says."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        keys = NewKeys(context)
        client = SSL.Connection(context)
        client.set_connect_state()
        server = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        server.makeConnection(Transport())
        for _ in range(2):
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            server.dataReceived(client.bio_read(1 << 20))
            client.bio_write(server.transport.value())
            server.transport.clear()
        return server, keys

    def test_flood(self) -> None:
        reactor: Any = self.clock
        of_an_endpoint: Any = TLSMemoryBIOFactory(
            self.certificates, False, Factory.forProtocol(Heard), reactor
        )
        port: Any = type("Port", (), {"factory": of_an_endpoint})
        bound(port)
        for factory in (self.certificates.wrap(Factory.forProtocol(Heard)), of_an_endpoint):
            server, keys = self.server(factory)
            for _ in range(HONEST):
                server.dataReceived(keys.demand() + keys.record(DATA, b"one,"))
            assert b"".join(server.wrappedProtocol.pieces) == b"one," * HONEST
            assert not server.transport.aborted
            for _ in range(READS):
                server.dataReceived(b"".join(keys.demand() for _ in range(20)))
                if server.transport.aborted:
                    break
            assert server.transport.aborted
            assert len(server.transport.value()) <= ANSWER_BYTES + 100

    def test_flood_that_wants_no_answer(self) -> None:
        server, keys = self.server(self.certificates.wrap(Factory.forProtocol(Heard)))
        for count, is_cut in ((HONEST, False), (MAX_MESSAGES, True)):
            server.dataReceived(b"".join(keys.announce() for _ in range(count)))
            assert server.transport.aborted == is_cut
