"""``ma-signaling`` and ``python -m ma_signaling``: twistd in the foreground, for people who don't know twistd."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentError, ArgumentParser
from pathlib import Path

from twisted.scripts.twistd import run

from ma_signaling.config.declaration import FILE_VARIABLE, SettingError
from ma_signaling.config.toml_file import read_file


def main() -> None:
    """Run ``twistd --nodaemon ma-signaling`` with this process's arguments, without a PID file; or ``check``."""
    if sys.argv[1:2] == ["check"]:
        from ma_signaling.check import command  # noqa: PLC0415 - it brings asyncio, and the server does without

        raise SystemExit(command.main(sys.argv[2:]))
    reactor = ["--reactor=asyncio"] if _joins_a_cluster(sys.argv[1:]) else []
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", *reactor, "ma-signaling", *sys.argv[1:]]
    run()


def _joins_a_cluster(arguments: list[str]) -> bool:
    """Whether this server is to be a node of a cluster, which takes another reactor."""
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--nats-url", default=os.environ.get("MA_SIGNALING_NATS_URL"))
    parser.add_argument("--config", default=os.environ.get(FILE_VARIABLE))
    try:
        given, _ = parser.parse_known_args(arguments)
        return bool(given.nats_url or (given.config and read_file(Path(given.config)).get("nats_url")))
    except (ArgumentError, SettingError):
        return False  # said better when the options are read in earnest


if __name__ == "__main__":
    main()
