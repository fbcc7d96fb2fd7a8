"""OpenSSL's own calls do what pyOpenSSL's do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from OpenSSL import SSL

from ma_signaling.transport import openssl_calls
from ma_signaling.transport.openssl_calls import BUFFER_BYTES, DirectCalls, PublicCalls
from tests.support.secure_case import SecureTestCase

SIZES = (1, 300, 16384)


class Pair:
    """A server and a client in memory, after their handshake."""

    def __init__(self, context: Callable[[], SSL.Connection]) -> None:
        self.server, self.client = context(), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        self.server.set_accept_state()
        self.client.set_connect_state()
        for _ in range(3):
            for end in (self.client, self.server):
                with contextlib.suppress(SSL.WantReadError):
                    end.do_handshake()
                self.pass_on()

    def pass_on(self) -> None:
        """Let each have what the other has said."""
        for source, target in ((self.client, self.server), (self.server, self.client)):
            try:
                while True:
                    target.bio_write(source.bio_read(BUFFER_BYTES))
            except SSL.WantReadError:
                pass

    def server_says(self, data: bytes) -> bytes:
        """Return what the server sends for ``data``."""
        self.server.send(data)
        return self.server.bio_read(BUFFER_BYTES)

    def said(self, data: bytes) -> bytes:
        """Return what the client sends for ``data``."""
        self.client.send(data)
        return self.client.bio_read(BUFFER_BYTES)


class CallsTest(SecureTestCase):
    """Each kind of call, with both."""

    def pairs(self) -> list[tuple[PublicCalls, Pair]]:
        """Return both kinds, each with a pair of its own."""

        def context() -> SSL.Connection:
            return self.certificates.serverConnectionForTLS(None)  # type: ignore[arg-type]

        return [(calls, Pair(context)) for calls in (PublicCalls(), DirectCalls())]

    def test_used(self) -> None:
        """This pyOpenSSL has them."""
        assert isinstance(openssl_calls.calls, DirectCalls)

    def test_records(self) -> None:
        for calls, pair in self.pairs():
            for size in SIZES:
                calls.feed(pair.server, pair.said(b"x" * size))
                assert calls.read(pair.server, 16384) == b"x" * size
                calls.write(pair.server, b"y" * size)
                pair.client.bio_write(calls.take(pair.server, BUFFER_BYTES))
                assert pair.client.recv(16384) == b"y" * size

    def test_in_parts(self) -> None:
        for calls, pair in self.pairs():
            calls.feed(pair.server, pair.said(b"abc"))
            assert [calls.read(pair.server, 2) for _ in range(2)] == [b"ab", b"c"]
            for _ in range(20):
                calls.write(pair.server, b"y" * 16384)
            taken = [calls.take(pair.server, 1)]
            while taken[-1]:
                taken.append(calls.take(pair.server, BUFFER_BYTES))
            assert [len(each) for each in taken[:2]] == [1, BUFFER_BYTES]
            pair.client.bio_write(b"".join(taken))
            assert b"".join(pair.client.recv(16384) for _ in range(20)) == b"y" * 16384 * 20

    def test_nothing_there(self) -> None:
        for calls, pair in self.pairs():
            assert calls.read(pair.server, 16384) == calls.take(pair.server, BUFFER_BYTES) == b""

    def test_end(self) -> None:
        for calls, pair in self.pairs():
            pair.client.shutdown()
            pair.pass_on()
            with self.assertRaises(SSL.ZeroReturnError):
                calls.read(pair.server, 16384)
            pair.server.shutdown()
            with self.assertRaises(SSL.Error):
                calls.write(pair.server, b"x")

    def test_damaged(self) -> None:
        """An alert says so, and another connection has nothing of it."""
        for calls, pair in self.pairs():
            record = bytearray(pair.said(b"x" * 20))
            record[-1] ^= 1
            calls.feed(pair.server, bytes(record))
            with self.assertRaisesRegex(SSL.Error, "bad record mac"):
                calls.read(pair.server, 16384)
            assert calls.take(pair.server, BUFFER_BYTES)
            for _, other in self.pairs():
                calls.feed(other.server, other.said(b"x"))
                assert calls.read(other.server, 16384) == b"x"
                assert calls.read(other.server, 16384) == b""

    def test_alert(self) -> None:
        """The peer has given up: a fault, and no goodbye."""
        for calls, pair in self.pairs():
            record = bytearray(pair.server_says(b"x"))
            record[-1] ^= 1
            pair.client.bio_write(bytes(record))
            with self.assertRaises(SSL.Error):
                pair.client.recv(16384)
            calls.feed(pair.server, pair.client.bio_read(BUFFER_BYTES))
            with self.assertRaisesRegex(SSL.Error, "alert bad record mac"):
                calls.read(pair.server, 16384)

    def test_what_others_have_left(self) -> None:
        """The failure of some other call isn't the connection's: before OpenSSL 4, it would be."""
        calls, pair = self.pairs()[1]
        module: Any = SSL
        context: Any = SSL.Context(SSL.TLS_SERVER_METHOD)
        record = pair.said(b"x")
        assert not module._lib.SSL_CTX_use_certificate_chain_file(context._context, b"/no/file")
        calls.feed(pair.server, record)
        assert [calls.read(pair.server, 16384) for _ in range(2)] == [b"x", b""]

    def test_not_there(self) -> None:
        """Where pyOpenSSL lacks a name within, its own calls are used."""
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error"):
            without = mock.Mock(spec=[each for each in dir(self.pairs()[0][1].server) if each != name])
            with mock.patch.object(SSL, "Connection", return_value=without):
                assert type(openssl_calls.fastest_calls()) is PublicCalls
        with mock.patch.object(SSL, "_lib", mock.Mock(spec=["SSL_read"])):
            assert type(openssl_calls.fastest_calls()) is PublicCalls
