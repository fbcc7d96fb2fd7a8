"""A log that writes nothing."""

from __future__ import annotations

from typing import Any


class _Silence:
    def _ignore(self, *_: object, **__: object) -> None: ...

    trace = debug = info = warn = error = critical = _ignore


SILENCE: Any = _Silence()
"""The log of connections, in place of Autobahn's and Twisted's: what matters to an operator is an event."""
