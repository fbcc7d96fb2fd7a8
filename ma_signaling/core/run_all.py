"""Make many calls, none of which keeps the others from being made."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def run_all(calls: Iterable[Callable[[], object]]) -> None:
    """Make every call, even if one before it fails; raises the first exception in the end, for one log line.

    ``calls`` may be a generator that decides what is next by what the calls before it have done.
    """
    failure: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the others must go on
            failure = failure or problem
    if failure is not None:
        raise failure
