"""``ma-signaling`` and ``python -m ma_signaling``: twistd in the foreground, for people who don't know twistd."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Run ``twistd --nodaemon ma-signaling`` with this process's arguments, without a PID file; or ``check``."""
    if sys.argv[1:2] == ["check"]:
        from ma_signaling.check import command  # noqa: PLC0415 - it brings asyncio, and the server does without

        raise SystemExit(command.main(sys.argv[2:]))
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "ma-signaling", *sys.argv[1:]]
    run()


if __name__ == "__main__":
    main()
