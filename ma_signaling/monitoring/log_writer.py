"""Writes the log: a line of text, or a JSON object, for each log event of this server, and for warnings of libraries.

Lines of libraries follow the same rules as this server's: addresses appear as ``--log-addresses`` says, and the number
of lines that strangers can cause is limited.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import orjson
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, eventAsText
from zope.interface import implementer

from ma_signaling.config.settings import Settings
from ma_signaling.core.peer import Clock
from ma_signaling.monitoring.address_policy import AddressPolicy
from ma_signaling.monitoring.line_budget import LineBudget
from ma_signaling.monitoring.log_file import RotatedLogFile

OWN_NAMESPACE = "ma_signaling"

ACCEPT_NAMESPACE = "twisted.internet.tcp.Port"
"""The namespace in which Twisted logs, at level info, that it could not accept a connection."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@implementer(ILogObserver)
class LogWriter:
    """Writes log events to a file, a line each.

    Events of ``EventLog`` bring their finished ``line``, since Twisted's formatting of an event takes as long as the
    opening handshake of a home. Other events of this server that may name peers' addresses say ``is_about_peers``.
    """

    def __init__(self, file: Any, as_json: bool, addresses: str, clock: Clock) -> None:
        self._file = file
        self._format = self._as_json if as_json else self._as_text
        self._addresses = AddressPolicy(addresses)
        self._budget = LineBudget(clock, self._tell_left_out)
        self._second = 0
        self._time = self._zone = ""

    def __call__(self, event: LogEvent) -> None:
        """Write one event."""
        if event.get("log_level", LogLevel.info) < _verbosity.level:
            return
        if "line" in event:
            self._write(event, event["line"])
            return
        namespace = event.get("log_namespace", "-")
        failure = event.get("log_failure")
        is_own = namespace.startswith(OWN_NAMESPACE)
        if not is_own:
            if namespace == ACCEPT_NAMESPACE:
                event = {**event, "log_level": LogLevel.warn}
            if event["log_level"] < LogLevel.warn and _verbosity.level is not LogLevel.debug:
                return
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not is_own or failure is not None:
            kind = namespace if failure is None else f"{namespace} {failure.type.__name__}"
            if not self._budget.may_write(kind):
                return
            text = _CONTROL.sub(lambda match: repr(match[0])[1:-1], self._addresses.redact(text))
        elif event.get("is_about_peers"):
            text = self._addresses.redact(text)
        self._write(event, text)

    def _tell_left_out(self, kind: str, count: int) -> None:
        _log.warn("{count} more within a minute that were not logged: {kind}", count=count, kind=kind)

    def _write(self, event: LogEvent, text: str) -> None:
        self._file.write(self._format(event, text))
        self._file.flush()

    def _as_text(self, event: LogEvent, text: str) -> str:
        indented = text.replace("\n", "\n\t")
        return f"{self._when(event)} [{event.get('log_namespace', '-')}#{_level(event)}] {indented}\n"

    def _as_json(self, event: LogEvent, text: str) -> str:
        line: dict[str, object] = {"time": self._when(event), "level": _level(event)}
        if "line" in event:
            line |= {"event": event["event"], "message": text, **event["details"]}
        else:
            line |= {"logger": event.get("log_namespace", "-"), "message": text}
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode(errors="replace")

    def _when(self, event: LogEvent) -> str:
        milliseconds = int(event["log_time"] * 1000)
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            local = datetime.fromtimestamp(second, UTC).astimezone()
            self._time, self._zone = local.strftime("%Y-%m-%dT%H:%M:%S"), local.strftime("%z")
        return f"{self._time}.{milliseconds % 1000:03d}{self._zone}"


_log = Logger(namespace=OWN_NAMESPACE)


def _level(event: LogEvent) -> str:
    level: str = event["log_level"].name if "log_level" in event else "info"
    return level


class LibraryHandler(logging.Handler):
    """Passes log records of Python's ``logging`` on to Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = LogLevel.levelWithName("warn" if record.levelno < logging.ERROR else "error")
        Logger(namespace=record.name).emit(level, "{text}", text=self.format(record))


class _Verbosity:
    """The lowest level that is written. At debug, lines of libraries below warn are written as well."""

    level = LogLevel.info


_verbosity = _Verbosity()


def level() -> str:
    """Return the lowest level that is written."""
    name: str = _verbosity.level.name
    return name


def set_level(name: str) -> None:
    """Set the lowest level that is written: ``debug``, ``info``, ``warn`` or ``error``. Raises ValueError."""
    if name not in ("debug", "info", "warn", "error"):
        raise ValueError("the level is one of: debug, info, warn, error")
    _verbosity.level = LogLevel.levelWithName(name)


def is_debugging() -> bool:
    """Return whether every event is written."""
    return _verbosity.level is LogLevel.debug


_path = "-"
_settings = Settings()


def use(twistd: MutableMapping[str, Any], settings: Settings) -> None:
    """Make twistd write its log with ``LogWriter``, unless its own options choose another logger.

    twistd takes only the name of a function without arguments, so module globals hold what the function needs.
    """
    global _path, _settings
    path = twistd.get("logfile") or ("-" if twistd.get("nodaemon") else "twistd.log")
    if twistd.get("logger") or twistd.get("syslog") or (path == "-" and not twistd.get("nodaemon")):
        return
    _path, _settings = path, settings
    twistd["logger"] = f"{__name__}.{open_log.__name__}"


def open_log() -> LogWriter:
    """Return the log that ``use`` has chosen; exits with one line if its file can't be written."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

    clock: Any = reactor
    logging.getLogger().addHandler(LibraryHandler(logging.WARNING))
    file = sys.stdout if _path == "-" else _open_file(_path)
    return LogWriter(file, _settings.log_format == "json", _settings.log_addresses, clock)


def _open_file(path: str) -> Any:
    """Return a log file that is rotated at its size, and on SIGUSR1, as twistd's own is."""
    try:
        file: Any = RotatedLogFile.fromFullPath(path)
    except OSError as problem:
        raise SystemExit(f"ma-signaling: --logfile {path}: {problem.strerror}") from None

    def rotate(number: int, frame: FrameType | None) -> None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

        running: Any = reactor
        running.callFromThread(file.rotate)

    signal.signal(signal.SIGUSR1, rotate)
    return file
