"""The certificate: what is accepted, and what clients are offered."""

from __future__ import annotations

import contextlib
import os
import ssl
import warnings
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from OpenSSL import SSL
from twisted.internet.task import Clock

from ma_signaling.config.declaration import CannotStart
from ma_signaling.runtime.certificates import DAY, POLL_SECONDS, Certificates
from ma_signaling.runtime.key_pair import BadPair, read_pair
from ma_signaling.runtime.tls_context import make_context
from tests.support.certificates import write_key
from tests.support.tls_handshake import AUTHORITY, Handshake, TlsTestCase, trusting

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class PairTest(TlsTestCase):
    """What is no pair is refused in one line that names the file."""

    def assert_bad(self, hint: str) -> None:
        with self.assertRaises(BadPair) as caught:
            make_context(read_pair(self.certificate, self.key))
        text = str(caught.exception)
        assert hint in text, text
        assert "\n" not in text
        with self.assertRaises(CannotStart) as refused:
            self.start_without_certificate()
        assert str(refused.exception) == f"ma-signaling: no TLS: {text}"

    def start_without_certificate(self) -> None:
        reactor: Any = Clock()
        Certificates(self.certificate, self.key, reactor).privilegedStartService()

    def test_good(self) -> None:
        make_context(read_pair(self.certificate, self.key))

    def test_one_file_for_both(self) -> None:
        self.certificate.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        make_context(read_pair(self.certificate, self.certificate))

    def test_missing(self) -> None:
        self.key.unlink()
        self.assert_bad(f"{self.key} cannot be read: No such file or directory")
        self.certificate.unlink()
        self.assert_bad(f"{self.certificate} cannot be read: No such file or directory")

    def test_garbage(self) -> None:
        good = self.certificate.read_bytes()
        for garbage in (b"", b"\xff\x00", good[: len(good) // 2].replace(b"-----", b"", 1), b"garbage"):
            self.certificate.write_bytes(garbage)
            self.assert_bad(f"{self.certificate} holds no certificate in PEM")
        self.certificate.write_bytes(good)
        self.key.write_bytes(good)
        self.assert_bad(f"{self.key} holds no private key in PEM")

    def test_mismatch(self) -> None:
        write_key(self.key, ec.generate_private_key(ec.SECP256R1()))
        self.assert_bad(f"the key in {self.key} is not that of the first certificate in {self.certificate}")

    def test_chain_in_the_wrong_order(self) -> None:
        chain = x509.load_pem_x509_certificates(self.certificate.read_bytes())
        AUTHORITY.write_chain(self.certificate, *reversed(chain))
        self.assert_bad("is not that of the first certificate in")

    def test_encrypted_key(self) -> None:
        write_key(self.key, ec.generate_private_key(ec.SECP256R1()), b"secret")
        self.assert_bad(f"the key in {self.key} is encrypted")

    def test_key_that_signs_nothing(self) -> None:
        key = x25519.X25519PrivateKey.generate()
        AUTHORITY.certify(self.certificate, key.public_key())
        write_key(self.key, key)
        self.assert_bad("OpenSSL refuses the certificate or its key: unknown certificate type")

    def test_key_that_no_handshake_can_use(self) -> None:
        """OpenSSL takes it; that it fits no cipher shows in a handshake only."""
        key = ec.generate_private_key(ec.SECP256K1())
        AUTHORITY.certify(self.certificate, key.public_key())
        write_key(self.key, key)
        self.assert_bad("with this certificate, every handshake would fail: no shared cipher")

    def test_pipe(self) -> None:
        """Nobody writes into it: reading would take for ever."""
        self.key.unlink()
        os.mkfifo(self.key)
        self.assert_bad(f"{self.key} cannot be read: Not a regular file")


class HandshakeTest(TlsTestCase):
    """What clients are offered."""

    def setUp(self) -> None:
        super().setUp()
        self.certificates = self.start()

    def client(
        self, version: ssl.TLSVersion | None = None, alpn: list[str] | None = None, ciphers: str = ""
    ) -> ssl.SSLContext:
        """A client that speaks this version only, if one is given."""
        context = trusting(AUTHORITY.root)
        if version is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # for TLS 1.1
                context.minimum_version = context.maximum_version = version
        if alpn is not None:
            context.set_alpn_protocols(alpn)
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    def refused(self, client: ssl.SSLContext) -> str:
        with self.assertRaises(ssl.SSLError) as caught:
            Handshake(self.certificates, client)
        return str(caught.exception)

    def test_versions(self) -> None:
        """The whole chain is shown: the client knows the root only."""
        for version in VERSIONS:
            assert Handshake(self.certificates, self.client(version)).serial == self.serial
        old = self.client(ssl.TLSVersion.TLSv1_1, ciphers="ALL:@SECLEVEL=0")
        assert "alert protocol version" in self.refused(old)

    def test_ciphers(self) -> None:
        for weak in (
            "ECDHE-ECDSA-AES128-SHA",
            "ECDHE-ECDSA-AES256-SHA384",
            "ECDHE-ECDSA-AES128-CCM",
            "AES128-GCM-SHA256",
        ):
            client = self.client(ssl.TLSVersion.TLSv1_2, ciphers=f"{weak}:@SECLEVEL=0")
            assert "handshake failure" in self.refused(client), weak
        for strong in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            client = self.client(ssl.TLSVersion.TLSv1_2, ciphers=strong)
            assert Handshake(self.certificates, client).client.cipher()[0] == strong  # type: ignore[index]

    def test_alpn(self) -> None:
        for version in VERSIONS:
            for offered in (["http/1.1"], ["h2", "http/1.1"], ["x", "http/1.1", "h2"]):
                shaken = Handshake(self.certificates, self.client(version, offered))
                assert shaken.client.selected_alpn_protocol() == "http/1.1", offered
            assert Handshake(self.certificates, self.client(version)).client.selected_alpn_protocol() is None
            # RFC 7301 section 3.2
            assert "alert no application protocol" in self.refused(self.client(version, ["h2"]))

    def test_tickets(self) -> None:
        for version in VERSIONS:
            client = self.client(version)
            first = Handshake(self.certificates, client)
            assert not first.client.session_reused
            again = Handshake(self.certificates, client, first.client.session)
            assert again.client.session_reused, version
            assert again.ask(b"x") == b"x"
            # Reading the same files again changes nothing for those who have a ticket.
            self.certificates.reload()
            assert Handshake(self.certificates, client, first.client.session).client.session_reused, version

    def test_tickets_after_a_renewal(self) -> None:
        """An old ticket costs a whole handshake, and nothing else."""
        for version in VERSIONS:
            client = self.client(version)
            first = Handshake(self.certificates, client)
            serial = AUTHORITY.issue(self.certificate, self.key)
            self.certificates.reload()
            again = Handshake(self.certificates, client, first.client.session)
            assert not again.client.session_reused, version
            assert again.serial == serial

    def test_keys_of_tickets_live_for_a_day(self) -> None:
        client = self.client()
        first = Handshake(self.certificates, client)
        self.clock.advance(DAY - POLL_SECONDS)
        assert Handshake(self.certificates, client, first.client.session).client.session_reused
        self.clock.advance(POLL_SECONDS)
        assert not Handshake(self.certificates, client, first.client.session).client.session_reused

    def test_no_renegotiation(self) -> None:
        """A client can't make the server shake hands again and again on one connection."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        asked_by: Any = None
        client, server = SSL.Connection(context), self.certificates.serverConnectionForTLS(asked_by)
        client.set_connect_state()
        server.set_accept_state()

        def go_on() -> None:
            for this, other in ((client, server), (server, client)):
                with contextlib.suppress(SSL.WantReadError):
                    this.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(this.bio_read(65536))

        for _ in range(3):
            go_on()
        assert client.get_protocol_version_name() == "TLSv1.2"
        assert client.renegotiate()
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        server.bio_write(client.bio_read(65536))
        with self.assertRaises(SSL.WantReadError):
            server.recv(1)
        client.bio_write(server.bio_read(65536))
        with self.assertRaises(SSL.Error) as caught:
            client.do_handshake()
        assert "no renegotiation" in str(caught.exception)
        assert server.total_renegotiations() == 0

    def test_idle_connections_hold_no_buffers(self) -> None:
        context = self.certificates._context._context
        library: Any = SSL
        assert library._lib.SSL_CTX_set_mode(context, 0) & SSL.MODE_RELEASE_BUFFERS
