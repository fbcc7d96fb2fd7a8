"""The OpenSSL calls that every message over TLS needs, without pyOpenSSL's overhead.

For each call pyOpenSSL allocates a buffer of the largest size, asks for errors afterwards, and raises an exception if
there is nothing to read. For a short record this takes more time than OpenSSL itself. ``DirectCalls`` use one buffer
for all calls. They depend on private names of pyOpenSSL; ``PublicCalls`` replace them where those are missing.
"""
# ruff: noqa: SLF001 - pyOpenSSL's internals are the point of this module

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from typing import Any

from OpenSSL import SSL
from twisted.logger import Logger

RECORD_BYTES = 1 << 14
"""The most that a record contains (RFC 8446 section 5.1)."""

BUFFER_BYTES = 1 << 16

LARGE_BYTES = 1 << 12
"""Buffers that held more than this are released right after."""

RELEASE_SECONDS = 0.25
"""How long any others are kept, at most. The next message usually comes earlier in a session, but not from a home."""

OPENSSL_4 = 0x40000000

_log = Logger(namespace="ma_signaling")


class End(Enum):
    """How TLS ends.

    Not an exception: a returned exception refers by its traceback to the frames it passed, and keeps their objects.
    """

    GOODBYE = auto()
    """The peer will send no more (``close_notify``)."""
    FAULT = auto()


class PublicCalls:
    """The calls, by pyOpenSSL's public API. Connections use memory BIOs, and their handshake is done."""

    messages = 0
    """How many TLS protocol messages, such as key updates, all watched connections have handled.

    One that is answered counts twice, for reading and writing. Stays 0 here: pyOpenSSL's API can't tell.
    """

    def watch(self, tls: SSL.Connection) -> None:
        """Count the TLS protocol messages of a connection from now on."""

    def decrypt(self, tls: SSL.Connection, received: bytes) -> tuple[bytes, End | None]:
        """Return the data of all records that ``received`` completes, and how TLS has ended after it, if it has."""
        if received:
            tls.bio_write(received)
        decrypted = b""
        try:
            while True:
                decrypted += tls.recv(RECORD_BYTES)
        except SSL.WantReadError:
            return decrypted, None
        except SSL.ZeroReturnError:
            return decrypted, End.GOODBYE
        except SSL.Error:
            return decrypted, End.FAULT

    def encrypt(self, tls: SSL.Connection, data: bytes) -> bytes:
        """Return the records for ``data``, after any of OpenSSL's own.

        Raises ``SSL.Error`` if nothing can be sent any more.
        """
        self._write(tls, data)
        return self.take(tls)

    def say_goodbye(self, tls: SSL.Connection, last: bytes) -> bytes:
        """Return the records for ``last`` and ``close_notify``, without those that can't be sent any more."""
        # TLS may have ended already.
        with suppress(SSL.Error):
            self._write(tls, last)
            tls.shutdown()
        return self.take(tls)

    def take(self, tls: SSL.Connection) -> bytes:
        """Return OpenSSL's pending output: handshakes, alerts, new keys."""
        taken = []
        try:
            while True:
                taken.append(tls.bio_read(BUFFER_BYTES))
        except SSL.WantReadError:
            return b"".join(taken)

    def release_buffers(self, tls: SSL.Connection) -> None:
        """Free the memory of the BIOs, unless bytes are in them. Does nothing here: pyOpenSSL's API can't.

        Otherwise a BIO keeps its largest size as long as the connection lasts. From now on, only these calls may be
        used for the connection.
        """

    def renew_buffers(self, tls: SSL.Connection) -> None:
        """Free the memory of the BIOs likewise, for a connection that is used by other calls as well."""

    def release_all(self) -> None:
        """Release the buffers of all connections; call this every ``RELEASE_SECONDS``.

        A busy connection gets new ones, at a tenth of the cost of a message.
        """

    def forget(self, tls: SSL.Connection) -> None:
        """Forget a connection that has ended."""

    def _write(self, tls: SSL.Connection, data: bytes) -> None:
        at = 0
        # ``send`` takes one record, or less if the peer has asked for shorter records (RFC 6066 section 4).
        while at < len(data):
            at += tls.send(data[at : at + RECORD_BYTES])


