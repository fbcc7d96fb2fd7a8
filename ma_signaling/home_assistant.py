"""``python -m ma_signaling.home_assistant [COMMAND]``: run with the options of an add-on for Home Assistant.

The Supervisor writes the options to a file; each has the name of a setting. They are turned into environment variables,
and this process is replaced by the program.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

OPTIONS = Path("/data/options.json")


def environment(options: Mapping[str, object], prefix: str) -> dict[str, str]:
    """Return the environment variables for ``options``; empty options are left out."""
    return {
        prefix + name.upper(): _text(value) for name, value in options.items() if value not in (None, "", [])
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def main(arguments: Sequence[str], path: Path = OPTIONS) -> None:
    """Replace this process by ``ma-signaling`` with these arguments."""
    prefix = "MA_SIGNALING_HOME_" if arguments[:1] == ["home"] else "MA_SIGNALING_"
    variables = environment(json.loads(path.read_text(encoding="utf-8")), prefix)
    program = [sys.executable, "-m", "ma_signaling", *arguments]
    os.execve(program[0], program, {**os.environ, **variables})  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
