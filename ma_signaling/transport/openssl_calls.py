"""The calls of OpenSSL that every message over TLS takes, without what pyOpenSSL does around them.

Around each, pyOpenSSL makes a buffer of the largest size and asks for errors, which takes more time than a short record
itself; and that there is nothing to be read, it says by an exception. Here one buffer serves all. A call that fails is
made again by pyOpenSSL, whose exception says why. Where this pyOpenSSL has no such calls within, its own are used.
"""
# ruff: noqa: SLF001 - what pyOpenSSL keeps within is what this is about

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

BUFFER_BYTES = 1 << 16


class PublicCalls:
    """As pyOpenSSL offers them."""

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

    def write(self, tls: SSL.Connection, data: bytes) -> None:
        """Encrypt ``data``, a record at most. Raises ``SSL.Error`` where nothing can be said any more."""
        tls.send(data)

    def take(self, tls: SSL.Connection, size: int) -> bytes:
        """Return at most ``size`` bytes of what is to be sent, b"" where there are none."""
        try:
            return tls.bio_read(size)
        except SSL.WantReadError:
            return b""


class DirectCalls(PublicCalls):
    """OpenSSL's own."""

    def __init__(self) -> None:
        """Prepare them. Raises AttributeError where this pyOpenSSL keeps them elsewhere."""
        within: Any = SSL
        lib, ffi = within._lib, within._ffi
        self._bio_write, self._ssl_read = lib.BIO_write, lib.SSL_read
        self._ssl_write, self._bio_read = lib.SSL_write, lib.BIO_read
        self._clear_errors = lib.ERR_clear_error
        self._ssl_get_error, self._want_read = lib.SSL_get_error, lib.SSL_ERROR_WANT_READ
        self._buffer = ffi.new("char[]", BUFFER_BYTES)
        self._bytes = ffi.buffer(self._buffer)
        probe: Any = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD))
        _ = probe._ssl, probe._into_ssl, probe._from_ssl

    def feed(self, tls: Any, data: bytes) -> None:
        # Before OpenSSL 4, what another call has left of its failure is taken for this connection's (SSL_get_error(3)).
        self._clear_errors()
        if self._bio_write(tls._into_ssl, data, len(data)) <= 0:
            super().feed(tls, data)

    def read(self, tls: Any, size: int) -> bytes:
        count = self._ssl_read(tls._ssl, self._buffer, min(size, BUFFER_BYTES))
        if count > 0:
            decrypted: bytes = self._bytes[:count]
            return decrypted
        return b"" if self._ssl_get_error(tls._ssl, count) == self._want_read else super().read(tls, size)

    def write(self, tls: Any, data: bytes) -> None:
        if self._ssl_write(tls._ssl, data, len(data)) <= 0:
            super().write(tls, data)

    def take(self, tls: Any, size: int) -> bytes:
        if size > BUFFER_BYTES:
            return super().take(tls, size)
        # In memory, it can't fail but where there is nothing.
        said: bytes = self._bytes[: max(0, self._bio_read(tls._from_ssl, self._buffer, size))]
        return said


def found() -> PublicCalls:
    """Return the fastest calls that this pyOpenSSL has."""
    try:
        return DirectCalls()
    except AttributeError:
        return PublicCalls()


openssl = found()
"""The process's own: its reactor has one thread."""
