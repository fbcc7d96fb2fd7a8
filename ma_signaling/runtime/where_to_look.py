"""The line that tells a person at a terminal where the server that has just started can be seen."""

from __future__ import annotations

import os

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.settings import Settings

_log = Logger(namespace="ma_signaling")


class WhereToLook(Service):
    """Logs this server's addresses as the last line of a start; to be started last."""

    def __init__(self, settings: Settings, reactor: IReactorTime) -> None:
        self._settings = settings
        self._reactor = reactor
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        # Not sys.stdout, which Twisted replaces with its log.
        if os.isatty(1):
            self._call = self._reactor.callLater(0, self._say)

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _say(self) -> None:
        if (line := where_to_look(self._settings)) is not None:
            _log.info("{line}", line=line)


def where_to_look(settings: Settings) -> str | None:
    """Return a line with the URLs of the page and for homes, None if no port has a number."""
    for text in settings.port:
        endpoint = parse_endpoint(text)
        if not endpoint.port or endpoint.is_proxied:
            continue
        tls = "s" if settings.is_secure or endpoint.kind == "ssl" else ""
        usual = 443 if tls else 80
        host = settings.acme_domain[0] if settings.acme_domain else "localhost"
        place = host if endpoint.port == usual else f"{host}:{endpoint.port}"
        return f"Look at http{tls}://{place}/ in a browser; homes and clients connect to ws{tls}://{place}/ws"
    return None
