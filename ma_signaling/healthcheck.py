"""``python -m ma_signaling.healthcheck``: ask the server with this environment for ``/health``. Docker's HEALTHCHECK.

Exits with 0 if it answers, else with 1 and one line. It asks the first port that it can connect to, one without TLS
before one with TLS. It doesn't know settings on the server's command line.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path

from ma_signaling.config.declaration import FILE_VARIABLE, SettingError, said_in
from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.settings import Settings
from ma_signaling.config.sources import load

WITHIN_SECONDS = 3.0


def health_url(settings: Settings) -> str | None:
    """Return the URL of ``/health``, None if no port is a number or a ``tcp:`` endpoint."""
    kinds = (("http", settings.http_port), ("https" if settings.is_secure else "http", settings.port))
    for scheme, texts in kinds:
        for text in texts:
            if (address := _address(text)) is not None:
                return f"{scheme}://{address}/health"
    return None


def _address(port: str) -> str | None:
    """Return host and port to connect to, None for an endpoint of another kind."""
    endpoint = parse_endpoint(port)
    if endpoint.kind != "tcp" or endpoint.is_proxied or endpoint.port is None:
        return None
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"


def check() -> str | None:
    """Return why the server doesn't answer, None if it does."""
    try:
        file = said_in(FILE_VARIABLE)
        url = health_url(load({}, os.environ, Path(file) if file else None).settings)
        if url is None:
            return "no port can be asked: set --http-port as well"
        # The server is in this container: any certificate will do, and no proxy is used.
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
        )
        opener.open(url, timeout=WITHIN_SECONDS).close()
    except (OSError, HTTPException, SettingError) as problem:
        return str(problem) or repr(problem)
    return None


if __name__ == "__main__":
    sys.exit(check())
