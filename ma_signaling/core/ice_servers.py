"""The STUN and TURN servers of this server, which are added to the list that a home gives.

The credentials are those of coturn's ``use-auth-secret``: they expire, and the TURN server keeps no users
(https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00).
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from secrets import token_hex

import orjson

from ma_signaling.config.settings import Settings


class IceServers:
    """Adds servers to a home's own list of ICE servers."""

    def __init__(self, settings: Settings, secret: bytes = b"") -> None:
        self._settings = settings
        self.secret = secret
        """Shared with the TURN servers; set once its file has been read, and may be replaced while the server runs."""

    @property
    def has_relay(self) -> bool:
        """Whether there is a TURN server to add."""
        return bool(self._settings.turn_urls and self.secret)

    def extend(self, ice_servers: bytes | None, wall: float, *, with_relay: bool) -> bytes | None:
        """Return a home's list (JSON or None) with our STUN servers added if it names none, and TURN if ``with_relay``.

        ``wall`` is the wall-clock time; the credentials expire ``turn_ttl`` seconds later.
        """
        added: list[dict[str, object]] = []
        if self._settings.stun_urls and not _has_stun(ice_servers):
            added.append({"urls": self._settings.stun_urls})
        if with_relay:
            username, credential = self.credentials(wall)
            added.append({"urls": self._settings.turn_urls, "username": username, "credential": credential})
        if not added:
            return ice_servers
        own = b"" if ice_servers is None else ice_servers[1:-1]
        return b"[%b%b%b]" % (own, b"," if own else b"", orjson.dumps(added)[1:-1])

    def credentials(self, wall: float) -> tuple[str, str]:
        """Return a user name, which identifies neither session nor person, and its password."""
        username = f"{int(wall) + self._settings.turn_ttl}:{token_hex(8)}"
        password = hmac.digest(self.secret, username.encode(), "sha1")
        return username, b64encode(password).decode()


def _has_stun(ice_servers: bytes | None) -> bool:
    """Return whether a list names a STUN server; ``urls`` is a string or a list of strings."""
    for server in orjson.loads(ice_servers or b"[]"):
        urls = server.get("urls") if isinstance(server, dict) else None
        for url in urls if isinstance(urls, list) else [urls]:
            if isinstance(url, str) and url.lower().startswith(("stun:", "stuns:")):
                return True
    return False
