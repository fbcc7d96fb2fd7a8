"""TLS of the generator: pyOpenSSL, whose OpenSSL is newer, and so faster, than that of many a Python."""

from __future__ import annotations

from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from OpenSSL import SSL

from ma_signaling.transport.openssl_calls import End, calls


def trusting_context() -> SSL.Context:
    """A client's TLS that takes any certificate, since ours signs itself.

    Keys are agreed on by P-256: what two servers would choose of all that a client offers depends on their OpenSSL, and
    it is not that which is compared.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_tmp_ecdh(SECP256R1())
    return context


class Secure:
    """TLS between a socket and its peer."""

    __slots__ = ("_tls", "has_ended", "hello", "is_ready")

    def __init__(self, context: SSL.Context) -> None:
        self._tls = SSL.Connection(context, None)
        self._tls.set_connect_state()
        self.is_ready = self.has_ended = False
        self.hello = self.shake_hands(b"")
        """What is said first."""

    def shake_hands(self, data: bytes) -> bytes:
        """Take what the server said; return what is to be said."""
        if data:
            self._tls.bio_write(data)
        with suppress(SSL.WantReadError):
            self._tls.do_handshake()
            self.is_ready = True
        return self._to_server()

    def encrypt(self, data: bytes) -> bytes:
        """What is to be sent for ``data``."""
        return calls.encrypt(self._tls, data)

    def decrypt(self, data: bytes) -> bytes:
        """What came in ``data``."""
        decrypted, end = calls.decrypt(self._tls, data)
        if end is End.FAULT:
            raise SSL.Error("a record could not be read")
        self.has_ended = end is End.GOODBYE
        return decrypted

    def end(self) -> bytes:
        """What answers the server's end of TLS; it waits for that before it ends TCP."""
        return calls.say_goodbye(self._tls, b"")

    def _to_server(self) -> bytes:
        return calls.take(self._tls)
