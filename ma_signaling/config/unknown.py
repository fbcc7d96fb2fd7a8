"""The error for a setting that doesn't exist, wherever it is named."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from ma_signaling.config.settings import declarations

REMOVED = {
    "connections_per_address": "connections are shared between addresses; see max_connections",
    "environment": "log_format sets the format of the log",
    "session_stories": "it is now session_traces",
    "short_path": "it is now fast_path",
    "state_file": "nothing is kept over a restart, since a Remote ID belongs to whoever proves possession of its key",
    "turn_in_all": "it is now turn_total",
}
"""Settings that were removed or renamed, and what to use instead."""


def explain_unknown(name: str, show: Callable[[str], str], given: str | None = None) -> str:
    """Return what to use instead of an unknown setting.

    ``show`` spells a name as in the source where it was found; it was ``given`` there, if that is spelled otherwise.
    """
    given = given or show(name)
    if name in REMOVED:
        return f"{given} was removed: {REMOVED[name]}"
    (nearest,) = get_close_matches(name, [each.name for each in declarations()], 1, 0)
    return f"there is no setting {given}; the nearest is {show(nearest)}"
