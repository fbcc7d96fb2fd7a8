"""The environment variables that hold settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from ma_signaling.config.declaration import (
    CHECK_URL_VARIABLE,
    ENVIRONMENT_PREFIX,
    FILE_VARIABLE,
    HOME_PREFIX,
    HOME_VARIABLES,
    STATE_VARIABLE,
    SettingError,
)
from ma_signaling.config.settings import declarations
from ma_signaling.config.unknown import explain_unknown

_SERVICE_LINK = re.compile(
    r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)|ENV_\w+"
)
"""Variables, without the prefix, that Kubernetes sets for each Service whose name begins with ``ma-signaling``.

Docker sets them as well, for a linked container of such a name (``--link``).
"""

_OF_COMMANDS = {FILE_VARIABLE, CHECK_URL_VARIABLE, *HOME_VARIABLES.values()}
"""Variables that aren't a server's settings."""

_SERVICE_LINK_VALUE = re.compile(r"(?:tcp|udp|sctp)://.*")
"""The value that Kubernetes gives ``…_PORT``; no port or endpoint begins like that."""


def read_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables that hold settings, without blank ones, and the names of Kubernetes' service links.

    Raises ``SettingError`` for any other variable that begins with ``MA_SIGNALING_``.
    """
    known = {variable for setting in declarations() for variable in setting.variables}
    texts: dict[str, str] = {}
    service_links: list[str] = []
    for variable, value in environment.items():
        text = value.strip()
        if _is_service_link(variable, text):
            service_links.append(variable)
        elif variable in known:
            if variable == STATE_VARIABLE:
                # systemd lists all state directories of a unit (systemd.exec(5)).
                text = text.partition(":")[0]
            if text:
                texts[variable] = text
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable not in _OF_COMMANDS:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            raise SettingError(
                explain_unknown(name, lambda each: ENVIRONMENT_PREFIX + each.upper(), variable)
            )
    return texts, sorted(service_links)


def check_home_environment(environment: Mapping[str, str]) -> None:
    """Raise ``SettingError`` for an unknown variable with the prefix of ``ma-signaling home``."""
    known = {variable for setting in declarations() for variable in setting.variables} | _OF_COMMANDS
    for variable, value in environment.items():
        if not variable.startswith(HOME_PREFIX) or variable in known:
            continue
        if not _is_service_link(variable, value.strip()):
            (nearest,) = get_close_matches(variable, HOME_VARIABLES.values(), 1, 0)
            raise SettingError(f"there is no option {variable}; the nearest is {nearest}")


def _is_service_link(variable: str, text: str) -> bool:
    if not variable.startswith(ENVIRONMENT_PREFIX):
        return False
    name = variable.removeprefix(ENVIRONMENT_PREFIX)
    if _SERVICE_LINK.fullmatch(name) or (name == "NAME" and text.startswith("/")):
        return True
    return name.endswith("PORT") and bool(_SERVICE_LINK_VALUE.fullmatch(text))
