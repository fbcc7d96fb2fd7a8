"""The twistd plugin's command line, made of the settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from ma_signaling import __version__
from ma_signaling.config.declaration import CannotStart, Declaration, SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import FILE_VARIABLE, Configuration, load
from ma_signaling.monitoring import log_format as log_lines


class Options(usage.Options):
    """``twistd ma-signaling``; what it leaves open, environment variables and the defaults say.

    A mistake ends the process with status 1 and one line: twistd itself would print its help and exit with 0.
    """

    longdesc = (
        "Every setting is an environment variable too, and a key in the file that --config names: --some-option is"
        " MA_SIGNALING_SOME_OPTION and some_option."
    )

    def __init__(self) -> None:
        self.settings = Settings()
        self.given: dict[str, list[str]] = {}
        self._file = os.environ.get(FILE_VARIABLE, "")
        self._only_checks = False
        super().__init__()

    def load(self) -> Configuration:
        """What holds by command line, environment and file, as they are now. Raises ``SettingError``."""
        return load(self.given, os.environ, Path(self._file) if self._file else None)

    def opt_config(self, path: str) -> None:
        """A file with settings, TOML; the command line and the environment win over it."""
        self._file = path

    def opt_check_config(self) -> None:
        """Display every setting and where it comes from, or what is wrong, and exit."""
        self._only_checks = True

    def opt_version(self) -> NoReturn:
        """Display this program's version and exit."""
        print(f"ma-signaling {__version__}")  # noqa: T201 - this is what was asked for
        raise SystemExit

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        try:
            super().parseOptions(options)
        except usage.UsageError as mistake:
            raise SystemExit(f"ma-signaling: {mistake} (--help lists the options)") from None

    def parseArgs(self, *unexpected: str) -> None:
        if unexpected:
            raise usage.UsageError(f"unexpected argument: {unexpected[0]}")

    def postOptions(self) -> None:
        # twistd changes the directory, and the file will be read again.
        self._file = self._file and str(Path(self._file).absolute())
        try:
            configuration = self.load()
        except SettingError as mistake:
            raise SystemExit(f"ma-signaling: {mistake}") from None
        self.settings = configuration.settings
        if self._only_checks:
            _check(configuration)
        if self.parent is not None:
            log_lines.use(self.parent, self.settings)


def _collector(setting: Declaration) -> Callable[[Options, str], None]:
    def collect(self: Options, value: str) -> None:
        self.given.setdefault(setting.name, []).append(value)

    unit = f", {setting.unit}" if setting.unit else ""
    collect.__doc__ = f"{setting.help} [default: {setting.default}{unit}]"
    return collect


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
    print(check_config.describe(configuration))  # noqa: T201 - this is what was asked for
    raise SystemExit


def makeService(options: Options) -> IService:
    """The service that ``options`` ask for, on the reactor that twistd has installed."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

    from ma_signaling.runtime import service, stop_signals  # noqa: PLC0415 - Autobahn's import is slow; --help does without

    def in_one_line(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
        if isinstance(problem, CannotStart):
            sys.stderr.write(f"{problem}\n")
        else:
            sys.__excepthook__(kind, problem, trace)

    sys.excepthook = in_one_line
    running: Any = reactor
    stop_signals.handle(running)
    return service.make_service(options.settings, running, lambda: options.load().settings)
