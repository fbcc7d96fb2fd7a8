"""Music Assistant's answer to an HTTP request, read as fast as the client takes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from ma_signaling.home.memory import Share
from ma_signaling.home.proxy_messages import ProxyHead, ProxyRequest, for_client

PART = 32 * 1024
"""How many bytes of a body are read at a time."""


class Interrupted(Exception):
    """Raised if a body breaks off."""


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """An answer, whose body can be read once."""

    head: ProxyHead
    size: int
    """The size of the body in bytes."""
    parts: AsyncIterator[bytes]
    """The body; each part is held in the client's share until the next is asked for. Raises ``Interrupted``."""

    @classmethod
    def failure(cls, status: HTTPStatus) -> ProxyAnswer:
        """Return an error of this program's own."""
        body = status.phrase.encode()
        return cls(ProxyHead(status, {"content-type": "text/plain"}), len(body), _one(body))


@contextlib.asynccontextmanager
async def read(
    request: ProxyRequest, response: aiohttp.ClientResponse, share: Share, max_size: int
) -> AsyncIterator[ProxyAnswer]:
    """Return the answer in ``response``; a 502 if its body is longer than ``max_size``."""
    head = ProxyHead(response.status, for_client(response.headers))
    with contextlib.closing(_Body(response, share)) as body:
        size = _announced(request, response)
        if size is not None and size <= max_size:
            yield ProxyAnswer(head, size, body.parts())
            return
        # Without an announced size the body is read first: the client must be told its size in advance.
        whole = await body.whole(max_size) if size is None else None
        if whole is None:
            yield ProxyAnswer.failure(HTTPStatus.BAD_GATEWAY)
        else:
            yield ProxyAnswer(head, len(whole), _one(whole))


class _Body:
    """Reads the body of a response, paused by a share."""

    def __init__(self, response: aiohttp.ClientResponse, share: Share) -> None:
        self._content = response.content
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._reader = share.reader(self._may_go_on.clear, self._may_go_on.set)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body, each held until the next one is asked for."""
        while part := await self._read():
            yield part
            self._reader.release(len(part))

    async def whole(self, max_size: int) -> bytes | None:
        """Return the whole body, held until ``close``; None if it is longer than ``max_size``, or breaks off."""
        body = bytearray()
        with contextlib.suppress(Interrupted):
            while part := await self._read():
                body += part
                if len(body) > max_size:
                    return None
            return bytes(body)
        return None

    def close(self) -> None:
        """Release everything that is held."""
        self._reader.close()

    async def _read(self) -> bytes:
        await self._may_go_on.wait()
        try:
            part = await self._content.read(PART)
        except (aiohttp.ClientError, OSError) as problem:
            raise Interrupted from problem
        if part:
            self._reader.take(len(part))
        return part


def _announced(request: ProxyRequest, response: aiohttp.ClientResponse) -> int | None:
    """Return the size of the body once decoded, None if unknown."""
    if request.method == "HEAD" or response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return 0
    return None if "Content-Encoding" in response.headers else response.content_length


async def _one(part: bytes) -> AsyncIterator[bytes]:
    if part:
        yield part
