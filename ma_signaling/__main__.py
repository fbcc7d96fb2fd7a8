"""``ma-signaling`` and ``python -m ma_signaling``: twistd in the foreground, for people who don't know twistd."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``twistd --nodaemon ma-signaling`` with this process's arguments, without a PID file; or a command."""
    if sys.argv[1:2] == ["check"]:
        from ma_signaling.check import command  # noqa: PLC0415 - it imports asyncio, which the server doesn't need

        raise SystemExit(command.main(sys.argv[2:]))
    if sys.argv[1:2] == ["admin"]:
        from ma_signaling.admin_command import command as admin  # noqa: PLC0415 - it doesn't need the server

        raise SystemExit(admin.main(sys.argv[2:]))
    if sys.argv[1:2] == ["home"]:
        raise SystemExit(_home(sys.argv[2:]))
    from twisted.scripts.twistd import run  # noqa: PLC0415 - the commands above don't need it

    from ma_signaling.options import Options  # noqa: PLC0415 - nor this

    # Parsed here first, so that help and errors are this command's and not twistd's.
    Options().parseOptions(sys.argv[1:])
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "ma-signaling", *sys.argv[1:]]
    run()


def _home(arguments: list[str]) -> int:
    try:
        from ma_signaling.home import command  # noqa: PLC0415 - it needs an extra
    except ImportError as missing:
        sys.stderr.write(f"ma-signaling home needs {missing.name}: pip install 'ma-signaling[home]'\n")
        return 1
    return command.main(arguments)


if __name__ == "__main__":
    main()
