"""A log that writes nothing."""

from __future__ import annotations

from typing import Any


class _Silence:
    def _ignore(self, *_: object, **__: object) -> None: ...

    trace = debug = info = warn = error = critical = _ignore


SILENCE: Any = _Silence()
"""Replaces Autobahn's and Twisted's logs of connections: what matters to operators is reported as an event."""
