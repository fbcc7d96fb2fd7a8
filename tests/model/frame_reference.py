"""A second, very simple implementation of RFC 6455, as a reference: how a stream of a client's frames ends."""

from __future__ import annotations

import codecs

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Ended(Exception):
    """Raised where the connection ends, with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Reader:
    """Reads frames; `complete` counts the complete ones."""

    def __init__(self, most_bytes: int) -> None:
        self.complete = 0
        self._most_bytes = most_bytes
        self._inside: int | None = None
        self._total = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, data: bytes) -> int | None:
        """Return the close code with which the server answers these frames, None if it is still listening."""
        try:
            while len(data) >= 2:
                start, size = self._header(data)
                if len(data) < start:
                    break
                mask, payload = data[start - 4 : start], data[start : start + size]
                payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
                self._payload(data[0] & 15, bool(data[0] & 128), payload, size)
                data = data[start + size :]
        except UnicodeDecodeError:
            return 1007
        except Ended as ended:
            return ended.code
        return None

    def _header(self, data: bytes) -> tuple[int, int]:
        """Return where the payload starts, and its length."""
        fin, rsv, opcode = data[0] & 128, data[0] & 112, data[0] & 15
        masked, size = data[1] & 128, data[1] & 127
        if rsv or not masked or opcode not in {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}:
            raise Ended(1002)
        if opcode >= CLOSE:
            if not fin or size > 125 or (opcode == CLOSE and size == 1):
                raise Ended(1002)
        elif (opcode == CONTINUATION) == (self._inside is None):
            raise Ended(1002)
        extended = {126: 2, 127: 8}.get(size, 0)
        if extended and len(data) >= 2 + extended + 4:
            size = int.from_bytes(data[2 : 2 + extended])
            if not (126 if extended == 2 else 1 << 16) <= size < 1 << 63:
                raise Ended(1002)
        return 2 + extended + 4, size

    def _payload(self, opcode: int, fin: bool, payload: bytes, size: int) -> None:
        whole = len(payload) == size
        if opcode < CLOSE:
            self._data(opcode, payload, size, last=fin and whole)
        elif whole and opcode == CLOSE:
            raise Ended(_reply(payload))
        self.complete += whole

    def _data(self, opcode: int, payload: bytes, size: int, *, last: bool) -> None:
        if self._inside is None:
            self._inside, self._total = opcode, 0
            self._decoder.reset()
        self._total += size
        if self._total > self._most_bytes:
            raise Ended(1009)
        if self._inside == TEXT:
            self._decoder.decode(payload, last)
        if last:
            self._inside = None


def _reply(payload: bytes) -> int:
    code = int.from_bytes(payload[:2])
    if payload and not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        return 1002
    payload[2:].decode()
    return 1000
