"""`ma-signaling ... --check-config` in this process: what it prints, or the line with which it refuses."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO
from unittest import mock

from ma_signaling.options import Options


def _check_config(options: tuple[str, ...], environment: dict[str, str]) -> tuple[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MA_SIGNALING_")}
    with mock.patch.dict(os.environ, {**kept, **environment}, clear=True), redirect_stdout(StringIO()) as out:
        try:
            Options().parseOptions([*options, "--check-config"])
        except SystemExit as end:
            return out.getvalue(), end.code if isinstance(end.code, str) else ""
    raise AssertionError("it goes on to start")


def accepted(*options: str, **environment: str) -> str:
    """Return what is printed about these options and variables, with which a server would start."""
    printed, problem = _check_config(options, environment)
    assert not problem, problem
    return printed


def refused(*options: str, **environment: str) -> str:
    """Return the one line that says why no server would start with these options and variables."""
    printed, problem = _check_config(options, environment)
    assert (printed, problem.count("\n")) == ("", 0), problem
    assert problem.startswith("ma-signaling: "), problem
    return problem
