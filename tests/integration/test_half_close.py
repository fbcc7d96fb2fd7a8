"""Clients that close their half of TCP as soon as they have asked: they get their reply, every time."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.memory_server import TEXT, UPGRADE, frame
from tests.support.server_process import ServerProcess

TIMES = 100

HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
REQUESTS = {
    HEALTH: b'"status":"ok"',
    HEALTH * 3: b'"status":"ok"',
    b"GET / HTTP/1.0\r\n\r\n": b"Music Assistant",
    b"GET /assets/doctor/advice.js HTTP/1.1\r\nHost: h\r\n\r\n": b"export",
    b"nonsense\r\n\r\n": b'"error"',
    b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n": b'"error"',
    UPGRADE + b"\r\n": b"101 Switching Protocols\r\n",
    UPGRADE + b"\r\n" + frame(TEXT, b'{"type":"ping"}'): b'{"type":"pong"}',
}


@pytest.mark.parametrize("option", ["--fast-path=on", "--fast-path=off"])
def test_every_reply_arrives(option: str) -> None:
    with ServerProcess(option) as server:
        for request, expected in REQUESTS.items():
            for _ in range(TIMES):
                with socket.create_connection(("127.0.0.1", server.port), 5) as client:
                    _ask(client, request, expected)


def test_on_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "socket")
        with ServerProcess(f"--port=unix:{path}"):
            for request, expected in REQUESTS.items():
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(5)
                    client.connect(path)
                    _ask(client, request, expected)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_by_tls(version: int, tmp_path: Path) -> None:
    """By ``close_notify``, as clients of TLS do, and by TCP alone."""
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    make_certificate(key, certificate)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    tls = (f"--port={port}", f"--tls-cert={certificate}", f"--tls-key={key}")
    with ServerProcess(*tls, plain="--http-port"):
        for request, expected in REQUESTS.items():
            for says_so in (True, False) * 3:
                with socket.create_connection(("127.0.0.1", port)) as plain:
                    client = SSL.Connection(context, plain)
                    client.set_connect_state()
                    client.sendall(request)
                    if says_so:
                        client.shutdown()
                    else:
                        plain.shutdown(socket.SHUT_WR)
                    received = b""
                    try:
                        while True:
                            received += client.recv(65536)
                    except SSL.ZeroReturnError:
                        pass
                    _check(received, request, expected)


def _ask(client: socket.socket, request: bytes, expected: bytes) -> None:
    client.sendall(request)
    client.shutdown(socket.SHUT_WR)
    received = b""
    while more := client.recv(65536):
        received += more
    _check(received, request, expected)


def _check(received: bytes, request: bytes, expected: bytes) -> None:
    assert expected in received, request
    if expected == b'"status":"ok"':
        assert received.count(expected) == request.count(b"GET"), request
