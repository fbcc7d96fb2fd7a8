"""TLS on the transport itself: what one end says reaches the other, whatever lies in between."""

from __future__ import annotations

import contextlib
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from ma_signaling.transport.openssl_calls import calls
from ma_signaling.transport.proxy_protocol import ProxyFactory
from ma_signaling.transport.secure_sockets import secure
from ma_signaling.transport.sockets import DirectServer, cork
from ma_signaling.transport.timers import Deadlines
from tests.support.c_heap import heap_bytes
from tests.support.secure_case import SecureTestCase
from tests.support.secure_peer import VERSIONS, Heard, SecurePeer


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
        peer.heard.dataReceived = lambda data: peer.server.write(data[::-1])  # type: ignore[method-assign]
        before = peer.wire.writes
        peer.deliver(peer.flight() + peer.say(b"one", b"two"))
        peer.take()
        assert (peer.received, peer.wire.writes - before) == (b"owteno", 1)

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


class MemoryTest(SecureTestCase):
    """An idle connection takes no memory for what has passed through it."""

    PEERS = 20
    LARGE = b"x" * 50_000

    def crowd(self) -> list[SecurePeer]:
        """Connections after their handshakes; what this machine's OpenSSL sets up once is set up."""
        self.shaken()
        return [self.shaken() for _ in range(self.PEERS)]

    def taken(self, peers: list[SecurePeer]) -> float:
        """The bytes of C's heap that each of them takes, beyond what the others take."""
        for peer in peers:
            # What the clients have kept isn't the server's.
            calls.renew_buffers(peer.tls)
            peer.heard.pieces.clear()
            peer.received = b""
        return heap_bytes() / self.PEERS

    def test_large_reads(self) -> None:
        peers = self.crowd()
        before = self.taken(peers)
        for peer in peers:
            peer.deliver(peer.say(*[self.LARGE[:10_000]] * 5))
            assert b"".join(peer.heard.pieces) == self.LARGE
        assert self.taken(peers) - before < 30_000

    def test_large_writes(self) -> None:
        peers = self.crowd()
        before = self.taken(peers)
        for peer in peers:
            peer.server.write(self.LARGE)
            peer.take()
            assert peer.received == self.LARGE
        assert self.taken(peers) - before < 30_000

    def test_handshakes(self) -> None:
        """What a handshake took is there for the next one, also where a request comes with its end."""
        for request in (b"", b"x" * 300):
            peers = [self.peer() for _ in range(self.PEERS)]
            for peer in peers:
                peer.take()
                peer.deliver(peer.flight())
                peer.take()
                peer.deliver(peer.flight() + (peer.say(request) if request else b""))
                peer.take()
            before = self.taken(peers)
            for peer in peers:
                calls.release_buffers(peer.server._tls)
            assert before - self.taken(peers) < 500

    def test_large_reads_with_more_to_say(self) -> None:
        """The peer asks for a new handshake as well, and is told no."""
        peers = [self.shaken(SSL.TLS1_2_VERSION) for _ in range(self.PEERS)]
        before = self.taken(peers)
        for peer in peers:
            records = peer.say(*[self.LARGE[:10_000]] * 5)
            peer.tls.renegotiate()
            with contextlib.suppress(SSL.WantReadError):
                peer.tls.do_handshake()
            peer.deliver(records + peer.flight())
        # The client's new handshake takes most of it.
        assert self.taken(peers) - before < 50_000

    def test_more_after_the_end(self) -> None:
        """What follows ``close_notify`` is kept nowhere, however long the protocol takes to close."""
        peers = self.crowd()
        before = self.taken(peers)
        for peer in peers:
            peer.tls.shutdown()
            peer.deliver(peer.flight() + self.LARGE)
        assert self.taken(peers) - before < 50_000

    def test_idle(self) -> None:
        """What messages took, either way, is released soon after."""
        peers = self.crowd()
        for read, written in ((3_000, 3_000), (0, 3_000), (3_000, 0)):
            for peer in peers:
                if read:
                    peer.deliver(peer.say(b"x" * read))
                peer.server.write(b"y" * written)
                peer.take()
            before = self.taken(peers)
            calls.release_all()
            assert before - self.taken(peers) > (read + written) * 0.9
        for peer in peers:
            peer.deliver(peer.say(b"one"))
            peer.server.write(b"two")
            peer.take()
            assert (peer.heard.pieces, peer.received) == ([b"one"], b"two")

    def test_twisteds_own(self) -> None:
        """Where something stands before TLS, such as the PROXY protocol."""
        factory = self.certificates.wrap(Factory.forProtocol(Heard))
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        clients, servers = [], []
        for _ in range(self.PEERS):
            client = SSL.Connection(context)
            client.set_connect_state()
            server: Any = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
            server.makeConnection(StringTransport())
            clients.append(client)
            servers.append(server)
        taken = []
        # Twisted waits for more, unless much is to be written.
        for rounds, read, written in ((3, b"", b""), (1, self.LARGE, b""), (1, b"", self.LARGE * 2)):
            for client, server in zip(clients, servers, strict=True):
                for _ in range(rounds):
                    with contextlib.suppress(SSL.WantReadError):
                        client.do_handshake()
                        if read:
                            client.sendall(read)
                    with contextlib.suppress(SSL.WantReadError):
                        server.dataReceived(client.bio_read(1 << 20))
                    server.write(written)
                    answer = server.transport.value()
                    assert len(answer) >= len(written)
                    if answer and not written:
                        client.bio_write(answer)
                    server.transport.clear()
                with contextlib.suppress(SSL.WantReadError):
                    client.recv(1)
                calls.renew_buffers(client)
                assert b"".join(server.wrappedProtocol.pieces) == read
                server.wrappedProtocol.pieces.clear()
            taken.append(heap_bytes() / self.PEERS)
        assert max(taken) - taken[0] < 15_000


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
