"""TLS for the ports: one certificate for all of them, read again when it is renewed.

New connections are shown the new certificate; those that are open keep the keys that they have agreed on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from prometheus_client.metrics_core import Metric
from twisted.application.service import Service
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from ma_signaling.config.declaration import CannotStart
from ma_signaling.monitoring.metrics import gauge

POLL_SECONDS = 10.0
"""How often the files are looked at."""

DAY = 86400.0

WARN_DAYS = 14
"""How many days before its end a certificate is warned of, once a day."""

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""What TLS 1.2 may use: ephemeral keys and authenticated encryption only. TLS 1.3 knows nothing else."""

HTTP = b"http/1.1"

_log = Logger(namespace="ma_signaling")


class BadPair(Exception):
    """Why a certificate and a key can't be used, in one line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, itself first, and its private key; ``content`` is what the files hold."""

    chain: Sequence[x509.Certificate]
    key: PrivateKeyTypes
    content: bytes = field(repr=False)


def read_pair(certificate_path: Path, key_path: Path) -> Pair:
    """Read two PEM files (one file twice will do). Raises ``BadPair``."""
    certificate_pem, key_pem = _read(certificate_path), _read(key_path)
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
        certified = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise BadPair(f"{certificate_path} holds no certificate in PEM that can be read") from None
    try:
        key = load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise BadPair(
            f"the key in {key_path} is encrypted, and nobody is there to type its password"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadPair(f"{key_path} holds no private key in PEM that can be read") from None
    if key.public_key() != certified:
        raise BadPair(f"the key in {key_path} is not that of the first certificate in {certificate_path}")
    return Pair(chain, key, certificate_pem + key_pem)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadPair(f"{path} cannot be read: {problem.strerror}") from None


def make_context(pair: Pair) -> SSL.Context:
    """What all connections that are shown this certificate share, a key for session tickets included.

    Much as Twisted's CertificateOptions makes it, which has no proper answer to those who don't speak HTTP/1.1. Raises
    ``BadPair`` where OpenSSL refuses it.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Nearly all connections are idle, and those need no buffers.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Sessions are kept by the clients, in tickets.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_select_callback(_select_protocol)
    try:
        context.use_certificate(pair.chain[0])
        context.use_privatekey(pair.key)  # type: ignore[arg-type] # OpenSSL itself knows which keys will do
        for certificate in pair.chain[1:]:
            context.add_extra_chain_cert(certificate)
        # Last, for pyOpenSSL tries it on a connection, and allows no changes after one.
        context.set_cipher_list(CIPHERS)
    except SSL.Error as problem:
        reasons = ", ".join(reason for _, _, reason in problem.args[0])
        raise BadPair(f"OpenSSL refuses the certificate or its key: {reasons}") from None
    return context


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """ALPN (RFC 7301 section 3.2): whoever offers protocols, but not HTTP/1.1, is told so by an alert."""
    if HTTP in offered:
        return HTTP
    # What a callback of pyOpenSSL raises ends the handshake with no_application_protocol, and then surfaces there,
    # where Twisted expects this class and this shape.
    raise SSL.Error([("", "", "no application protocol")])


Stamp = Sequence[tuple[int, ...] | None]
"""By what the files that were read are told from others; None for one that isn't there."""


@implementer(IOpenSSLServerConnectionCreator)
class Certificates(Service):
    """The certificate for new connections: read at the start, when its files change, and on ``reload``.

    A pair that can't be used changes nothing. Files are looked at through symbolic links: those are what certbot and
    Kubernetes replace. Starting raises ``CannotStart`` without a good pair.
    """

    not_after = 0.0
    """When the certificate that is shown ends, as a Unix timestamp."""

    _context: SSL.Context
    _pair: Pair | None = None
    _problem: str | None = None

    def __init__(
        self, certificate: Path, key: Path, reactor: IReactorTime, wall: Callable[[], float] = time.time
    ) -> None:
        self._paths = (certificate, key)
        self._reactor = reactor
        self._wall = wall
        self._seen: Stamp = ()
        self._daily_at = 0.0
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._seen = self._stamp()
        try:
            self._accept(read_pair(*self._paths))
        except BadPair as problem:
            raise CannotStart(f"ma-signaling: no TLS: {problem}") from None

    def startService(self) -> None:
        super().startService()
        self._loop.start(POLL_SECONDS, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def wrap(self, factory: IProtocolFactory) -> TLSMemoryBIOFactory:
        """A factory for TLS connections that carry those of ``factory``."""
        return TLSMemoryBIOFactory(self, isClient=False, wrappedFactory=factory, clock=self._reactor)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """The TLS state of a new connection; Twisted asks for it."""
        return SSL.Connection(self._context)

    def reload(self) -> None:
        """Read the files again, whether they have changed or not."""
        self._problem = None
        self._read(self._stamp())

    def _look(self) -> None:
        stamp = self._stamp()
        if stamp != self._seen:
            self._problem = None
            self._read(stamp)
        elif self._problem is not None:
            # It may have been of our own, such as no descriptor left.
            self._read(stamp)
        if self._pair is not None and self._reactor.seconds() >= self._daily_at:
            self._use(self._pair)
            self._warn()

    def _read(self, stamp: Stamp) -> None:
        """Accept what the files hold; what is wrong with it is logged, but not twice in a row."""
        # Of before the reading: what changes meanwhile is read the next time.
        self._seen = stamp
        try:
            self._accept(read_pair(*self._paths))
            self._problem = None
        except Exception as problem:  # noqa: BLE001 - it would end the looking, unseen until the certificate ends
            text = str(problem) if isinstance(problem, BadPair) else f"unforeseen: {problem!r}"
            if text != self._problem:
                self._problem = text
                _log.error("TLS: {problem}; the previous certificate stays in use", problem=text)

    def _accept(self, pair: Pair) -> None:
        if self._pair is None or pair.content != self._pair.content:
            self._use(pair)
        _log.info("TLS: the certificate is valid until {end}", end=self._end())
        self._warn()

    def _use(self, pair: Pair) -> None:
        """Show a pair to new connections; daily the same again, so that no key of tickets lives for long."""
        self._context = make_context(pair)
        self._pair = pair
        self.not_after = pair.chain[0].not_valid_after_utc.timestamp()
        self._daily_at = self._reactor.seconds() + DAY

    def metrics(self) -> Iterator[Metric]:
        """What an operator wants to see of it."""
        yield gauge(
            "certificate_expiry_timestamp_seconds", "When the certificate ends, in Unix time", self.not_after
        )

    def _warn(self) -> None:
        days = (self.not_after - self._wall()) / DAY
        if days <= 0:
            _log.warn("TLS: the certificate expired on {end}: clients refuse it", end=self._end())
        elif days <= WARN_DAYS:
            _log.warn(
                "TLS: the certificate expires in {days} days, on {end}", days=int(days), end=self._end()
            )

    def _end(self) -> str:
        return f"{datetime.fromtimestamp(self.not_after, UTC):%Y-%m-%d %H:%M} UTC"

    def _stamp(self) -> Stamp:
        return [_stamp(path) for path in self._paths]


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
