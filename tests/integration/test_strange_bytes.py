"""Bytes that nobody expects, or that come one at a time, at the ports of a real process."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

from tests.support.free_ports import free_port
from tests.support.memory_server import TEXT, UPGRADE, frame
from tests.support.proxy_processes import proxy_v1, proxy_v2
from tests.support.server_process import ServerProcess

AT_ONCE = 9.0
"""Seconds that it may take to close at once: less than the 10 s that a head, or a PROXY header, may take."""

CLIENT_HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"
HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
MALFORMED = [
    b"PROXY TCP4 1.1.1.1 2.2.2.2 a b\r\n",
    b"PROXY TCP4 \xff 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\1x",
    b"\r\n\r\n\0\r\nQUIT\n\xff\xff\0\0",
    HEALTH,
]


def answer(port: int, pieces: Iterable[bytes]) -> bytes:
    """Return all that comes until the server closes, which must be long before any deadline."""
    received, begun = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", port), AT_ONCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
            while more := client.recv(65536):
                received += more
        except ConnectionError:
            # It was closed while more was being sent.
            pass
    assert time.monotonic() - begun < AT_ONCE
    return received


def single_bytes(data: bytes) -> list[bytes]:
    """Return these bytes one by one."""
    return [bytes([byte]) for byte in data]


def test_tls_at_the_unencrypted_port() -> None:
    with ServerProcess() as server:
        for _ in range(30):
            assert answer(server.port, [CLIENT_HELLO]) == b""
        assert "TLS at an unencrypted port" in server.log()
        assert server.log().count("TLS at an unencrypted port") < 25, "the rest is counted"


def test_one_byte_at_a_time() -> None:
    with ServerProcess() as server:
        assert b'"status":"ok"' in answer(server.port, single_bytes(HEALTH))
        close = frame(8, b"\x03\xe8")
        upgraded = UPGRADE + b"\r\n" + frame(TEXT, b'{"type":"ping"}') + close
        assert b'{"type":"pong"}' in answer(server.port, single_bytes(upgraded))


def test_proxy_headers() -> None:
    port = free_port()
    with ServerProcess("--port", f"haproxy:tcp:{port}:interface=127.0.0.1") as server:
        short = [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"]
        for header in (proxy_v1("198.51.100.1"), proxy_v2("198.51.100.1"), *short):
            for pieces in ([header + HEALTH], [header, HEALTH], single_bytes(header + HEALTH)):
                assert b'"status":"ok"' in answer(port, pieces), header
        for header in MALFORMED:
            assert answer(port, [header]) == b"", header
        assert "no valid PROXY header" in server.log()
