"""``ma-signaling`` and ``python -m ma_signaling``: twistd in the foreground, for people who don't know twistd."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Run ``twistd --nodaemon ma-signaling`` with this process's arguments; writes no PID file."""
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "ma-signaling", *sys.argv[1:]]
    run()


if __name__ == "__main__":
    main()
