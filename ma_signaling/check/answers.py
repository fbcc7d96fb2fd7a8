"""The meaning of a signaling server's errors for a check. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ma_signaling.check.outcome import Status, Stop
from ma_signaling.core.errors import (
    BLOCKED,
    INVALID_REMOTE_ID,
    SERVER_DISCONNECTED,
    SERVER_NOT_FOUND,
    WireError,
)

_ABOUT_THE_HOME = {"home-busy", SERVER_NOT_FOUND.code, SERVER_DISCONNECTED.code}
# The original server sends texts without codes.
_BY_TEXT = {each.text: each for each in (SERVER_NOT_FOUND, SERVER_DISCONNECTED, BLOCKED, INVALID_REMOTE_ID)}


_OTHERS = {"server_version": "Music Assistant", "ha_version": "Home Assistant"}
"""Other programs that people take for a signaling server, by a key in their first message."""


def stranger(message: Mapping[str, object]) -> str:
    """Return a sentence about a program that isn't a signaling server; "" if it may be one."""
    if message.get("type") == "connected":
        return ""
    for key, name in _OTHERS.items():
        if key in message:
            return f"a {name} answers here, which is not a signaling server: without --url the public one is asked"
    return ""


RESTART = 1012
"""The close code of a server that stops or restarts (RFC 6455's registry)."""


def closed(code: int | None, reason: str) -> str:
    """Return a sentence about a connection that was closed."""
    if code == RESTART:
        return "the server is restarting: try again in a minute"
    why = ", ".join(filter(None, (str(code or ""), reason)))
    return "the server closed the connection" + (f" ({why})" if why else "")


def code_of(error: Mapping[str, object]) -> object:
    """Return the code of an ``error`` message, which may be of any JSON type."""
    text = error.get("error")
    known: WireError | None = _BY_TEXT.get(text) if isinstance(text, str) else None
    return error.get("code", known.code if known else None)


def stop_for(error: Mapping[str, object]) -> Stop:
    """Return the ``Stop`` for an ``error`` message."""
    text = error.get("error")
    if not isinstance(text, str) or not text:
        text = "the server refuses, and does not say why"
    code = code_of(error)
    is_about_the_home = isinstance(code, str) and code in _ABOUT_THE_HOME
    status = Status.CRITICAL if is_about_the_home else Status.UNKNOWN
    if code == SERVER_NOT_FOUND.code:
        text = "no home with this Remote ID is connected to the server"
    elif code == SERVER_DISCONNECTED.code:
        text = "the home has left"
    return Stop(status, text)
