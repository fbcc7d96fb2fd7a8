"""The certificate: what is accepted, what clients are offered, and how a renewed one comes into use."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import tempfile
import warnings
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.declaration import CannotStart
from ma_signaling.tls import DAY, POLL_SECONDS, BadPair, Certificates, make_context, read_pair
from tests.certificates import Authority, write_key
from tests.tls_handshake import Handshake, trusting

AUTHORITY = Authority()
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class TlsTestCase(SynchronousTestCase):
    """A directory with a certificate and its key."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.certificate, self.key = self.directory / "fullchain.pem", self.directory / "privkey.pem"
        self.serial = AUTHORITY.issue(self.certificate, self.key)

    def start(self, certificate: Path | None = None, key: Path | None = None) -> Certificates:
        """The service, on a clock of its own, with the wall clock at today and going with it."""
        self.clock = Clock()
        today = x509.load_pem_x509_certificates(self.certificate.read_bytes())[0].not_valid_before_utc
        self.began = today.timestamp() + 200 * DAY
        reactor: Any = self.clock
        certificates = Certificates(
            certificate or self.certificate,
            key or self.key,
            reactor,
            lambda: self.began + self.clock.seconds(),
        )
        certificates.privilegedStartService()
        certificates.startService()
        self.addCleanup(certificates.stopService)
        return certificates


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


