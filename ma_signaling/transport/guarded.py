"""Methods whose exceptions end the connection that they happen on, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

Method = TypeVar("Method", bound=Callable[..., Any])


class Guarded(Protocol):
    """A connection."""

    def fail(self, where: str) -> None:
        """End the connection for a fault of this server, while the exception is being handled."""


def guarded(method: Method) -> Method:
    """Let an exception in ``method`` end its connection.

    Whoever calls it, Autobahn, Twisted or a timer, would leave the connection open, or others without their turn.
    """

    @wraps(method)
    def call(self: Guarded, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except Exception:  # noqa: BLE001 - whatever it is
            self.fail(method.__name__)

    return cast("Method", call)
