"""What every message over TLS takes of OpenSSL, without what pyOpenSSL does around each call.

pyOpenSSL makes a buffer of the largest size for each call, asks for errors after it, and raises an exception where
there is nothing to be read. For a short record, this takes more time than OpenSSL does. ``DirectCalls`` have one buffer
for all. They use names that are private to pyOpenSSL: where it has them no more, ``PublicCalls`` take their place.
"""
# ruff: noqa: SLF001 - what pyOpenSSL keeps within is what this is about

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from typing import Any

from OpenSSL import SSL
from twisted.logger import Logger

RECORD_BYTES = 1 << 14
"""What a record contains at most (RFC 8446 section 5.1)."""

BUFFER_BYTES = 1 << 16

LARGE_BYTES = 1 << 12
"""Buffers through which more has passed at once are released right after."""

RELEASE_SECONDS = 0.25
"""How long any others are kept at most. A session's next message mostly comes before, a home's doesn't."""

OPENSSL_4 = 0x40000000

_log = Logger(namespace="ma_signaling")


class End(Enum):
    """How TLS ends.

    No exception: with its traceback, one that is returned refers to those who return it, and keeps what they hold.
    """

    GOODBYE = auto()
    """The peer says that it will send no more (``close_notify``)."""
    FAULT = auto()


class PublicCalls:
    """By the calls that pyOpenSSL offers; each connection works in memory, and has shaken hands."""

    messages = 0
    """How often connections that are watched have dealt with a message of TLS's own, all together.

    One that is answered counts twice: for what is read, and what is written. Of pyOpenSSL's calls none can tell.
    """

    def watch(self, tls: SSL.Connection) -> None:
        """Count the messages of a connection from now on."""

    def decrypt(self, tls: SSL.Connection, received: bytes) -> tuple[bytes, End | None]:
        """Return all that ``received`` has completed, and how TLS has ended after it, if it has."""
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
        """Return the records for ``data``, after whatever OpenSSL has to say itself.

        Raises ``SSL.Error`` where nothing can be said any more.
        """
        self._write(tls, data)
        return self.take(tls)

    def say_goodbye(self, tls: SSL.Connection, last: bytes) -> bytes:
        """Return the records for ``last`` and for ``close_notify``, none for what can't be said any more."""
        # TLS may have come to an end before.
        with suppress(SSL.Error):
            self._write(tls, last)
            tls.shutdown()
        return self.take(tls)

    def take(self, tls: SSL.Connection) -> bytes:
        """Return what is to be sent: handshakes, alerts, new keys."""
        taken = []
        try:
            while True:
                taken.append(tls.bio_read(BUFFER_BYTES))
        except SSL.WantReadError:
            return b"".join(taken)

    def release_buffers(self, tls: SSL.Connection) -> None:
        """Let go of the memory through which bytes pass, unless some are still in it; pyOpenSSL can't.

        OpenSSL keeps as much as the most bytes took that were there at once, for as long as the connection lasts. From
        now on, only these calls may be used for the connection.
        """

    def renew_buffers(self, tls: SSL.Connection) -> None:
        """Do the same for a connection that others use as well."""

    def release_all(self) -> None:
        """Release the buffers of all connections; call it every ``RELEASE_SECONDS``.

        One that is busy gets new ones, for a tenth of what a message costs.
        """

    def forget(self, tls: SSL.Connection) -> None:
        """Know a connection no longer that has ended."""

    def _write(self, tls: SSL.Connection, data: bytes) -> None:
        at = 0
        # It takes a record at most, and less for a peer that has asked for shorter ones (RFC 6066 section 4).
        while at < len(data):
            at += tls.send(data[at : at + RECORD_BYTES])


