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
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling.transport.openssl_calls import LARGE_BYTES, End, calls
from ma_signaling.transport.sockets import DirectServer, DirectUnixServer

USUAL_READ = range(100, LARGE_BYTES + 1)
"""The sizes of reads after which Twisted's TLS keeps its buffers as they are.

A smaller one is most likely the answer to a ping, so that this is the time to release what was used before it. A
candidate takes twice as many bytes. Where it is something else, the buffers are made anew.
"""

ANSWER_BYTES = 4096
"""What TLS says by itself to one peer after the handshake.

Each demand for new keys (TLS 1.3), or for another handshake (TLS 1.2), is answered by some 30 bytes, whether the peer
reads or not. Honest peers demand new keys once in millions of records, if ever. Tickets count as well.
"""

MOST_MESSAGES = 200
"""How often TLS deals with a message of its own after the handshake (``calls.messages``): a new key takes as much time
as eight records, also where the peer demands none in return.
"""


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
    _answered = 0
    """How many bytes TLS has said by itself since the handshake."""
    _messages = 0

    def __init__(self, tls: IOpenSSLServerConnectionCreator, *arguments: Any) -> None:
        self._tls: SSL.Connection = tls.serverConnectionForTLS(self)  # type: ignore[arg-type]
        self._tls.set_accept_state()
        self._unshaken = Unshaken()
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
        if self._unshaken is None:
            if self.connected and not self.disconnecting:
                super()._send(calls.say_goodbye(self._tls, self.take_collected()))
            super().loseConnection()
            return
        self.send_collected()
        if self._unshaken.data:
            self._unshaken.is_closing = True
        else:
            self.abortConnection()

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return CONNECTION_DONE if self._unshaken is None else CONNECTION_LOST
        self.received += len(data)
        unshaken = self._unshaken
        if unshaken is None:
            before = calls.messages
            decrypted, end = calls.decrypt(self._tls, data)
            answers = calls.take(self._tls)
            if answers or calls.messages != before:
                self._answer(answers, calls.messages - before)
        else:
            decrypted, end = self._shake_hands(unshaken, data)
        try:
            if decrypted and not (self.disconnecting or self._aborting):
                self.protocol.dataReceived(decrypted)
        finally:
            # Handshakes and tickets, if what the protocol has sent hasn't taken them along.
            if unshaken is not None and (records := calls.take(self._tls)):
                super()._send(records)
        if self._unshaken is None and (unshaken is not None or len(data) > LARGE_BYTES):
            calls.release_buffers(self._tls)
        # The protocol may have ended the connection itself.
        if end is None or self.disconnecting or self._aborting:
            return None
        return CONNECTION_DONE if end is End.GOODBYE else CONNECTION_LOST

    def _shake_hands(self, unshaken: Unshaken, data: bytes) -> tuple[bytes, End | None]:
        """Go on with the handshake; returns what ``calls.decrypt`` does."""
        self._tls.bio_write(data)
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return b"", None
        except SSL.Error:
            return b"", End.FAULT
        self._unshaken = None
        calls.watch(self._tls)
        if unshaken.data:
            self.write(unshaken.data)
        if unshaken.is_closing:
            self.loseConnection()
        return calls.decrypt(self._tls, b"")

    def _answer(self, records: bytes, messages: int) -> None:
        """Send what TLS says by itself to so many messages, or end the connection where it is too much."""
        self._answered += len(records)
        self._messages += messages
        if self._answered > ANSWER_BYTES or self._messages > MOST_MESSAGES:
            self.abortConnection()
        else:
            super()._send(records)

    def _send(self, data: bytes) -> None:
        if self._unshaken is not None:
            self._unshaken.data += data
        elif data and self.connected and not self.disconnecting:
            try:
                records = calls.encrypt(self._tls, data)
            except SSL.Error:
                self.abortConnection()
            else:
                super()._send(records)


class ReleasingTLS(BufferingTLSTransport):
    """Twisted's TLS, where it stays; it releases its buffers too, and answers no more than ``SecureServer``."""

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
            if self._messages > MOST_MESSAGES:
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
        # Twisted lets go of the TLS connection when the other one is lost.
        if self.connected:
            calls.renew_buffers(self._tlsConnection)


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


def bound(port: IListeningPort) -> None:
    """Let the connections of ``port`` have the bounds of ``ReleasingTLS`` where its endpoint speaks TLS by itself."""
    factory: Any = getattr(port, "factory", None)
    if isinstance(factory, TLSMemoryBIOFactory):
        factory.protocol = ReleasingTLS
