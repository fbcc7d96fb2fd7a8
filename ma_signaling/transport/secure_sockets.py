"""TLS by the transport itself: accepted connections that decrypt what they read, and encrypt what they send.

Twisted's TLS is a protocol between the socket and all others. It hands over each record by itself, so that what one
read has brought can't be answered by one write; it finds out by two exceptions that a read is over; and it keeps some
ten objects for each connection. A ``SecureServer`` is a ``DirectServer`` that decrypts and encrypts: one read is
decrypted as a whole and handed over at once, what is corked becomes one record, and all else (queues, back-pressure,
closing, half-closed peers) is the one code for both.

OpenSSL works in memory, as it does in Twisted. On the socket itself it would read each record by two system calls, and
reading could wait for writing and the other way round; here it waits for nothing but the peer's bytes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, ISSLTransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ma_signaling.transport.openssl_calls import BUFFER_BYTES, calls
from ma_signaling.transport.sockets import DirectServer, DirectUnixServer

RECORD_BYTES = 1 << 14
"""What a record contains at most (RFC 8446 section 5.1)."""


class Unshaken:
    """What is to happen once the handshake is done."""

    def __init__(self) -> None:
        self.data = b""
        """What is to be sent."""
        self.is_closing = False


@implementer(ISSLTransport)
class SecureServer(DirectServer):
    """An accepted connection that speaks TLS; ``received``, ``unread`` and ``unsent`` count bytes on the wire.

    How the peer ends what it sends, by ``close_notify`` or without, makes no difference, as HTTP and WebSocket say
    themselves where they end; and what is to be sent to it then is sent.
    """

    _unshaken: Unshaken | None

    def __init__(self, tls: IOpenSSLServerConnectionCreator, *arguments: Any) -> None:
        self._tls: SSL.Connection = tls.serverConnectionForTLS(self)  # type: ignore[arg-type]
        self._tls.set_accept_state()
        self._unshaken = Unshaken()
        super().__init__(*arguments)

    def getPeerCertificate(self) -> Any:
        """Return None: no client is asked for a certificate."""
        return self._tls.get_peer_certificate()

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        if self._unshaken is None:
            self.send_collected()
            if self.connected and not self.disconnecting:
                self._say_goodbye()
            super().loseConnection()
        elif self._unshaken.data:
            self._unshaken.is_closing = True
        else:
            self.abortConnection()

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return CONNECTION_DONE if self._unshaken is None else CONNECTION_LOST
        self.received += len(data)
        calls.feed(self._tls, data)
        outcome: Exception | None = None
        decrypted = []
        try:
            if self._unshaken is not None:
                self._shake_hands(self._unshaken)
            while piece := calls.read(self._tls, RECORD_BYTES):
                decrypted.append(piece)
        except SSL.WantReadError:
            # More of the handshake is to come.
            pass
        except SSL.ZeroReturnError:
            outcome = CONNECTION_DONE
        except SSL.Error:
            outcome = CONNECTION_LOST
        self._flush()
        if decrypted and not self.disconnecting:
            self.protocol.dataReceived(decrypted[0] if len(decrypted) == 1 else b"".join(decrypted))
        # The protocol may have ended the connection itself.
        return None if self.disconnecting or self._aborting else outcome

    def _shake_hands(self, unshaken: Unshaken) -> None:
        self._tls.do_handshake()
        self._flush()
        self._unshaken = None
        if unshaken.data:
            self.write(unshaken.data)
        if unshaken.is_closing:
            self.loseConnection()

    def _say_goodbye(self) -> None:
        try:
            self._tls.shutdown()
        except SSL.Error:
            # It has come to an end before.
            return
        self._flush()

    def _send(self, data: bytes) -> None:
        if self._unshaken is not None:
            self._unshaken.data += data
        elif data and self.connected and not self.disconnecting:
            at = 0
            try:
                # It takes a record at most, and less for a peer that has asked for shorter ones (RFC 6066 section 4).
                while at < len(data):
                    at += calls.write(self._tls, data[at : at + RECORD_BYTES])
            except SSL.Error:
                self.abortConnection()
            else:
                self._flush()

    def _flush(self) -> None:
        """Send what OpenSSL has to say by itself: handshakes, alerts, new keys."""
        while data := calls.take(self._tls, BUFFER_BYTES):
            super()._send(data)


class SecureUnixServer(SecureServer, DirectUnixServer):
    """One that came by a Unix socket."""


SECURE: dict[Any, type[SecureServer]] = {DirectServer: SecureServer, DirectUnixServer: SecureUnixServer}


def secure(port: IListeningPort, factory: TLSMemoryBIOFactory, tls: IOpenSSLServerConnectionCreator) -> None:
    """Let the connections that ``port`` accepts for ``factory``, Twisted's own TLS, speak TLS themselves instead.

    Where they aren't direct ones, or something else stands before TLS (the PROXY protocol), Twisted's stays.
    """
    kept: Any = port
    server = SECURE.get(getattr(port, "transport", None))
    if server is not None and kept.factory is factory:
        kept.factory = factory.wrappedFactory
        kept.transport = partial(server, tls)
