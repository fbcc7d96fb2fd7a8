"""The declaration of a setting, from which its option, environment variables, file key and documentation follow."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field
from typing import Any, NamedTuple

ENVIRONMENT_PREFIX = "MA_SIGNALING_"

FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""The environment variable that names the settings file."""

STATE_VARIABLE = "STATE_DIRECTORY"
"""The environment variable with the state directory that systemd has made."""

CHECK_URL_VARIABLE = ENVIRONMENT_PREFIX + "URL"
"""The environment variable with the server for ``ma-signaling check``. Not a server's setting."""

HOME_PREFIX = ENVIRONMENT_PREFIX + "HOME_"

HOME_VARIABLES = {
    name: HOME_PREFIX + name.upper().replace("-", "_")
    for name in ("signaling", "music-assistant", "state-directory", "stun", "address", "link", "max-sessions")
}
"""The environment variables of ``ma-signaling home``, by option. Not a server's settings."""


def said_in(variable: str) -> str:
    """Return the text of an environment variable; a blank one counts as unset."""
    return os.environ.get(variable, "").strip()


class SettingError(ValueError):
    """Raised for an invalid setting; the text is one line that names it and says what is expected."""


class CannotStart(Exception):
    """Raised if this server can't start; the text is one line. Not a SystemExit: twistd reports only exceptions."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"ma-signaling: {problem}")
        self.problem = problem


class Declaration(NamedTuple):
    """The declaration of one field of ``Settings``."""

    name: str
    default: str
    unit: str
    help: str
    parse: Callable[[str], Any]
    """Parses text; raises ValueError that says what is expected."""
    repeatable: bool
    """Whether it may be given several times; its value is then a tuple."""
    also: str | None
    """A second environment variable."""
    is_list: bool
    """Whether the values of repeated options make one list."""
    is_flag: bool
    """Whether its option takes no value, but switches it on."""
    live: bool
    """Whether a reload changes it; otherwise a restart is needed."""

    @property
    def option(self) -> str:
        """The command-line option, without the leading dashes."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def variables(self) -> tuple[str, ...]:
        """All its environment variables; the first that is set counts."""
        return (self.variable,) if self.also is None else (self.variable, self.also)


def setting(
    default: str,
    parse: Callable[[str], Any],
    help: str,
    *,
    unit: str = "",
    repeatable: bool = False,
    also: str | None = None,
    is_list: bool = False,
    is_flag: bool = False,
    live: bool = False,
) -> Any:
    """Return a dataclass field whose metadata is the ``Declaration``, without ``name``."""
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
            "is_list": is_list,
            "is_flag": is_flag,
            "live": live,
        },
    )
