"""What a setting declares: its option, its environment variables, its key in a file and its documentation follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, NamedTuple

ENVIRONMENT_PREFIX = "MA_SIGNALING_"

FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""The environment variable that names the file of settings."""

STATE_VARIABLE = "STATE_DIRECTORY"
"""The environment variable with the directory that systemd has made for a server."""

CHECK_URL_VARIABLE = ENVIRONMENT_PREFIX + "URL"
"""The environment variable with the server that ``ma-signaling check`` asks; no setting of a server."""

HOME_PREFIX = ENVIRONMENT_PREFIX + "HOME_"

HOME_VARIABLES = {
    name: HOME_PREFIX + name.upper().replace("-", "_")
    for name in ("signaling", "music-assistant", "state-directory", "stun", "address", "link", "max-sessions")
}
"""By its name an option of ``ma-signaling home``: its environment variable; no setting of a server."""


class SettingError(ValueError):
    """A setting that can't be used; the text is one line that names it and says what is expected."""


class CannotStart(Exception):
    """Why this server can't start, in one line. No SystemExit: twistd reports only exceptions to its parent."""

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
    """Parse a text; raises ValueError that says what is expected."""
    repeatable: bool
    """Whether it may be given several times; its value is then a tuple."""
    also: str | None
    """Another environment variable for it."""
    is_list: bool
    """Whether several times its values make one list."""
    is_flag: bool
    """Whether its option takes no value: it switches on."""
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
        """All environment variables for it; the first that is set counts."""
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
    """Return a dataclass field that holds a declaration, except for its name, as metadata."""
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
