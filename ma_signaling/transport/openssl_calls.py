"""The calls of OpenSSL that every message over TLS takes, without what pyOpenSSL does around them.

pyOpenSSL makes a buffer of the largest size for each call, asks for errors after it, and raises an exception where
there is nothing to be read. For a short record, this takes more time than OpenSSL does. ``DirectCalls`` have one buffer
for all, and leave to pyOpenSSL only to say what has failed. They use names that are private to pyOpenSSL: where it has
them no more, ``PublicCalls`` take their place.
"""
# ruff: noqa: SLF001 - what pyOpenSSL keeps within is what this is about

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.logger import Logger

BUFFER_BYTES = 1 << 16

_log = Logger(namespace="ma_signaling")


class PublicCalls:
    """The calls as pyOpenSSL offers them."""

    def feed(self, tls: SSL.Connection, data: bytes) -> None:
        """Let ``tls`` have what was received."""
        tls.bio_write(data)

    def read(self, tls: SSL.Connection, size: int) -> bytes:
        """Return at most ``size`` bytes of what was decrypted, b"" where there are none yet.

        Raises ``ZeroReturnError`` where the peer will say no more, and ``SSL.Error`` for a fault.
        """
        try:
            return tls.recv(size)
        except SSL.WantReadError:
            return b""

    def write(self, tls: SSL.Connection, data: bytes) -> int:
        """Encrypt what fits into one record, and return how many bytes of ``data`` these are.

        Raises ``SSL.Error`` where nothing can be said any more.
        """
        return tls.send(data)

    def take(self, tls: SSL.Connection, size: int) -> bytes:
        """Return at most ``size`` bytes of what is to be sent, b"" where there are none."""
        try:
            return tls.bio_read(size)
        except SSL.WantReadError:
            return b""


class DirectCalls(PublicCalls):
    """The calls as OpenSSL has them.

    pyOpenSSL also raises here what its callbacks have raised. Here they are called during the handshake alone, which
    isn't done by these calls: nobody may renegotiate, and no client is asked for a certificate.
    """

    def __init__(self) -> None:
        """Prepare them. Raises AttributeError where this pyOpenSSL lacks a name."""
        module: Any = SSL
        lib, ffi = module._lib, module._ffi
        self._bio_write, self._ssl_read = lib.BIO_write, lib.SSL_read
        self._ssl_write, self._bio_read = lib.SSL_write, lib.BIO_read
        self._clear_errors = lib.ERR_clear_error
        self._ssl_get_error, self._want_read = lib.SSL_get_error, lib.SSL_ERROR_WANT_READ
        self._buffer = ffi.new("char[]", BUFFER_BYTES)
        self._bytes = ffi.buffer(self._buffer)
        probe: Any = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD))
        _ = probe._ssl, probe._into_ssl, probe._from_ssl, probe._raise_ssl_error

    def feed(self, tls: Any, data: bytes) -> None:
        if self._bio_write(tls._into_ssl, data, len(data)) <= 0:
            super().feed(tls, data)

    def read(self, tls: Any, size: int) -> bytes:
        # Before OpenSSL 4, what another call has left of its failure is taken for this one's (SSL_get_error(3)).
        self._clear_errors()
        count = self._ssl_read(tls._ssl, self._buffer, min(size, BUFFER_BYTES))
        if count <= 0 and self._ssl_get_error(tls._ssl, count) != self._want_read:
            tls._raise_ssl_error(tls._ssl, count)
        decrypted: bytes = self._bytes[: max(0, count)]
        return decrypted

    def write(self, tls: Any, data: bytes) -> int:
        self._clear_errors()
        count: int = self._ssl_write(tls._ssl, data, len(data))
        if count <= 0:
            tls._raise_ssl_error(tls._ssl, count)
        return count

    def take(self, tls: Any, size: int) -> bytes:
        # In memory, reading fails only where there is nothing.
        count = self._bio_read(tls._from_ssl, self._buffer, min(size, BUFFER_BYTES))
        taken: bytes = self._bytes[: max(0, count)]
        return taken


def fastest_calls() -> PublicCalls:
    """Return direct calls, or public ones where this pyOpenSSL has no direct ones."""
    try:
        return DirectCalls()
    except AttributeError as missing:
        _log.warn(
            "TLS costs more: this version of pyOpenSSL has other names within ({missing})", missing=missing
        )
        return PublicCalls()


calls = fastest_calls()
"""Those of this process, whose reactor has one thread."""
