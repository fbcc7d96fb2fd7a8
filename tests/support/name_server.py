"""A name server on loopback that resolves every name to this machine."""

from __future__ import annotations

import socket
import socketserver
import threading

from tests.support.free_ports import free_port

A = b"\x00\x01"
"""The type of a question for an IPv4 address (RFC 1035)."""


class NameServer:
    """Answers until ``close`` is called: by UDP and, since newer versions of pebble use it, by TCP (RFC 7766)."""

    def __init__(self) -> None:
        port = free_port()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), _ByTcp)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{port}"
        self._threads = [threading.Thread(target=each) for each in (self._serve, self._server.serve_forever)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        # Closing a socket doesn't wake the thread that waits for a datagram on it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        for thread in self._threads:
            thread.join()
        self._socket.close()
        self._server.server_close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(_answer(query), client)


class _ByTcp(socketserver.StreamRequestHandler):
    """A TCP connection, on which each message follows its size."""

    timeout = 10

    def handle(self) -> None:
        while len(size := self.rfile.read(2)) == 2:
            answer = _answer(self.rfile.read(int.from_bytes(size)))
            self.wfile.write(len(answer).to_bytes(2) + answer)


def _answer(query: bytes) -> bytes:
    end = query.index(b"\x00", 12) + 5
    question = query[12:end]
    answers = b"\xc0\x0c" + question[-4:] + bytes((0, 0, 0, 1, 0, 4, 127, 0, 0, 1))
    is_known = question[-4:-2] == A
    counts = bytes((0, 1, 0, int(is_known), 0, 0, 0, 0))
    return query[:2] + b"\x85\x80" + counts + question + (answers if is_known else b"")
