"""``ma-signaling`` and ``python -m ma_signaling``: twistd in the foreground, for people who don't know twistd."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run

from ma_signaling.options import Options


def main() -> None:
    """Run ``twistd --nodaemon ma-signaling`` with this process's arguments, without a PID file; or ``check``."""
    if sys.argv[1:2] == ["check"]:
        from ma_signaling.check import command  # noqa: PLC0415 - it brings asyncio, and the server does without

        raise SystemExit(command.main(sys.argv[2:]))
    options = Options()
    options.parseOptions(sys.argv[1:])
    # NATS' client runs on asyncio, so a node of a cluster needs another reactor.
    reactor = ["--reactor=asyncio"] if options.configuration.settings.nats_url else []
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", *reactor, "ma-signaling", *sys.argv[1:]]
    run()


if __name__ == "__main__":
    main()
