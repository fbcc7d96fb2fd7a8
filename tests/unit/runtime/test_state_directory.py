"""Where the state is kept."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.runtime.state_directory import SYSTEM_WIDE, state_path


class StatePathTest(SynchronousTestCase):
    """The place depends on who runs the server."""

    def path(self, user: int, *, home: str | None = None, **settings: object) -> Path | None:
        """Return the place for a user, whose home directory may be known from the environment alone."""
        environment = {} if home is None else {"HOME": home}
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch("os.geteuid", return_value=user),
            mock.patch("pwd.getpwuid", side_effect=KeyError),
        ):
            return state_path(Settings(**{"acme_domain": ("a.example",), **settings}))  # type: ignore[arg-type]

    def test_users(self) -> None:
        assert self.path(0) == SYSTEM_WIDE
        assert self.path(1000, home="/home/u") == Path("/home/u/.local/state/ma-signaling")
        assert self.path(1000, state_directory="/srv/state") == Path("/srv/state")
        assert self.path(1000, acme_domain=()) is None

    def test_a_user_without_a_home(self) -> None:
        """As in a container that is run by any number."""
        with self.assertRaises(CannotStart) as refusal:
            self.path(1000680000)
        assert refusal.exception.problem.startswith("--state-directory must be set")
