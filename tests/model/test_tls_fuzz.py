"""TLS on the transport, with bytes that a stranger has cut anywhere, spoilt, repeated or left out."""

from __future__ import annotations

from random import Random

from OpenSSL import SSL
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from ma_signaling.runtime.certificates import Certificates
from tests.support.secure_peer import VERSIONS, SecurePeer
from tests.support.tls_handshake import TlsTestCase

ROUNDS = 150


class Stranger:
    """A peer that sends messages over a wire on which ``random`` cuts and spoils them."""

    def __init__(self, certificates: Certificates, random: Random) -> None:
        self.random = random
        self.version = random.choice(VERSIONS)
        self.peer = SecurePeer(certificates, self.version)
        self.said = b""
        self.is_spoilt = False

    def deliver(self, data: bytes) -> None:
        """Send bytes in pieces of any length."""
        while data:
            size = self.random.choice((1, 2, 4, 5, 6, 20, 500, 5000, len(data)))
            self.peer.deliver(data[:size])
            data = data[size:]
            if self.random.random() < 0.1 and self.peer.outcome is None:
                self.peer.server.write(b"meanwhile")

    def message(self) -> bytes:
        """Return the records of some messages."""
        messages = [
            self.random.randbytes(self.random.choice((1, 10, 300, 5000, 16384)))
            for _ in range(self.random.randrange(1, 6))
        ]
        self.said += b"".join(messages)
        return self.peer.say(*messages)

    def spoilt(self, data: bytes) -> bytes:
        """Return bytes changed in a way that TLS must notice."""
        self.is_spoilt = True
        at = self.random.randrange(len(data))
        match self.random.randrange(5):
            case 0:
                return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
            case 1:
                return data[:at] + data[at + 1 :]
            case 2:
                return data[:at] + self.random.randbytes(self.random.randrange(1, 40)) + data[at:]
            case 3:
                return data + data
            case _:
                alert = self.random.choice((b"\x02\x28", b"\x01\x00", b"\x01\x64", b"\xff\xff"))
                return b"\x15\x03\x03\x00\x02" + alert + data


class FuzzTest(TlsTestCase):
    """The server passes on a beginning of what was sent, and nothing ever fails."""

    def setUp(self) -> None:
        super().setUp()
        self.certificates = self.start()

    def play(self, seed: int) -> Stranger:
        stranger = Stranger(self.certificates, random := Random(seed))
        self.addCleanup(stranger.peer.close)
        peer, spoils = stranger.peer, random.random() < 0.7
        try:
            for _ in range(3):
                peer.take()
                flight = peer.flight()
                if spoils and flight and random.random() < 0.15:
                    flight = stranger.spoilt(flight)
                stranger.deliver(flight)
            for _ in range(random.randrange(1, 6)):
                data = stranger.message()
                if spoils and random.random() < 0.5:
                    data = stranger.spoilt(data)
                stranger.deliver(data)
                peer.take()
        except SSL.Error:
            # An alert of the server, or the effect of the spoilt bytes on the peer.
            assert stranger.is_spoilt, seed
        return stranger

    def test_any_pieces_of_anything(self) -> None:
        ends = []
        for seed in range(ROUNDS):
            stranger = self.play(seed)
            heard = b"".join(stranger.peer.heard.pieces)
            if stranger.is_spoilt:
                assert stranger.said.startswith(heard), seed
            else:
                assert heard == stranger.said, seed
                assert stranger.peer.outcome is None, seed
            ends.append(stranger.peer.outcome)
        assert {None, CONNECTION_LOST} <= set(ends) <= {None, CONNECTION_DONE, CONNECTION_LOST}
