"""Guarded methods: an exception in one ends its connection, and affects no other."""

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
    """Decorate ``method`` so that an exception in it ends its connection.

    Otherwise its caller (Autobahn, Twisted or a timer) would leave the connection open, or not serve others.
    """

    @wraps(method)
    def call(self: Guarded, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except Exception:  # noqa: BLE001 - whatever it is
            self.fail(method.__name__)

    return cast("Method", call)
