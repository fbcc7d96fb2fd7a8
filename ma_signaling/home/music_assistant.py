"""The Music Assistant beside this program, the only host that is ever contacted on a client's behalf."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from ma_signaling.home import proxy_answer
from ma_signaling.home.limits import Limits
from ma_signaling.home.local_socket import LocalSocket
from ma_signaling.home.memory import Share
from ma_signaling.home.proxy_answer import PART, ProxyAnswer
from ma_signaling.home.proxy_messages import ProxyRequest

_log = logging.getLogger(__name__)

API = "/ws"
"""The path of the API, which every version has."""

CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 25.0
"""Clients wait 30."""
RECEIVE_BUFFER = 128 * 1024
"""Bytes of each connection that the kernel buffers."""
SILENT_SECONDS = 45
"""How long sent data may stay unacknowledged by Music Assistant, if the kernel has such a limit."""


class Unreachable(Exception):
    """Raised if Music Assistant does not answer, or not as expected."""


def local_url(text: str) -> URL:
    """Parse the URL of a Music Assistant, such as ``http://homeassistant.local:8095``. Raises ValueError."""
    try:
        url = URL(text if "://" in text else f"http://{text}")
        is_usable = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        is_usable = False
    if not is_usable or url.user is not None or url.path != "/" or url.query_string or url.fragment:
        raise ValueError("it must be an address such as http://homeassistant.local:8095")
    return url


class MusicAssistant:
    """Access to its WebSockets and HTTP; a context manager. Each client authenticates itself, as it would at home."""

    def __init__(self, url: URL, limits: Limits) -> None:
        self._url = url
        self._limits = limits
        self._asked = asyncio.Semaphore(limits.all_requests)
        self._is_away = False
        self._requests: aiohttp.ClientSession
        self._sockets: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        def session(**more: Any) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                # Not limited here, but by the number of sessions and the requests of each.
                connector=aiohttp.TCPConnector(limit=0, socket_factory=_make_socket),
                # One client's cookies must not be sent with another's requests.
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS),
                read_bufsize=PART,
                **more,
            )

        self._requests, self._sockets = session(), session(ws_response_class=LocalSocket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._requests.close()
        await self._sockets.close()

    async def websocket(self, path: str, share: Share) -> LocalSocket:
        """Open a WebSocket at ``path`` that counts what it reads in ``share``. Raises ``Unreachable``.

        It returns text as bytes.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                opened: Any = await self._sockets.ws_connect(
                    self._at(path), max_msg_size=self._limits.api_message_bytes, decode_text=False
                )
        except aiohttp.WSServerHandshakeError as problem:
            # Older versions lack some of the other paths.
            if path == API:
                self._say_away(f"it answers {problem.status} at {path}")
            raise Unreachable from None
        except (aiohttp.ClientError, OSError) as problem:
            self._say_away(str(problem) or type(problem).__name__)
            raise Unreachable from None
        self._say_back()
        opened.count_in(share)
        return opened  # type: ignore[no-any-return]

    @contextlib.asynccontextmanager
    async def fetch(self, request: ProxyRequest, share: Share) -> AsyncIterator[ProxyAnswer]:
        """Make a request; a redirect is returned, not followed. The body is counted in ``share``."""
        try:
            async with self._asked:
                response = await self._requests.request(
                    request.method,
                    self._at(request.path),
                    headers={**request.headers, "Accept-Encoding": "identity"},
                    allow_redirects=False,
                )
        except TimeoutError:
            yield ProxyAnswer.failure(HTTPStatus.GATEWAY_TIMEOUT)
        except (aiohttp.ClientError, OSError, ValueError):
            yield ProxyAnswer.failure(HTTPStatus.BAD_GATEWAY)
        else:
            async with (
                response,
                proxy_answer.read(request, response, share, self._limits.body_bytes) as answer,
            ):
                yield answer

    def _say_away(self, problem: str) -> None:
        if not self._is_away:
            self._is_away = True
            _log.warning("Music Assistant cannot be reached: %s", problem)

    def _say_back(self) -> None:
        if self._is_away:
            self._is_away = False
            _log.info("Music Assistant can be reached again")

    def _at(self, path: str) -> URL:
        """Return the URL for a path with a query; whatever it contains, the host is Music Assistant's."""
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


def _make_socket(address: Any) -> socket.socket:
    """Return a socket that notices when Music Assistant's machine is gone; pings can't while reading is paused."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    # Kernel buffers aren't counted in ``memory``, and would grow to megabytes.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SILENT_SECONDS)
    return made
