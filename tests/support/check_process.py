"""``ma-signaling check`` in a process that stays: in one process, Autobahn works only with asyncio or with Twisted."""

from __future__ import annotations

import io
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from multiprocessing import get_context

WITHIN = 60.0


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status and the first line that it prints.

    On standard error, the command may print only its usage.
    """
    return _process().submit(_run, arguments).result(WITHIN)


@cache
def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"))


def _run(arguments: tuple[str, ...]) -> tuple[int, str]:
    from ma_signaling.check import command  # noqa: PLC0415 - see above

    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        status = command.main(arguments)
    assert not errors.getvalue() or errors.getvalue().startswith("usage: "), errors.getvalue()
    return status, out.getvalue().splitlines()[0]
