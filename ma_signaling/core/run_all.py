"""Making several calls, each even if others fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def run_all(calls: Iterable[Callable[[], object]]) -> None:
    """Make every call, even if an earlier one fails; finally raise the first exception, for one log line.

    ``calls`` may be a generator that chooses the next call by what the earlier ones have done.
    """
    failure: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the others must go on
            failure = failure or problem
    if failure is not None:
        raise failure
