"""TLS in the transport: accepted connections that decrypt what they read, and encrypt what they send.

Twisted's TLS is a protocol between the socket and all others. It hands over each record separately, so that one read
can't be answered by one write; it learns by two exceptions that a read is over; and it keeps some ten objects for each
connection. A ``SecureServer`` is a ``DirectServer`` that decrypts and encrypts: the records of one read are handed over
together, corked output becomes one record, and everything else (queues, back-pressure, closing, half-closed peers) is
the same code for both.

OpenSSL uses memory BIOs, as in Twisted. On the socket itself it would read each record by two system calls, and a read
could have to wait until the socket is writable; here it waits for nothing but the peer's bytes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, ISSLTransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling.transport.openssl_calls import LARGE_BYTES, End, calls
from ma_signaling.transport.sockets import DirectServer, DirectUnixServer

USUAL_READ = range(100, LARGE_BYTES + 1)
"""The sizes of reads after which ``ReleasingTLS`` keeps its buffers.

A smaller read is most likely the answer to a ping, which is a good time to release the buffers of earlier messages. A
candidate takes twice as many bytes. If more follows all the same, new buffers are made.
"""

ANSWER_BYTES = 4096
"""How many bytes TLS may send by itself to one peer after the handshake.

Each request for new keys (TLS 1.3), or for another handshake (TLS 1.2), is answered by some 30 bytes, whether the peer
reads or not. Honest peers request new keys once in millions of records, if ever. Tickets count as well.
"""

MAX_MESSAGES = 200
"""How many messages of its own TLS may handle after the handshake (``calls.messages``): new keys take as much time as
eight records, even if the peer requests none in return.
"""


class Handshake:
    """What is to be done once the handshake is complete."""

    def __init__(self) -> None:
        self.data = b""
        """The output to be sent."""
        self.is_closing = False


@implementer(ISSLTransport)
class SecureServer(DirectServer):
    """An accepted connection that speaks TLS; ``received``, ``unread`` and ``unsent`` count bytes on the wire.

    Whether the peer ends its side by ``close_notify`` or without makes no difference, since HTTP and WebSocket mark
    their ends themselves. Pending output to it is still sent.
    """

    _handshake: Handshake | None
    _answered = 0
    """How many bytes TLS has sent by itself since the handshake."""
    _messages = 0

    def __init__(self, tls: IOpenSSLServerConnectionCreator, *arguments: Any) -> None:
        self._tls: SSL.Connection = tls.serverConnectionForTLS(self)  # type: ignore[arg-type]
        self._tls.set_accept_state()
        self._handshake = Handshake()
        super().__init__(*arguments)

    def connectionLost(self, reason: Failure) -> None:
        calls.forget(self._tls)
        super().connectionLost(reason)

    def getPeerCertificate(self) -> Any:
        """Return None: no client is asked for a certificate."""
        return self._tls.get_peer_certificate()

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        if self._handshake is None:
            if self.connected and not self.disconnecting:
                super()._send(calls.say_goodbye(self._tls, self.take_collected()))
            super().loseConnection()
            return
        self.send_collected()
        if self._handshake.data:
            self._handshake.is_closing = True
        else:
            self.abortConnection()

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return CONNECTION_DONE if self._handshake is None else CONNECTION_LOST
        self.received += len(data)
        handshake = self._handshake
        if handshake is None:
            before = calls.messages
            decrypted, end = calls.decrypt(self._tls, data)
            answers = calls.take(self._tls)
            if answers or calls.messages != before:
                self._answer(answers, calls.messages - before)
        else:
            decrypted, end = self._shake_hands(handshake, data)
        try:
            if decrypted and not (self.disconnecting or self._aborting):
                self.protocol.dataReceived(decrypted)
        finally:
            # Handshake messages and tickets, unless the protocol's output has carried them.
            if handshake is not None and (records := calls.take(self._tls)):
                super()._send(records)
        if self._handshake is None and (handshake is not None or len(data) > LARGE_BYTES):
            calls.release_buffers(self._tls)
        # The protocol may have ended the connection itself.
        if end is None or self.disconnecting or self._aborting:
            return None
        return CONNECTION_DONE if end is End.GOODBYE else CONNECTION_LOST

    def _shake_hands(self, handshake: Handshake, data: bytes) -> tuple[bytes, End | None]:
        """Go on with the handshake; return the same as ``calls.decrypt``."""
        self._tls.bio_write(data)
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return b"", None
        except SSL.Error:
            return b"", End.FAULT
        self._handshake = None
        calls.watch(self._tls)
        if handshake.data:
            self.write(handshake.data)
        if handshake.is_closing:
            self.loseConnection()
        return calls.decrypt(self._tls, b"")

    def _answer(self, records: bytes, messages: int) -> None:
        """Send TLS's own answers to so many of its messages, or cut the connection if there are too many."""
        self._answered += len(records)
        self._messages += messages
        if self._answered > ANSWER_BYTES or self._messages > MAX_MESSAGES:
            self.abortConnection()
        else:
            super()._send(records)

    def _send(self, data: bytes) -> None:
        if self._handshake is not None:
            self._handshake.data += data
        elif data and self.connected and not self.disconnecting:
            try:
                records = calls.encrypt(self._tls, data)
            except SSL.Error:
                self.abortConnection()
            else:
                super()._send(records)


