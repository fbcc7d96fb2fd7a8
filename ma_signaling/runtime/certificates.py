"""TLS for the ports: one certificate for all of them, read again when it is renewed.

New connections get the new certificate; open ones keep their keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from ma_signaling.config.declaration import CannotStart
from ma_signaling.monitoring.metric import Metric, gauge
from ma_signaling.runtime.key_pair import BadPair, KeyPair, Stamp, parse_pair, read_pair, readable, stamp_of
from ma_signaling.runtime.tls_context import FindContext, make_context
from ma_signaling.transport.secure_sockets import ReleasingTLS, secure
from ma_signaling.transport.timers import Periodic

POLL_SECONDS = 10.0
"""How often the files are checked for changes."""

DAY = 86400.0

WARN_SECONDS = 14 * DAY
"""How long before a certificate expires the log warns of it; at most a quarter of its lifetime."""

_log = Logger(namespace="ma_signaling")


@implementer(IOpenSSLServerConnectionCreator)
class Certificates(Periodic):
    """The certificate for new connections, read at the start, when its files change, and on ``reload``.

    A pair that can't be used changes nothing, nor does one that isn't valid now if the current one is. Symbolic links
    are followed: certbot and Kubernetes replace those. Starting raises ``CannotStart`` without a usable pair.
    """

    not_after = 0.0
    """When the current certificate expires, as a Unix timestamp."""

    warns_from = 0.0
    """From when on the log warns of that, once a day; a Unix timestamp."""

    _context: SSL.Context
    _pair: KeyPair | None = None
    _problem: str | None = None

    def __init__(
        self,
        certificate: Path,
        key: Path,
        reactor: IReactorTime,
        wall: Callable[[], float] = time.time,
        find_challenge: FindContext = lambda _: None,
        stands_in: Callable[[], bool] = lambda: False,
    ) -> None:
        """``find_challenge`` returns the context for a CA that validates one of this server's names.

        ``stands_in`` returns whether the certificate is a self-signed placeholder, of which the log says nothing.
        """
        super().__init__("TLS certificate", POLL_SECONDS, self._look, reactor)
        self._paths = (certificate.absolute(), key.absolute())
        self._reactor = reactor
        self._wall = wall
        self._find_challenge = find_challenge
        self._stands_in = stands_in
        self._seen: Stamp = ()
        self._daily_at = 0.0

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._seen = stamp_of(*self._paths)
        try:
            self._accept(read_pair(*self._paths))
        except BadPair as problem:
            raise CannotStart(f"no TLS: {problem}") from None

    def wrap(self, factory: IProtocolFactory) -> TLSMemoryBIOFactory:
        """Return a factory that puts TLS below the connections of ``factory``."""
        wrapping = TLSMemoryBIOFactory(self, isClient=False, wrappedFactory=factory, clock=self._reactor)
        wrapping.protocol = ReleasingTLS
        return wrapping

    def secure(self, port: IListeningPort, factory: TLSMemoryBIOFactory) -> None:
        """Let the connections of ``port`` speak TLS themselves; ``factory`` is its factory, made by ``wrap``."""
        secure(port, factory, self)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS state of a new connection; Twisted asks for it."""
        return SSL.Connection(self._context)

    def reload(self) -> None:
        """Read the files again, whether they have changed or not."""
        self._problem = None
        self._read(stamp_of(*self._paths))

    def renewed(self, content: bytes) -> None:
        """Use what was just issued, and logged; the files may not hold it yet."""
        self._problem = None
        self._read(stamp_of(*self._paths), content)

    def _look(self) -> None:
        stamp = stamp_of(*self._paths)
        if stamp != self._seen:
            self._problem = None
            self._read(stamp)
        elif self._problem is not None:
            # The problem may have been this process's, such as no free descriptor.
            self._read(stamp)
        if self._pair is not None and self._reactor.seconds() >= self._daily_at:
            self._use(self._pair)
            self._warn()

    def _read(self, stamp: Stamp, issued: bytes | None = None) -> None:
        """Accept the content of the files, or of ``issued``. A problem is logged, but not twice in a row."""
        # Noted before the files are read, so that a change meanwhile is noticed the next time.
        self._seen = stamp
        try:
            if issued is None:
                self._accept(read_pair(*self._paths))
            else:
                self._accept(parse_pair(issued, issued, *self._paths), is_told=True)
            self._problem = None
        except Exception as problem:  # noqa: BLE001 - it would end the checks, unseen until the certificate expires
            text = str(problem) if isinstance(problem, BadPair) else f"unforeseen: {problem!r}"
            if text != self._problem:
                self._problem = text
                _log.error("TLS: {problem}; the previous certificate stays in use", problem=text)

    def _accept(self, pair: KeyPair, *, is_told: bool = False) -> None:
        if self._is_good() and (invalidity := pair.invalidity(self._wall())) is not None:
            raise BadPair(f"the certificate {invalidity}")
        if self._pair is None or pair.content != self._pair.content:
            self._use(pair)
        if not is_told and not self._stands_in():
            _log.info("TLS: the certificate is valid until {end}", end=self._end())
        self._warn()

    def _use(self, pair: KeyPair) -> None:
        """Use a pair for new connections; the same one once a day, for a new session ticket key."""
        self._context = make_context(pair, self._find_challenge)
        self._pair = pair
        self.not_after = pair.chain[0].not_valid_after_utc.timestamp()
        lifetime = self.not_after - pair.chain[0].not_valid_before_utc.timestamp()
        self.warns_from = self.not_after - min(WARN_SECONDS, lifetime / 4)
        self._daily_at = self._reactor.seconds() + DAY

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the certificate."""
        yield gauge(
            "certificate_expiry_timestamp_seconds", "When the certificate ends, in Unix time", self.not_after
        )
        yield gauge(
            "certificate_warning_timestamp_seconds",
            "From when on the log warns of that end, in Unix time",
            self.warns_from,
        )

    def _is_good(self) -> bool:
        """Return whether clients can be expected to accept the current certificate: valid now, and not self-signed."""
        if self._pair is None or self._pair.invalidity(self._wall()) is not None:
            return False
        certificate = self._pair.chain[0]
        return certificate.issuer != certificate.subject

    def _warn(self) -> None:
        if self._pair is None or self._stands_in():
            return
        now = self._wall()
        if (invalidity := self._pair.invalidity(now)) is not None:
            _log.warn("TLS: the certificate {invalidity}", invalidity=invalidity)
        elif now >= self.warns_from:
            days = int((self.not_after - now) / DAY)
            _log.warn("TLS: the certificate expires in {days} days, on {end}", days=days, end=self._end())

    def _end(self) -> str:
        return readable(datetime.fromtimestamp(self.not_after, UTC))