class DirectCalls(PublicCalls):
    """By the calls that OpenSSL has.

    pyOpenSSL also raises here what its callbacks have raised. Here they are called during the handshake alone, which
    isn't done by these calls: nobody may renegotiate, and no client is asked for a certificate. That of ``watch`` is
    none of pyOpenSSL's, and raises nothing.
    """

    def __init__(self) -> None:
        """Prepare them. Raises AttributeError where this pyOpenSSL lacks a name."""
        module: Any = SSL
        lib, ffi = module._lib, module._ffi
        self._bio_write, self._ssl_read = lib.BIO_write, lib.SSL_read
        self._ssl_write, self._bio_read = lib.SSL_write, lib.BIO_read
        self._unread, self._where = lib.BIO_get_mem_data, ffi.new("char *[1]")
        self._bio_new, self._in_memory = lib.BIO_new, lib.BIO_s_mem
        self._ssl_set_bio, self._null = lib.SSL_set_bio, ffi.NULL
        self._clear_errors = lib.ERR_clear_error
        # Before OpenSSL 4, what another call has left of its failure is taken for this one's (SSL_get_error(3)).
        self._must_clear = SSL.OPENSSL_VERSION_NUMBER < OPENSSL_4
        self._ssl_get_error = lib.SSL_get_error
        self._want_read, self._zero_return = lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_ZERO_RETURN
        self._set_info_callback = lib.SSL_set_info_callback
        self._noted = ffi.callback("void (*)(const SSL *, int, int)", self._note)
        self._with_buffers: dict[SSL.Connection, None] = {}
        """Connections that were given buffers, and have not released them."""
        self._buffer = ffi.new("char[]", BUFFER_BYTES)
        self._bytes = ffi.buffer(self._buffer)
        probe: Any = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD))
        # They must be there, and take other values.
        probe._into_ssl, probe._from_ssl = probe._into_ssl, probe._from_ssl
        _ = probe._ssl, probe._raise_ssl_error

    def watch(self, tls: Any) -> None:
        # Nothing is called for data.
        self._set_info_callback(tls._ssl, self._noted)

    def decrypt(self, tls: Any, received: bytes) -> tuple[bytes, End | None]:
        unread = tls._into_ssl or self._give_buffers(tls)
        # In memory, writing fails only where there is no memory, which pyOpenSSL says.
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
            # A record is read as a whole. Seeing that none follows costs less than trying to read it.
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
        # In memory, reading fails only where there is nothing.
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
        # OpenSSL frees those that it had.
        self._ssl_set_bio(tls._ssl, self._null, self._null)
        tls._into_ssl = tls._from_ssl = None
        self.forget(tls)

    def renew_buffers(self, tls: Any) -> None:
        self.release_buffers(tls)
        if tls._into_ssl is None:
            self._give_buffers(tls)
        # They are not to be taken away.
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
        """Give a connection its buffers (back); returns that for what is received."""
        into, out = self._bio_new(self._in_memory()), self._bio_new(self._in_memory())
        if not into or not out:
            raise MemoryError
        self._ssl_set_bio(tls._ssl, into, out)
        tls._into_ssl, tls._from_ssl = into, out
        self._with_buffers[tls] = None
        return into

    def _end(self, tls: Any, count: int) -> End | None:
        """Return why reading has returned ``count``; None: there is no whole record yet."""
        error = self._ssl_get_error(tls._ssl, count)
        if error == self._want_read:
            return None
        # What it says of its failure is nobody else's; and what follows, nobody will read.
        self._clear_errors()
        while self._bio_read(tls._into_ssl, self._buffer, BUFFER_BYTES) > 0:
            pass
        return End.GOODBYE if error == self._zero_return else End.FAULT


def fastest_calls() -> PublicCalls:
    """Return direct calls, or public ones where this pyOpenSSL has no direct ones."""
    try:
        return DirectCalls()
    except AttributeError as missing:
        _log.warn(
            "TLS takes more time and memory: this version of pyOpenSSL has other names within ({missing})",
            missing=missing,
        )
        return PublicCalls()


calls = fastest_calls()
"""Those of this process, whose reactor has one thread."""