class ReleasingTLS(BufferingTLSTransport):
    """Twisted's TLS, where it is still used, with the released buffers and the bounds of ``SecureServer``."""

    transport: Any
    _handshakeDone: bool
    _aborted: bool
    _is_writing = False
    _answered = 0
    _messages = 0

    def dataReceived(self, data: bytes) -> None:
        was_shaken, before = self._handshakeDone, calls.messages
        super().dataReceived(data)
        if self._handshakeDone and not was_shaken and self.connected:
            calls.watch(self._tlsConnection)
        elif calls.messages != before:
            self._messages += calls.messages - before
            if self._messages > MAX_MESSAGES:
                self.abortConnection()
        if self._handshakeDone and len(data) not in USUAL_READ:
            self._release()

    def _write(self, data: bytes) -> None:
        self._is_writing = True
        super()._write(data)
        self._is_writing = False
        if len(data) > LARGE_BYTES:
            self._release()

    def _flushSendBIO(self) -> None:
        records = calls.take(self._tlsConnection)
        if self._handshakeDone and not (self._is_writing or self._aborted):
            self._answered += len(records)
            if self._answered > ANSWER_BYTES:
                self.abortConnection()
                return
        if records:
            self.transport.write(records)

    def _release(self) -> None:
        # Twisted deletes the TLS connection when the TCP connection is lost.
        if self.connected:
            calls.renew_buffers(self._tlsConnection)


class SecureUnixServer(SecureServer, DirectUnixServer):
    """A TLS connection accepted by a Unix socket."""


SECURE: dict[Any, type[SecureServer]] = {DirectServer: SecureServer, DirectUnixServer: SecureUnixServer}


def secure(port: IListeningPort, factory: TLSMemoryBIOFactory, tls: IOpenSSLServerConnectionCreator) -> None:
    """Let the connections that ``port`` accepts for ``factory`` (Twisted's TLS) speak TLS themselves instead.

    Twisted's TLS stays if they aren't direct ones, or if something else comes before TLS (the PROXY protocol).
    """
    kept: Any = port
    server = SECURE.get(getattr(port, "transport", None))
    if server is not None and kept.factory is factory:
        kept.factory = factory.wrappedFactory
        kept.transport = partial(server, tls)


def bound(port: IListeningPort) -> None:
    """Give the connections of ``port`` the bounds of ``ReleasingTLS``, if its endpoint uses Twisted's TLS."""
    factory: Any = getattr(port, "factory", None)
    if isinstance(factory, TLSMemoryBIOFactory):
        factory.protocol = ReleasingTLS
