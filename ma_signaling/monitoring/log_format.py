"""The log as it is written: a readable line for each event, or one JSON object (``--log-format``)."""

from __future__ import annotations

import signal
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import orjson
from twisted.logger import ILogObserver, LogEvent, eventAsText
from twisted.python.logfile import LogFile
from zope.interface import implementer

from ma_signaling.config.settings import Settings


@implementer(ILogObserver)
class LogLines:
    """Writes log events to a file, a line each.

    What this server reports has its ``line`` and its ``details`` with it: Twisted's own way of formatting an event
    takes as long as the opening handshake of the home that it is about.
    """

    def __init__(self, file: Any, as_json: bool) -> None:
        self._file = file
        self._format = self._as_json if as_json else self._as_text
        self._second = 0
        self._time = ""

    def __call__(self, event: LogEvent) -> None:
        """Write one event."""
        self._file.write(self._format(event))
        self._file.flush()

    def _as_text(self, event: LogEvent) -> str:
        text = event.get("line") or eventAsText(event, includeTimestamp=False, includeSystem=False)
        text = text.replace("\n", "\n\t")
        return f"{self._when(event)} [{event.get('log_namespace', '-')}#{_level(event)}] {text}\n"

    def _as_json(self, event: LogEvent) -> str:
        line: dict[str, object] = {"time": self._when(event), "level": _level(event)}
        if "line" in event:
            line |= {"event": event["event"], "message": event["line"], **event["details"]}
        else:
            line["logger"] = event.get("log_namespace", "-")
            line["message"] = eventAsText(event, includeTimestamp=False, includeSystem=False)
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode(errors="replace")

    def _when(self, event: LogEvent) -> str:
        seconds = int(event["log_time"])
        if seconds != self._second:
            self._second = seconds
            self._time = datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
        return self._time


def _level(event: LogEvent) -> str:
    level: str = event["log_level"].name if "log_level" in event else "info"
    return level


_path = "-"
_as_json = False


def use(twistd: MutableMapping[str, Any], settings: Settings) -> None:
    """Make twistd write its log with ``LogLines``, unless its own options say another thing.

    It takes only the name of a function without arguments, so what that one should do is kept in this module.
    """
    global _path, _as_json  # noqa: PLW0603 - a process has one log
    path = twistd.get("logfile") or ("-" if twistd.get("nodaemon") else "twistd.log")
    if twistd.get("logger") or twistd.get("syslog") or (path == "-" and not twistd.get("nodaemon")):
        return
    _path = path
    _as_json = settings.log_format == "json"
    twistd["logger"] = f"{__name__}.{open_log.__name__}"


def open_log() -> LogLines:
    """The log that ``use`` has chosen."""
    return LogLines(sys.stdout if _path == "-" else _open_file(_path), _as_json)


def _open_file(path: str) -> Any:
    """A log file that is rotated at its size, and at SIGUSR1, as twistd's own is."""
    file: Any = LogFile.fromFullPath(path)

    def rotate(number: int, frame: FrameType | None) -> None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

        running: Any = reactor
        running.callFromThread(file.rotate)

    signal.signal(signal.SIGUSR1, rotate)
    return file
