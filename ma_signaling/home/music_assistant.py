"""The Music Assistant that this program stands beside: the only host that is ever reached on a client's behalf."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from ma_signaling.home.limits import Limits
from ma_signaling.home.proxy_messages import ProxyRequest, ProxyResponse, for_client

CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 25.0
"""Clients wait 30."""


class Unreachable(Exception):
    """Music Assistant does not answer, or not as expected."""


def local_url(text: str) -> URL:
    """Return the address of a Music Assistant, such as ``http://homeassistant.local:8095``. Raises ValueError."""
    try:
        url = URL(text if "://" in text else f"http://{text}")
        is_usable = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        is_usable = False
    if not is_usable or url.user is not None or url.path != "/" or url.query_string or url.fragment:
        raise ValueError("it must be an address such as http://homeassistant.local:8095")
    return url


class MusicAssistant:
    """Its WebSockets and its HTTP, as a context manager. Each client authenticates itself, as it would at home."""

    def __init__(self, url: URL, limits: Limits) -> None:
        self._url = url
        self._limits = limits
        self._requests: aiohttp.ClientSession
        self._sockets: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        def session(limit: int) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=limit),
                # What one client is given must not be sent in another's name.
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS),
            )

        self._requests, self._sockets = session(self._limits.all_requests), session(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._requests.close()
        await self._sockets.close()

    async def websocket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket at ``path``. Raises ``Unreachable``."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._sockets.ws_connect(
                    self._at(path), heartbeat=30.0, max_msg_size=self._limits.api_message_bytes
                )
        except (aiohttp.ClientError, OSError) as problem:
            raise Unreachable(str(problem) or type(problem).__name__) from None

    async def fetch(self, request: ProxyRequest) -> ProxyResponse:
        """Make a request; a redirect is answered as it is, and not followed."""
        try:
            async with self._requests.request(
                request.method,
                self._at(request.path),
                headers={**request.headers, "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as response:
                body = bytearray()
                async for part in response.content.iter_chunked(65536):
                    body += part
                    if len(body) > self._limits.body_bytes:
                        return ProxyResponse.failure(HTTPStatus.BAD_GATEWAY)
                return ProxyResponse(response.status, for_client(response.headers), bytes(body))
        except TimeoutError:
            return ProxyResponse.failure(HTTPStatus.GATEWAY_TIMEOUT)
        except (aiohttp.ClientError, OSError, ValueError):
            return ProxyResponse.failure(HTTPStatus.BAD_GATEWAY)

    def _at(self, path: str) -> URL:
        """Return the address of a path with its query: whatever stands there, the host is ours."""
        plain, _, query = path.partition("#")[0].partition("?")
        url = self._url
        return URL.build(
            scheme=url.scheme,
            host=str(url.host),
            port=url.port,
            path=plain,
            query_string=query,
            encoded=True,
        )
