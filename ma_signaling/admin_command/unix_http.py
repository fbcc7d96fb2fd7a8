"""A client for HTTP with JSON over a Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

SECONDS = 30.0
"""Timeout of an answer."""


class Failed(Exception):
    """Raised if there is no answer, or an error; the text is one line."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


class Server:
    """The server whose admin socket is at ``path``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, method: str, *names: str, **parameters: object) -> dict[str, Any]:
        """Return the answer. Raises ``Failed`` if there is none, or it is an error."""
        with self._open(method, names, parameters) as reply:
            return _parse(reply.read())

    def pages(self, name: str) -> dict[str, Any]:
        """Return a whole collection, requested page by page. Raises ``Failed``."""
        whole: list[Any] = []
        answer = self.ask("GET", name)
        while True:
            whole += answer[name]
            following = answer.pop("next", None)
            if following is None:
                return {**answer, name: whole}
            answer = self.ask("GET", name, after=following)

    def lines(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield objects as they come, until the server closes the connection. Raises ``Failed``."""
        with self._open("GET", names, {}, is_endless=True) as reply:
            for line in reply:
                yield _parse(line)

    @contextmanager
    def _open(
        self, method: str, names: tuple[str, ...], parameters: dict[str, object], *, is_endless: bool = False
    ) -> Iterator[http.client.HTTPResponse]:
        target = "/" + "/".join(quote(name, safe="") for name in names)
        given = {name: each for name, each in parameters.items() if each is not None}
        connection = _Connection(self._path)
        try:
            connection.request(method, f"{target}?{urlencode(given)}" if given else target)
            with connection.getresponse() as reply:
                if is_endless:
                    connection.sock.settimeout(None)
                if reply.status == 404:
                    raise Failed(f"this server knows nothing called {given.get('target', names[-1])}")
                if reply.status != 200:
                    raise Failed(str(_parse(reply.read()).get("error", f"status {reply.status}")))
                yield reply
        except (FileNotFoundError, ConnectionRefusedError):
            raise Failed(
                f"no server has its admin socket at {self._path} (--admin-socket, --socket)"
            ) from None
        except PermissionError:
            raise Failed(f"{self._path} is for root and for the user that the server runs as") from None
        except (OSError, http.client.HTTPException) as problem:
            raise Failed(f"{self._path}: {problem}") from None
        finally:
            connection.close()


def _parse(text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Failed("what answers there is not a ma-signaling")
    return answer
