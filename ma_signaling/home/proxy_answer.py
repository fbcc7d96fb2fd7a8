"""The answer of Music Assistant to an HTTP request, read as fast as the client takes it."""

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
"""Bytes of a body that are read at once."""


class Interrupted(Exception):
    """A body has not come to its end."""


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """An answer, whose body can be read once."""

    head: ProxyHead
    size: int
    """Of the body, in bytes."""
    parts: AsyncIterator[bytes]
    """The body; a part is held in the client's share until the next one is asked for. Raises ``Interrupted``."""

    @classmethod
    def failure(cls, status: HTTPStatus) -> ProxyAnswer:
        """Return an answer of this program's own."""
        body = status.phrase.encode()
        return cls(ProxyHead(status, {"content-type": "text/plain"}), len(body), _one(body))


@contextlib.asynccontextmanager
async def read(
    request: ProxyRequest, response: aiohttp.ClientResponse, share: Share, max_size: int
) -> AsyncIterator[ProxyAnswer]:
    """Return the answer that ``response`` brings; one whose body is longer than ``max_size`` is a 502."""
    head = ProxyHead(response.status, for_client(response.headers))
    with contextlib.closing(_Body(response, share)) as body:
        size = _announced(request, response)
        if size is not None and size <= max_size:
            yield ProxyAnswer(head, size, body.parts())
            return
        # A client is told how long a body is before it gets any of it.
        whole = await body.whole(max_size) if size is None else None
        if whole is None:
            yield ProxyAnswer.failure(HTTPStatus.BAD_GATEWAY)
        else:
            yield ProxyAnswer(head, len(whole), _one(whole))


class _Body:
    """Reads the body of a response as far as a share allows."""

    def __init__(self, response: aiohttp.ClientResponse, share: Share) -> None:
        self._content = response.content
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._reader = share.reader(self._may_go_on.clear, self._may_go_on.set)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield its parts, each held until the next one is asked for."""
        while part := await self._read():
            yield part
            self._reader.release(len(part))

    async def whole(self, max_size: int) -> bytes | None:
        """Return it, held until ``close``; None where it is longer than ``max_size``, or has no end."""
        body = bytearray()
        with contextlib.suppress(Interrupted):
            while part := await self._read():
                body += part
                if len(body) > max_size:
                    return None
            return bytes(body)
        return None

    def close(self) -> None:
        """Hold nothing."""
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
    """Return how long the body will be, as it is read; None where nobody says."""
    if request.method == "HEAD" or response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return 0
    return None if "Content-Encoding" in response.headers else response.content_length


async def _one(part: bytes) -> AsyncIterator[bytes]:
    if part:
        yield part
