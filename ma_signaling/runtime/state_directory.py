"""The directory for state that outlives a restart; one server at a time uses it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from twisted.application.service import Service

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings

SYSTEM_WIDE = Path("/var/lib/ma-signaling")


class StateDirectory(Service):
    """Makes ``path`` if necessary, and locks it until the service stops. Making one raises ``CannotStart``."""

    def __init__(self, path: Path) -> None:
        # Absolute, since twistd may change the directory after the start.
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(
                self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as problem:
            raise CannotStart(f"--state-directory {self.path}: {problem.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise CannotStart(
                f"--state-directory {self.path}: another server uses it; each needs a directory of its own"
            ) from None

    def stopService(self) -> None:
        super().stopService()
        os.close(self._lock)


def state_path(settings: Settings) -> Path | None:
    """Return the directory for the state, None if there is none. Raises ``CannotStart``."""
    if settings.state_directory:
        return Path(settings.state_directory)
    if not settings.acme_domain:
        return None
    if os.geteuid() == 0:
        return SYSTEM_WIDE
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ma-signaling"
    except RuntimeError:
        raise CannotStart(
            "--state-directory must be set: the user that this server runs as has no home directory"
        ) from None
