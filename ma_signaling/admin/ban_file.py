"""Bans in the state directory, so that they outlive a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson
from twisted.logger import Logger

from ma_signaling.config.files import read_regular, write_private
from ma_signaling.core.bans import Bans

VERSION = 1
"""Of the file's form; a file of a later one is set aside."""

FOR_GOOD_SECONDS = 1e10
"""Three centuries: what a file says beyond that is for good."""

_log = Logger(namespace="ma_signaling")


class BanFile:
    """Keeps ``bans`` in ``path``; None: nowhere. Ends are kept by the calendar, since no other clock outlives us."""

    def __init__(self, bans: Bans, path: Path | None, wall: Callable[[], float] = time.time) -> None:
        self._bans = bans
        self._path = path
        self._wall = wall
        self._is_written = True
        """What it says is what there is."""

    @property
    def is_kept(self) -> bool:
        """Whether bans outlive a restart: all of them, as they are now."""
        return self._path is not None and self._is_written

    def load(self) -> None:
        """Take over what the file says. One that can't be read is set aside, and the log says so."""
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
                "Bans in {path} are set aside as {aside}: {problem}",
                path=self._path,
                aside=aside,
                problem=problem,
            )
            try:
                self._path.replace(aside)
            except OSError:
                self._path = None

    def save(self) -> None:
        """Write the bans as they are now."""
        if self._path is None:
            return
        now = self._wall()
        bans = {target: None if left is None else now + left for target, left in self._bans}
        try:
            write_private(self._path, orjson.dumps({"version": VERSION, "bans": bans}))
        except OSError as problem:
            if self._is_written:
                _log.error(
                    "{path} can't be written: {problem}. It is tried again and again",
                    path=self._path,
                    problem=problem.strerror,
                )
            self._is_written = False
        else:
            self._is_written = True

    def prune(self) -> None:
        """End the bans whose time is over, and write what could not be written."""
        if self._bans.prune() or not self._is_written:
            self.save()


def _end(value: object) -> float | None:
    """Return the end of a ban, as a file has it; None: it has none. Raises ``TypeError``."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise TypeError
