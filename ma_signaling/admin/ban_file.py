"""Bans in the state directory, which outlive a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson
from twisted.logger import Logger

from ma_signaling.config.files import read_regular, write_private
from ma_signaling.core.bans import Bans

VERSION = 1
"""The version of the file format; a file of another version is set aside."""

FOR_GOOD_SECONDS = 1e10
"""Three centuries: a longer ban in a file is for good."""

_log = Logger(namespace="ma_signaling")


class BanFile:
    """Keeps ``bans`` in ``path``, if any. Their ends are calendar times, since no other clock outlives a process."""

    def __init__(self, bans: Bans, path: Path | None, wall: Callable[[], float] = time.time) -> None:
        self._bans = bans
        self._path = path
        self._wall = wall
        self._is_written = True
        """Whether the file is up to date."""

    @property
    def is_kept(self) -> bool:
        """Whether all current bans would outlive a restart."""
        return self._path is not None and self._is_written

    def load(self) -> None:
        """Load the bans in the file. A file that can't be read is set aside, which is logged."""
        if self._path is None or not self._path.exists():
            return
        try:
            content = orjson.loads(read_regular(self._path))
            if content["version"] != VERSION:
                raise ValueError(f"it is of version {content['version']}, and this server knows {VERSION}")
            now = self._wall()
            ends = {str(target): _end(end) for target, end in content["bans"].items()}
            self._bans.restore(
                {
                    target: None if end is None or end - now > FOR_GOOD_SECONDS else end - now
                    for target, end in ends.items()
                    if end is None or end > now
                }
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as found:
            is_told = isinstance(found, OSError | ValueError)
            problem = found if is_told else "it has another form than this server writes"
            aside = self._path.with_suffix(".aside")
            _log.error(
                "The bans in {path} are not used, and moved to {aside}: {problem}",
                path=self._path,
                aside=aside,
                problem=problem,
            )
            try:
                self._path.replace(aside)
            except OSError:
                self._path = None

    def save(self) -> None:
        """Write the current bans."""
        if self._path is None:
            return
        now = self._wall()
        bans = {target: None if left is None else now + left for target, left in self._bans}
        try:
            write_private(self._path, orjson.dumps({"version": VERSION, "bans": bans}))
        except OSError as problem:
            if self._is_written:
                _log.error(
                    "{path} can't be written: {problem}. Trying again until that succeeds",
                    path=self._path,
                    problem=problem.strerror,
                )
            self._is_written = False
        else:
            self._is_written = True

    def prune(self) -> None:
        """End the bans whose time is over, and retry a failed write."""
        if self._bans.prune() or not self._is_written:
            self.save()


def _end(value: object) -> float | None:
    """Return the end of a ban in a file as a Unix time, None if it has none. Raises TypeError."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise TypeError
