"""The twistd plugin's command line, made of the settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from ma_signaling import __version__, log_lines
from ma_signaling.settings import Declaration, SettingError, Settings, declarations, load


class Options(usage.Options):
    """``twistd ma-signaling``; what it leaves open, environment variables and the defaults say.

    A mistake ends the process with status 1 and one line: twistd itself would print its help and exit with 0.
    """

    longdesc = "Every option is an environment variable too: --some-option is MA_SIGNALING_SOME_OPTION."

    def __init__(self) -> None:
        self.settings = Settings()
        self.given: dict[str, list[str]] = {}
        super().__init__()

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
        try:
            self.settings = load(self.given, os.environ)
        except SettingError as mistake:
            raise SystemExit(f"ma-signaling: {mistake}") from None
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


def makeService(options: Options) -> IService:
    """The service that ``options`` ask for, on the reactor that twistd has installed."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs the default one

    from ma_signaling import service, stop_signals  # noqa: PLC0415 - Autobahn's import is slow; --help does without

    def in_one_line(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
        if isinstance(problem, service.CannotStart):
            sys.stderr.write(f"{problem}\n")
        else:
            sys.__excepthook__(kind, problem, trace)

    sys.excepthook = in_one_line
    running: Any = reactor
    stop_signals.handle(running)
    return service.make_service(options.settings, running)
