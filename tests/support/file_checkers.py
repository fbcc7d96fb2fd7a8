"""Programs that check files, and files that are checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests import ROOT


def beside_python(name: str) -> str:
    """Return the path of a program that pip has installed for the running Python."""
    return str(Path(sys.executable).parent / name)


def complaints(*command: str) -> str:
    """Return the output of a checker, which is empty if the files are right."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr or f"exit status {done.returncode}"


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file."""
    return YAML(typ="safe").load(path)
