"""The secret that this server shares with its relays, in a file."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers

_log = Logger(namespace="ma_signaling")


def read(settings: Settings) -> bytes:
    """The secret, or nothing where no file is named. Raises ``CannotStart``."""
    path = settings.turn_secret_file
    if not path:
        return b""
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as problem:
        raise CannotStart(
            f"ma-signaling: --turn-secret-file: {path} cannot be read: {problem.strerror}"
        ) from None
    if not secret:
        raise CannotStart(f"ma-signaling: --turn-secret-file: {path} is empty")
    return secret


def reread(settings: Settings, ice_servers: IceServers) -> None:
    """Go on with what the file holds now; with the secret from before where it can't be had."""
    try:
        ice_servers.secret = read(settings)
    except CannotStart as problem:
        _log.error("The previous TURN secret stays in use: {problem}", problem=problem)
