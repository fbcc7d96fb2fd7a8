"""A peer that keeps a server from stopping immediately."""

from __future__ import annotations

import socket

from tests.support.memory_server import UPGRADE
from tests.support.server_process import TALKS_WITHIN


class Deaf:
    """A peer that never answers a close frame: a stopping server gives it up after two seconds."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TALKS_WITHIN)
        self._socket.sendall(UPGRADE + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = self._socket.recv(1)
            assert received, f"closed after {head!r}"
            head += received
        assert head.startswith(b"HTTP/1.1 101 "), head

    def close_code(self) -> int:
        """Wait for the close frame, and return its code."""
        frame = b""
        while len(frame) < 4:
            received = self._socket.recv(4 - len(frame))
            assert received, "TCP was cut without a close frame"
            frame += received
        assert frame[0] == 0x88, frame
        return int.from_bytes(frame[2:])

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
