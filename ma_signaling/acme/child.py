"""The process that talks to a CA: certbot's library blocks, and takes much memory for a few requests a year.

Standard input has one line of JSON: ``{"task": "issue" | "advise", …}`` with the fields of ``client.Wanted``; for
advice also the ``certificate`` (PEM). Output: ``{"account": {…}}``; ``{"challenge": […]}``, after which the process
waits for a line; and last ``{"issued": PEM}``, ``{"renewAt": T | null, "askAt": T}``, or ``{"failed": TEXT,
"retryAfter": S | null}``. Times are Unix times, ``retryAfter`` is in seconds.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import orjson

from ma_signaling.acme.client import Talk, Wanted
from ma_signaling.acme.problems import UNEXPECTED, explain


def main() -> None:
    """Perform the task."""
    # A terminal and systemd signal all processes of the server, which ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wish: dict[str, Any] = orjson.loads(sys.stdin.buffer.readline())
    task, certificate = wish.pop("task"), wish.pop("certificate", "")
    talk = None
    try:
        talk = Talk(Wanted(**wish))
        if task == "issue":
            _say(issued=talk.issue(_prove, lambda account: _say(account=account)).decode())
        else:
            renew_at, ask_at = talk.advise(certificate.encode())
            _say(renewAt=renew_at, askAt=ask_at)
    except UNEXPECTED as problem:
        _say(failed=explain(problem, wish["directory"]), retryAfter=talk and talk.retry_after)
    except Exception as problem:
        _say(failed=explain(problem, wish["directory"]), retryAfter=None)
        raise


def _prove(kind: str, name: str, token: str, authorization: str) -> None:
    _say(challenge=[kind, name, token, authorization])
    if not sys.stdin.buffer.readline():
        # The server is gone.
        raise SystemExit(1)


def _say(**message: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
