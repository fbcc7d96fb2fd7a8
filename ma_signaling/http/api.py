"""``/api``: answers about a home or a session, within limits; other nodes may have to be asked first."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ma_signaling.core import remote_id
from ma_signaling.core.errors import Refused, WireError
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import NotFound, Page, client_of, refuse, reply
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.http_reply import refusal


class Named(Page):
    """``…/NAME``: an answer about the home or session NAME, within limits."""

    def __init__(self, hub: Hub, addresses: ClientAddresses, name: str | None = None) -> None:
        super().__init__()
        self._hub = hub
        self._addresses = addresses
        self._name = name

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        if self._name is not None:
            return NotFound()
        return type(self)(self._hub, self._addresses, path.decode("latin-1"))

    def render_GET(self, request: HttpRequest) -> bytes | int:
        if self._name is None:
            return super().render_GET(request)
        try:
            return self.answer(request, self._name, client_of(request, self._addresses))
        except Refused as refused:
            return refuse(request, refusal(refused.error))

    def answer(self, request: HttpRequest, name: str, client: ClientAddress) -> bytes | int:
        """Return the reply. Raises ``Refused`` if the client has asked too often."""
        raise NotImplementedError


class Answer:
    """A reply that is given immediately, or once other nodes have been asked."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._body: bytes | None = None
        self._is_late = self._is_gone = False

    def give(self, status: int, body: dict[str, object]) -> None:
        """Reply with JSON."""
        self._send(reply(self._request, status, body))

    def refuse(self, error: WireError) -> None:
        """Reply with an error."""
        self._send(refuse(self._request, refusal(error)))

    def now(self) -> bytes | int:
        """Return the result for ``render``: the body, or NOT_DONE_YET if the reply comes later."""
        if self._body is not None:
            return self._body
        self._is_late = True
        self._request.notifyFinish().addErrback(lambda _: self._gone())
        return NOT_DONE_YET

    def _send(self, body: bytes) -> None:
        self._body = body
        if self._is_late and not self._is_gone:
            self._request.setHeader(b"Content-Length", b"%d" % len(body))
            if self._request.method != b"HEAD":
                self._request.write(body)
            self._request.finish()

    def _gone(self) -> None:
        self._is_gone = True


class Check(Named):
    """``/api/check/R``: whether the home with the Remote ID R is connected now."""

    def answer(self, request: HttpRequest, name: str, client: ClientAddress) -> bytes | int:
        wanted = None
        with suppress(Refused):
            wanted = remote_id.wanted(name)
        answer = Answer(request)

        def told(online: bool | WireError) -> None:
            if isinstance(online, bool):
                answer.give(200, {"online": online})
            else:
                answer.refuse(online)

        self._hub.lookups.ask_online(client, wanted, told)
        return answer.now()


class TracePage(Named):
    """``/api/sessions/S``: what happened in the session S."""

    def answer(self, request: HttpRequest, name: str, client: ClientAddress) -> bytes | int:
        answer = Answer(request)

        def told(trace: dict[str, Any] | None) -> None:
            if trace is None:
                answer.give(404, {"error": "Session not found"})
            else:
                answer.give(200, trace)

        self._hub.lookups.trace(client, name, told)
        return answer.now()