class DirectCalls(PublicCalls):
    """The calls, by OpenSSL's C API.

    Unlike pyOpenSSL's calls they don't raise what its callbacks raised. Those run only in the handshake, which isn't
    done by these calls: renegotiation is off, and no client is asked for a certificate. The callback of ``watch`` isn't
    pyOpenSSL's, and raises nothing.
    """

    def __init__(self) -> None:
        """Look up the functions. Raises AttributeError if this pyOpenSSL lacks a name."""
        module: Any = SSL
        lib, ffi = module._lib, module._ffi
        self._bio_write, self._ssl_read = lib.BIO_write, lib.SSL_read
        self._ssl_write, self._bio_read = lib.SSL_write, lib.BIO_read
        self._unread, self._where = lib.BIO_get_mem_data, ffi.new("char *[1]")
        self._bio_new, self._in_memory = lib.BIO_new, lib.BIO_s_mem
        self._ssl_set_bio, self._null = lib.SSL_set_bio, ffi.NULL
        self._clear_errors = lib.ERR_clear_error
        # Before OpenSSL 4, an error that another call has left is taken for this one's (SSL_get_error(3)).
        self._must_clear = SSL.OPENSSL_VERSION_NUMBER < OPENSSL_4
        self._ssl_get_error = lib.SSL_get_error
        self._want_read, self._zero_return = lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_ZERO_RETURN
        self._set_info_callback = lib.SSL_set_info_callback
        self._noted = ffi.callback("void (*)(const SSL *, int, int)", self._note)
        self._with_buffers: dict[SSL.Connection, None] = {}
        """Connections that have buffers to release."""
        self._buffer = ffi.new("char[]", BUFFER_BYTES)
        self._bytes = ffi.buffer(self._buffer)
        probe: Any = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD))
        # These names must exist and be writable.
        probe._into_ssl, probe._from_ssl = probe._into_ssl, probe._from_ssl
        _ = probe._ssl, probe._raise_ssl_error

    def watch(self, tls: Any) -> None:
        # The callback isn't called for application data.
        self._set_info_callback(tls._ssl, self._noted)

    def decrypt(self, tls: Any, received: bytes) -> tuple[bytes, End | None]:
        unread = tls._into_ssl or self._give_buffers(tls)
        # Writing to a memory BIO fails only without memory; pyOpenSSL then raises the right error.
        if received and self._bio_write(unread, received, len(received)) <= 0:
            tls.bio_write(received)
        ssl, decrypted = tls._ssl, b""
        while True:
            if self._must_clear:
                self._clear_errors()
            count = self._ssl_read(ssl, self._buffer, RECORD_BYTES)
            if count <= 0:
                return decrypted, self._end(tls, count)
            decrypted += self._bytes[:count]
            # Each call reads a whole record. To see that none follows costs less than another read.
            if not self._unread(unread, self._where):
                return decrypted, None

    def encrypt(self, tls: Any, data: bytes) -> bytes:
        self._write(tls, data)
        records = self.take(tls)
        if len(data) > LARGE_BYTES:
            self.release_buffers(tls)
        return records

    def take(self, tls: Any) -> bytes:
        if tls._from_ssl is None:
            return b""
        # Reading from a memory BIO fails only if it is empty.
        count = self._bio_read(tls._from_ssl, self._buffer, BUFFER_BYTES)
        if count <= 0:
            return b""
        taken: bytes = self._bytes[:count]
        if count < BUFFER_BYTES:
            return taken
        pieces = [taken]
        while (count := self._bio_read(tls._from_ssl, self._buffer, BUFFER_BYTES)) > 0:
            pieces.append(self._bytes[:count])
        return b"".join(pieces)

    def release_buffers(self, tls: Any) -> None:
        if tls._into_ssl is None or any(
            self._unread(bio, self._where) for bio in (tls._into_ssl, tls._from_ssl)
        ):
            return
        # This frees the BIOs.
        self._ssl_set_bio(tls._ssl, self._null, self._null)
        tls._into_ssl = tls._from_ssl = None
        self.forget(tls)

    def renew_buffers(self, tls: Any) -> None:
        self.release_buffers(tls)
        if tls._into_ssl is None:
            self._give_buffers(tls)
        # So that ``release_all`` leaves them.
        self.forget(tls)

    def release_all(self) -> None:
        for tls in list(self._with_buffers):
            self.release_buffers(tls)

    def forget(self, tls: SSL.Connection) -> None:
        self._with_buffers.pop(tls, None)

    def _write(self, tls: Any, data: bytes) -> None:
        if tls._from_ssl is None:
            self._give_buffers(tls)
        at = 0
        while at < len(data):
            record = data[at : at + RECORD_BYTES]
            if self._must_clear:
                self._clear_errors()
            count = self._ssl_write(tls._ssl, record, len(record))
            if count <= 0:
                tls._raise_ssl_error(tls._ssl, count)
            at += count

    def _note(self, ssl: object, where: int, code: int) -> None:
        if where == SSL.SSL_CB_ACCEPT_EXIT:
            self.messages += 1

    def _give_buffers(self, tls: Any) -> Any:
        """Give a connection new buffers; return the one for received bytes."""
        into, out = self._bio_new(self._in_memory()), self._bio_new(self._in_memory())
        if not into or not out:
            raise MemoryError
        self._ssl_set_bio(tls._ssl, into, out)
        tls._into_ssl, tls._from_ssl = into, out
        self._with_buffers[tls] = None
        return into

    def _end(self, tls: Any, count: int) -> End | None:
        """Return how TLS has ended, given that ``SSL_read`` returned ``count``; None: no record is complete yet."""
        error = self._ssl_get_error(tls._ssl, count)
        if error == self._want_read:
            return None
        # Leave the error to no other call, and discard bytes that nobody will read.
        self._clear_errors()
        while self._bio_read(tls._into_ssl, self._buffer, BUFFER_BYTES) > 0:
            pass
        return End.GOODBYE if error == self._zero_return else End.FAULT


def fastest_calls() -> PublicCalls:
    """Return ``DirectCalls``, or ``PublicCalls`` if this pyOpenSSL lacks a private name."""
    try:
        return DirectCalls()
    except AttributeError as missing:
        _log.warn(
            "TLS takes more time and memory: this version of pyOpenSSL lacks internal names ({missing})",
            missing=missing,
        )
        return PublicCalls()


calls = fastest_calls()
"""One for the process, whose reactor has one thread."""
