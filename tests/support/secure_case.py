"""Connections over TLS in memory, for tests of the transport."""

from __future__ import annotations

from OpenSSL import SSL

from ma_signaling.transport.sockets import cork
from tests.support.secure_peer import SecurePeer
from tests.support.tls_handshake import TlsTestCase


class SecureTestCase(TlsTestCase):
    """A server's certificate, and peers."""

    def setUp(self) -> None:
        super().setUp()
        self.certificates = self.start()
        self.addCleanup(cork.pull)

    def peer(self, version: int = SSL.TLS1_3_VERSION) -> SecurePeer:
        """Return a connection that has just been accepted."""
        peer = SecurePeer(self.certificates, version)
        self.addCleanup(peer.close)
        return peer

    def shaken(self, version: int = SSL.TLS1_3_VERSION) -> SecurePeer:
        """Return a connection after its handshake."""
        peer = self.peer(version)
        peer.shake_hands()
        return peer
