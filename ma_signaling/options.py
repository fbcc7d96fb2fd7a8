"""The command line of the twistd plugin: an option for each setting."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger, LoggingFile
from twisted.python import usage

from ma_signaling import __version__
from ma_signaling.config.declaration import FILE_VARIABLE, CannotStart, Declaration, SettingError, said_in
from ma_signaling.config.help_text import help_text
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import Configuration, load
from ma_signaling.config.unknown import explain_unknown
from ma_signaling.monitoring import log_writer

_log = Logger(namespace="ma_signaling")


class Options(usage.Options):
    """The options of ``twistd ma-signaling``.

    A mistake ends the process with status 1 and one line: twistd itself would print its help and exit with 0.
    """

    def __init__(self) -> None:
        self.configuration = Configuration(Settings(), {})
        self.given: dict[str, list[str]] = {}
        self._file = said_in(FILE_VARIABLE)
        self._only_checks = False
        super().__init__()

    def load(self) -> Configuration:
        """Return the settings of the command line, the environment and the file as they are now.

        Raises ``SettingError``.
        """
        return load(self.given, os.environ, Path(self._file) if self._file else None)

    def __str__(self) -> str:
        synopsis = "ma-signaling" if self.parent is None else "twistd ma-signaling"
        return help_text(f"Usage: {synopsis} [options]")

    def opt_config(self, path: str) -> None:
        """Settings file, TOML; the command line and the environment override it"""
        self._file = path

    def opt_check_config(self) -> None:
        """Print every setting and its source, or the first mistake, and exit"""
        self._only_checks = True

    def opt_help(self) -> NoReturn:
        """Print this help and exit"""
        _show(str(self))

    def opt_version(self) -> NoReturn:
        """Print the version and exit"""
        _show(f"ma-signaling {__version__}")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        try:
            super().parseOptions(options)
        except usage.UsageError as mistake:
            unknown = re.fullmatch(r"option --(\S+) not recognized", str(mistake))
            text = explain_unknown(unknown[1].replace("-", "_"), _as_option) if unknown else str(mistake)
            raise SystemExit(f"ma-signaling: {text} (--help lists the options)") from None

    def parseArgs(self, *unexpected: str) -> None:
        if unexpected:
            raise usage.UsageError(f"unexpected argument: {unexpected[0]}")

    def postOptions(self) -> None:
        # Absolute, since twistd changes the directory, and a reload reads the file again.
        self._file = self._file and str(Path(self._file).absolute())
        try:
            self.configuration = self.load()
        except SettingError as mistake:
            raise SystemExit(f"ma-signaling: {mistake}") from None
        if self._only_checks:
            _check(self.configuration)
        if self.parent is not None:
            _forget_stale_pid(self.parent)
            log_writer.use(self.parent, self.configuration.settings)


def _as_option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _collector(setting: Declaration) -> Callable[..., None]:
    def collect(self: Options, value: str) -> None:
        self.given.setdefault(setting.name, []).append(value)

    def switch_on(self: Options) -> None:
        collect(self, "on")

    return switch_on if setting.is_flag else collect


for _setting in declarations():
    # Twisted makes an option of each method opt_NAME, with its docstring as the help.
    setattr(Options, "opt_" + _setting.name, _collector(_setting))


def _check(configuration: Configuration) -> NoReturn:
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

    from ma_signaling.runtime import check_config  # noqa: PLC0415 - OpenSSL's import is slow

    listening: Any = reactor
    try:
        check_config.check(configuration.settings, listening)
    except CannotStart as problem:
        raise SystemExit(str(problem)) from None
    _show(check_config.describe(configuration), check_config.describe_more(configuration.settings, listening))


def _show(*lines: str) -> NoReturn:
    """Print ``lines`` and exit, with status 1 if they can't be written; a broken pipe isn't reported."""
    status = 0
    try:
        print(*lines, sep="\n", flush=True)  # noqa: T201 - it was asked for
    except OSError as problem:
        if not isinstance(problem, BrokenPipeError):
            sys.stderr.write(f"ma-signaling: standard output: {problem.strerror}\n")
        # Otherwise Python would try to write the rest of the buffer at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    raise SystemExit(status)


def _forget_stale_pid(twistd: usage.Options) -> None:
    """Remove a PID file that names no server, as after a crash in a container, where PIDs are soon reused.

    twistd takes any process with that PID, even itself, for another server.
    """
    path = Path(twistd.get("pidfile") or os.devnull)
    with suppress(OSError, ValueError):
        if path.is_file() and not _may_be_server(int(path.read_text(encoding="ascii"))):
            path.unlink()


def _may_be_server(pid: int) -> bool:
    if pid <= 0 or pid == os.getpid():
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # There is no such process, or no /proc: let twistd decide.
        return True
    return any(name in command for name in (b"twistd", b"ma-signaling", b"ma_signaling"))


def makeService(options: Options) -> IService:
    """Return the service for ``options``, on the reactor that twistd has installed."""
    # Imported objects stay: to look for garbage among them, now or later, would free just a MiB.
    gc.disable()
    try:
        return _make_service(options)
    finally:
        gc.freeze()
        # Peers leave no reference cycles (tests/unit/transport/test_garbage.py). With Python's own thresholds,
        # thousands of arriving homes would be searched repeatedly for nothing.
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def _make_service(options: Options) -> IService:
    from ma_signaling.runtime.spared_imports import spared_imports  # noqa: PLC0415 - --help does without

    settings = options.configuration.settings
    with spared_imports(settings):
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

        from ma_signaling.runtime import monotonic, service, signals, turns  # noqa: PLC0415 - Autobahn's import is slow; --help does without

    def in_one_line(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
        if isinstance(problem, CannotStart) and isinstance(sys.stderr, LoggingFile):
            _log.critical("{problem}", problem=problem)
        elif isinstance(problem, CannotStart):
            sys.stderr.write(f"{problem}\n")
        else:
            sys.__excepthook__(kind, problem, trace)

    sys.excepthook = in_one_line
    running: Any = reactor
    monotonic.use_monotonic_time(running)
    turns.bound_turns(running)
    signals.handle(running)
    if note := options.configuration.note():
        _log.info("{note}", note=note)
    return service.make_service(settings, running, lambda: options.load().settings)
