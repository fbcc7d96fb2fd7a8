"""Skips modules that libraries import, but this server doesn't need.

Without TLS they take a fifth of the start time, and a quarter of the memory before the first connection.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.settings import Settings

KINDS_WITHOUT_TLS = {"tcp", "tcp6", "unix", "systemd"}
"""Common kinds of endpoints that never speak TLS."""

NEEDLESS: dict[str, dict[str, Any]] = {
    "autobahn.twisted.wamp": {"ApplicationSession": type("ApplicationSession", (), {})},
    "twisted.spread.pb": {name: type(name, (), {}) for name in ("Copyable", "ViewPoint")},
    "twisted.web.util": {},
    "websockets.version": {"version": ""},
}
"""Modules that libraries always import, with the names that they take of each; this server uses none of them."""


class StandIn(ModuleType):
    """A module with a few names. For any other name, the real module is imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # The import system asks for optional attributes.
            raise AttributeError(name)
        _remove(self.__name__, self)
        return getattr(import_module(self.__name__), name)


@contextmanager
def spared_imports(settings: Settings) -> Iterator[None]:
    """Let libraries be imported without modules that a server with these ``settings`` doesn't need.

    Modules that were imported before stay, and later imports get the real ones.
    """
    # Optional dependencies of libraries. None makes their import fail (Python's reference, section 5.3.1).
    spared: dict[str, ModuleType | None] = {"click": None}
    if not _may_speak_tls(settings):
        spared["OpenSSL"] = None
    for name, attributes in NEEDLESS.items():
        spared[name] = stand_in = StandIn(name)
        vars(stand_in).update(attributes)
    spared = {name: module for name, module in spared.items() if name not in sys.modules}
    sys.modules.update(spared)  # type: ignore[arg-type] # its type doesn't allow None
    try:
        yield
    finally:
        for name, module in spared.items():
            _remove(name, module)


def _may_speak_tls(settings: Settings) -> bool:
    kinds = {parse_endpoint(text).kind for text in settings.endpoints()}
    return settings.is_secure or not kinds <= KINDS_WITHOUT_TLS


def _remove(name: str, module: ModuleType | None) -> None:
    """Remove ``module``, unless the real one has replaced it."""
    if sys.modules.get(name) is module:
        sys.modules.pop(name, None)
