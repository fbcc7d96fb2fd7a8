"""OpenSSL's own calls do what pyOpenSSL's do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from OpenSSL import SSL

from ma_signaling.transport import openssl_calls
from ma_signaling.transport.openssl_calls import BUFFER_BYTES, RECORD_BYTES, DirectCalls, End, PublicCalls
from tests.support.secure_case import SecureTestCase

SIZES = (1, 300, RECORD_BYTES)


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

    def direct(self, count: int) -> tuple[DirectCalls, list[Pair]]:
        """Return direct calls, and so many pairs for them."""
        return DirectCalls(), [self.pairs()[1][1] for _ in range(count)]

    def test_used(self) -> None:
        """This pyOpenSSL has them."""
        assert isinstance(openssl_calls.calls, DirectCalls)

    def test_records(self) -> None:
        for calls, pair in self.pairs():
            calls.watch(pair.server)
            for size in SIZES:
                assert calls.decrypt(pair.server, pair.said(b"x" * size)) == (b"x" * size, None)
                pair.client.bio_write(calls.encrypt(pair.server, b"y" * size))
                assert pair.client.recv(RECORD_BYTES) == b"y" * size
            assert calls.messages == 0

    def test_many_records(self) -> None:
        for calls, pair in self.pairs():
            records = b"".join(pair.said(b"x" * RECORD_BYTES) for _ in range(20))
            assert calls.decrypt(pair.server, records) == (b"x" * RECORD_BYTES * 20, None)
            pair.client.bio_write(calls.encrypt(pair.server, b"y" * RECORD_BYTES * 20))
            assert b"".join(pair.client.recv(RECORD_BYTES) for _ in range(20)) == b"y" * RECORD_BYTES * 20

    def test_cut_anywhere(self) -> None:
        """What was received of a record before is no part of what is asked for next."""
        for calls, pair in self.pairs():
            for at in range(1, 60):
                records = pair.said(b"one") + pair.said(b"two")
                before, after = records[:at], records[at:]
                pieces = [calls.decrypt(pair.server, piece) for piece in (before, after)]
                assert [end for _, end in pieces] == [None, None]
                assert b"".join(decrypted for decrypted, _ in pieces) == b"onetwo"

    def test_released_at_any_time(self) -> None:
        """Nothing is lost that is on its way."""
        for calls, pair in self.pairs():
            record = pair.said(b"x" * 300)
            assert calls.decrypt(pair.server, record[:100]) == (b"", None)
            pair.server.send(b"y")
            calls.release_buffers(pair.server)
            pair.client.bio_write(calls.take(pair.server))
            assert pair.client.recv(RECORD_BYTES) == b"y"
            calls.release_buffers(pair.server)
            assert calls.decrypt(pair.server, record[100:]) == (b"x" * 300, None)
            pair.client.bio_write(calls.encrypt(pair.server, b"z"))
            assert pair.client.recv(RECORD_BYTES) == b"z"

    def test_released(self) -> None:
        """Whatever is done next."""
        for calls, pair in self.pairs():
            calls.release_buffers(pair.server)
            assert calls.take(pair.server) == b""
            assert calls.decrypt(pair.server, b"") == (b"", None)
            calls.release_buffers(pair.server)
            calls.release_buffers(pair.server)
            assert calls.decrypt(pair.server, pair.said(b"x")) == (b"x", None)
            calls.release_buffers(pair.server)
            pair.client.bio_write(calls.encrypt(pair.server, b"y"))
            assert pair.client.recv(RECORD_BYTES) == b"y"
            calls.release_buffers(pair.server)
            calls.renew_buffers(pair.server)
            pair.client.bio_write(pair.server_says(b"z"))
            assert pair.client.recv(RECORD_BYTES) == b"z"

    def test_all_released(self) -> None:
        """But for what is on its way, and for what others use."""
        calls, (busy, idle, renewed, gone) = self.direct(4)
        for pair in (busy, idle, renewed, gone):
            calls.release_buffers(pair.server)
            assert calls.decrypt(pair.server, pair.said(b"x")) == (b"x", None)
        busy.server.send(b"y")
        calls.renew_buffers(renewed.server)
        calls.forget(gone.server)
        calls.release_all()
        assert list(calls._with_buffers) == [busy.server]
        busy.client.bio_write(calls.take(busy.server))
        assert busy.client.recv(RECORD_BYTES) == b"y"
        renewed.client.bio_write(renewed.server_says(b"z"))
        assert renewed.client.recv(RECORD_BYTES) == b"z"
        calls.release_all()
        assert not calls._with_buffers

    def test_goodbye(self) -> None:
        """With what is said last, whatever has been released; and nothing where nothing can be said."""
        for last in (b"", b"last", b"last" * 10_000):
            for calls, pair in self.pairs():
                calls.release_buffers(pair.server)
                pair.client.bio_write(calls.say_goodbye(pair.server, last))
                assert calls.decrypt(pair.client, b"") == (last, End.GOODBYE)
                assert calls.say_goodbye(pair.server, b"too late") == b""

    def test_nothing_there(self) -> None:
        for calls, pair in self.pairs():
            assert calls.decrypt(pair.server, b"") == (b"", None)
            assert calls.take(pair.server) == calls.encrypt(pair.server, b"") == b""

    def test_end(self) -> None:
        """What was said before it is handed over with it."""
        for calls, pair in self.pairs():
            last = pair.said(b"last")
            pair.client.shutdown()
            decrypted, end = calls.decrypt(pair.server, last + pair.client.bio_read(BUFFER_BYTES))
            assert (decrypted, end) == (b"last", End.GOODBYE)
            pair.server.shutdown()
            with self.assertRaises(SSL.Error):
                calls.encrypt(pair.server, b"x")

    def test_damaged(self) -> None:
        """An alert says so, and another connection has nothing of it."""
        for calls, pair in self.pairs():
            good, record = pair.said(b"good"), bytearray(pair.said(b"x" * 20))
            record[-1] ^= 1
            decrypted, end = calls.decrypt(pair.server, good + record)
            assert (decrypted, end) == (b"good", End.FAULT)
            assert calls.take(pair.server)
            for _, other in self.pairs():
                assert calls.decrypt(other.server, other.said(b"x")) == (b"x", None)
                assert calls.decrypt(other.server, b"") == (b"", None)

    def test_alert(self) -> None:
        """The peer has given up: a fault, and no goodbye."""
        for calls, pair in self.pairs():
            record = bytearray(pair.server_says(b"x"))
            record[-1] ^= 1
            pair.client.bio_write(bytes(record))
            with self.assertRaises(SSL.Error):
                pair.client.recv(RECORD_BYTES)
            assert calls.decrypt(pair.server, pair.client.bio_read(BUFFER_BYTES)) == (b"", End.FAULT)

    def test_what_others_have_left(self) -> None:
        """The failure of some other call isn't the connection's: before OpenSSL 4, it would be."""
        calls, pair = self.pairs()[1]
        module: Any = SSL
        context: Any = SSL.Context(SSL.TLS_SERVER_METHOD)
        whole, half = pair.said(b"x"), pair.said(b"y")[:10]
        assert not module._lib.SSL_CTX_use_certificate_chain_file(context._context, b"/no/file")
        assert calls.decrypt(pair.server, whole + half) == (b"x", None)

    def test_before_openssl_4(self) -> None:
        """Errors are cleared before each call that may fail."""
        _, pair = self.pairs()[1]
        with mock.patch.object(SSL, "OPENSSL_VERSION_NUMBER", 0x300000F0):
            calls = DirectCalls()
        with mock.patch.object(calls, "_clear_errors") as clear:
            calls.decrypt(pair.server, pair.said(b"x"))
            assert clear.call_count == 1
            calls.encrypt(pair.server, b"y")
            assert clear.call_count == 2

    def test_not_there(self) -> None:
        """Where pyOpenSSL lacks a name within, its own calls are used."""
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error"):
            without = mock.Mock(spec=[each for each in dir(self.pairs()[0][1].server) if each != name])
            with mock.patch.object(SSL, "Connection", return_value=without):
                assert type(openssl_calls.fastest_calls()) is PublicCalls
        with mock.patch.object(SSL, "_lib", mock.Mock(spec=["SSL_read"])):
            assert type(openssl_calls.fastest_calls()) is PublicCalls