class RenewalTest(TlsTestCase):
    """New files are used within ten seconds, or at once on request; bad ones change nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.client = trusting(AUTHORITY.root)
        # Until the end of the test.
        captured = capturedLogs()
        self.logged: Any = captured.__enter__()
        self.addCleanup(captured.__exit__, None, None, None)

    def shown(self, certificates: Certificates) -> int:
        """The serial number that a new client sees."""
        return Handshake(certificates, self.client).serial

    def lines(self, level: LogLevel) -> list[str]:
        """What was logged since the last look."""
        lines = [formatEvent(event) for event in self.logged if event["log_level"] == level]
        self.logged[:] = [event for event in self.logged if event["log_level"] != level]
        return lines

    def turn(self, times: int = 1) -> None:
        """Let the files be looked at."""
        for _ in range(times):
            self.clock.advance(POLL_SECONDS)

    def test_replaced_files(self) -> None:
        certificates = self.start()
        old = Handshake(certificates, self.client)
        serial = AUTHORITY.issue(self.certificate, self.key)
        assert self.shown(certificates) == self.serial
        self.turn()
        assert self.shown(certificates) == serial
        assert old.ask(b"still there?") == b"still there?"
        old.say(b"yes")
        assert old.client.read() == b"yes"

    def test_on_request(self) -> None:
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)
        certificates.reload()
        assert self.shown(certificates) == serial

    def test_replaced_links(self) -> None:
        """As certbot does: the names are links, which are replaced one after the other."""
        links = [self.directory / "live-cert.pem", self.directory / "live-key.pem"]
        for link, target in zip(links, (self.certificate, self.key), strict=True):
            link.symlink_to(target)
        certificates = self.start(*links)
        newer = [self.directory / "fullchain2.pem", self.directory / "privkey2.pem"]
        serial = AUTHORITY.issue(*newer)
        for link, target in zip(links, newer, strict=True):
            link.unlink()
            link.symlink_to(target)
            self.turn()
        assert self.shown(certificates) == serial

    def test_replaced_directory(self) -> None:
        """As Kubernetes does: the names are links through a link to a directory, which alone is replaced."""
        for generation in ("1", "2"):
            (self.directory / generation).mkdir()
        names = ("tls.crt", "tls.key")
        AUTHORITY.issue(*(self.directory / "1" / name for name in names))
        serial = AUTHORITY.issue(*(self.directory / "2" / name for name in names))
        data = self.directory / "..data"
        data.symlink_to("1")
        links = [self.directory / name for name in names]
        for link in links:
            link.symlink_to(Path("..data") / link.name)
        certificates = self.start(*links)
        assert self.shown(certificates) != serial
        (self.directory / "..data_tmp").symlink_to("2")
        (self.directory / "..data_tmp").replace(data)
        self.turn()
        assert self.shown(certificates) == serial

    def test_bad_files_change_nothing_and_are_reported_once(self) -> None:
        certificates = self.start()
        key = self.key.read_bytes()
        for bad in (b"garbage", b"other garbage", None):
            if bad is None:
                self.key.unlink()
            else:
                self.key.write_bytes(bad)
            self.turn(5)
            (line,) = self.lines(LogLevel.error)
            assert line.startswith(f"TLS: {self.key} "), line
            assert line.endswith("; the certificate from before stays"), line
            assert self.shown(certificates) == self.serial
        certificates.reload()
        assert len(self.lines(LogLevel.error)) == 1, "asked for, so it is said again"
        self.key.write_bytes(key)
        self.turn()
        assert self.shown(certificates) == self.serial
        assert not self.lines(LogLevel.error)

    def test_half_of_a_renewal(self) -> None:
        """A new certificate is not used before its key is there."""
        certificates = self.start()
        new_key = self.directory / "new.pem"
        serial = AUTHORITY.issue(self.certificate, new_key)
        self.turn(3)
        assert self.shown(certificates) == self.serial
        assert len(self.lines(LogLevel.error)) == 1
        new_key.replace(self.key)
        self.turn()
        assert self.shown(certificates) == serial

    def test_a_failure_of_our_own_passes(self) -> None:
        """Files that could not be read, though they have not changed since, are tried again."""
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)

        def no_descriptors(path: Path) -> bytes:
            raise OSError(24, "Too many open files")

        patch = self.patch(Path, "read_bytes", no_descriptors)
        self.turn(3)
        (line,) = self.lines(LogLevel.error)
        assert "Too many open files" in line
        patch.restore()
        self.turn()
        assert self.shown(certificates) == serial

    def test_the_unforeseen_does_not_end_the_looking(self) -> None:
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)
        patch = self.patch(Path, "read_bytes", lambda path: None)
        self.turn(3)
        (line,) = self.lines(LogLevel.error)
        assert "unforeseen: TypeError" in line, line
        patch.restore()
        self.turn()
        assert self.shown(certificates) == serial

    def test_end(self) -> None:
        """A metric wants it as a number."""
        certificates = self.start()
        assert certificates.not_after == self.began + 90 * DAY
        AUTHORITY.issue(self.certificate, self.key, days=50)
        self.turn()
        assert abs(certificates.not_after - (self.began + 50 * DAY)) < 100

    def test_warnings(self) -> None:
        """From 14 days before the end on, once a day, and whenever it is read."""
        AUTHORITY.issue(self.certificate, self.key, days=14.5)
        certificates = self.start()
        assert not self.lines(LogLevel.warn)
        self.clock.pump([POLL_SECONDS] * int(DAY / POLL_SECONDS))
        (line,) = self.lines(LogLevel.warn)
        assert line.startswith("TLS: the certificate ends in 13 days, on "), line
        certificates.reload()
        assert len(self.lines(LogLevel.warn)) == 1
        self.clock.pump([POLL_SECONDS] * int(20 * DAY / POLL_SECONDS))
        lines = self.lines(LogLevel.warn)
        assert len(lines) == 20
        assert lines[12].startswith("TLS: the certificate ends in 0 days, on "), lines
        assert lines[13].startswith("TLS: the certificate has ended, on "), lines
        AUTHORITY.issue(self.certificate, self.key, days=90)
        self.turn()
        assert not self.lines(LogLevel.warn)

    def test_warning_at_the_start(self) -> None:
        AUTHORITY.issue(self.certificate, self.key, days=13.9)
        self.start()
        assert self.lines(LogLevel.warn)[0].startswith("TLS: the certificate ends in 13 days, on ")
