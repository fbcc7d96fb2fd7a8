"""The generator's TLS: pyOpenSSL, whose OpenSSL is newer, and so faster, than that of many Python builds."""

from __future__ import annotations

from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from OpenSSL import SSL

from ma_signaling.transport.openssl_calls import End, calls


def trusting_context() -> SSL.Context:
    """Return a client's TLS context that accepts any certificate, since ours is self-signed.

    It offers only P-256 for the key agreement. Otherwise each server's choice would depend on its OpenSSL, which isn't
    what is compared.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_tmp_ecdh(SECP256R1())
    return context


class Secure:
    """The TLS of one connection, between its socket and its ``Peer``."""

    __slots__ = ("_tls", "has_ended", "hello", "is_ready")

    def __init__(self, context: SSL.Context) -> None:
        self._tls = SSL.Connection(context, None)
        self._tls.set_connect_state()
        self.is_ready = self.has_ended = False
        self.hello = self.shake_hands(b"")
        """The first bytes to send."""

    def shake_hands(self, data: bytes) -> bytes:
        """Take bytes from the server; return the bytes to send."""
        if data:
            self._tls.bio_write(data)
        with suppress(SSL.WantReadError):
            self._tls.do_handshake()
            self.is_ready = True
        return self._to_server()

    def encrypt(self, data: bytes) -> bytes:
        """Return ``data`` encrypted."""
        return calls.encrypt(self._tls, data)

    def decrypt(self, data: bytes) -> bytes:
        """Return the received ``data`` decrypted; note whether the server has ended TLS."""
        decrypted, end = calls.decrypt(self._tls, data)
        if end is End.FAULT:
            raise SSL.Error("a record could not be read")
        self.has_ended = end is End.GOODBYE
        return decrypted

    def end(self) -> bytes:
        """Return the answer to the server's end of TLS, for which it waits before it ends TCP."""
        return calls.say_goodbye(self._tls, b"")

    def _to_server(self) -> bytes:
        return calls.take(self._tls)
