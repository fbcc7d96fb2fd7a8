"""What a setting says about itself: its option, its environment variable, its key in a file, its validation and its row
in the documentation follow from that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, NamedTuple

ENVIRONMENT_PREFIX = "MA_SIGNALING_"


class SettingError(ValueError):
    """A setting with a value that will not do; the text names the setting, the value and what would do."""


class CannotStart(Exception):
    """Why this server can't start, in one line. No SystemExit: twistd tells its parent of exceptions only."""


class Declaration(NamedTuple):
    """What a field of ``Settings`` says about itself. ``parse`` raises ValueError with what would do instead."""

    name: str
    default: str
    unit: str
    help: str
    parse: Callable[[str], Any]
    repeatable: bool
    """It may be given several times, and holds all of them."""
    also: str | None
    """Another environment variable that says it."""
    live: bool
    """A change takes effect when the file is read again; otherwise it takes a restart."""
    secret: bool
    """Its value is shown nowhere."""

    @property
    def option(self) -> str:
        """The command-line option, without the leading dashes."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def setting(
    default: str,
    parse: Callable[[str], Any],
    help: str,
    *,
    unit: str = "",
    repeatable: bool = False,
    also: str | None = None,
    live: bool = False,
    secret: bool = False,
) -> Any:
    if repeatable:
        value: object = (parse(default),) if default else ()
    else:
        value = parse(default)
    return field(
        default=value,
        metadata={
            "default": default,
            "unit": unit,
            "help": help,
            "parse": parse,
            "repeatable": repeatable,
            "also": also,
            "live": live,
            "secret": secret,
        },
    )
