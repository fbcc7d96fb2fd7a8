"""Runs a Dockerfile without Docker: its commands are unchanged, its directories are inside another one.

The image's own Python is a fresh virtual environment. Instructions that only an engine can carry out (users, ports)
are left out; any instruction that is unknown here is an error.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from dockerfile_parse import DockerfileParser

OWN_DIRECTORIES = ("src", "opt", "wheels", "var")
"""The first parts of paths in the Dockerfile that are taken as paths inside the image."""

_ABSOLUTE = re.compile(rf"(?<![\w./-])/(?={'|'.join(OWN_DIRECTORIES)})")


class Image:
    """The image that a Dockerfile makes of a build context, in ``directory``."""

    def __init__(self, context: Path, directory: Path) -> None:
        self._context = context
        self._ignored = _ignore_patterns(context / ".dockerignore")
        self.root = directory / "root"
        self.root.mkdir()
        self._python = directory / "python"
        venv.create(self._python, with_pip=True)
        self._working_directory = self.root
        self._kept: list[Path] = []
        self._is_last_stage = False
        self.entry_point: Sequence[str] = ()
        self.health_check: Sequence[str] = ()
        self.commands_run = 0
        self._variables: dict[str, str] = {}

    def build(self) -> None:
        """Carry out every instruction. Raises ``AssertionError`` with the output of a command that fails."""
        instructions = DockerfileParser(str(self._context)).structure
        stages = sum(each["instruction"] == "FROM" for each in instructions)
        for each in instructions:
            name, value = each["instruction"], each["value"]
            if name == "FROM":
                stages -= 1
                self._is_last_stage = stages == 0
                self._working_directory = self.root
            elif name == "WORKDIR":
                self._working_directory = self._inside(value)
                self._working_directory.mkdir(parents=True, exist_ok=True)
            elif name == "COPY":
                self._copy(value.split())
            elif name == "RUN":
                self._run(value)
            elif name == "HEALTHCHECK":
                self.health_check = self._exec_form(value.partition("CMD")[2])
            elif name == "ENTRYPOINT":
                self.entry_point = self._exec_form(value)
            elif name == "ENV":
                self._set(value.split())
            else:
                assert name in ("COMMENT", "EXPOSE", "USER", "VOLUME"), f"{name} is not known here"
        self._forget_other_stages()

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a process in the image: of this machine's, only what pip needs to find packages."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        path = f"{self._python}/bin:/usr/bin:/bin"
        return {**kept, "PATH": path, "LANG": "C.UTF-8", **self._variables, **variables}

    def _set(self, assignments: Sequence[str]) -> None:
        for each in assignments:
            name, _, value = each.partition("=")
            self._variables[name] = _ABSOLUTE.sub(f"{self.root}/", value)

    def _inside(self, path: str) -> Path:
        return self._working_directory / path if not path.startswith("/") else self.root / path.lstrip("/")

    def _exec_form(self, value: str) -> list[str]:
        """Return a command in exec form, without a shell, so that signals reach it."""
        command = json.loads(value)
        assert isinstance(command, list)
        return [_ABSOLUTE.sub(f"{self.root}/", word) for word in command]

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-c", _ABSOLUTE.sub(f"{self.root}/", command)],
            cwd=self._working_directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        self.commands_run += 1

    def _copy(self, words: list[str]) -> None:
        flags = [word for word in words if word.startswith("--")]
        *sources, target = words[len(flags) :]
        if any(flag.startswith("--from=") for flag in flags):
            # All stages share one root here, since a virtual environment knows its own path.
            assert sources == [target]
            assert self._inside(target).exists(), f"no stage has made {target}"
            self._kept.append(self._inside(target))
            return
        for source in sources:
            for relative in self._files(Path()):
                if source == "." or fnmatch.fnmatch(str(relative), source):
                    to = self._inside(target) / relative
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(self._context / relative, to)

    def _files(self, directory: Path) -> Iterator[Path]:
        """Yield the files of the context that aren't ignored, without descending into ignored directories."""
        for path in sorted((self._context / directory).iterdir()):
            relative = path.relative_to(self._context)
            is_ignored = self._is_ignored(relative)
            has_exceptions = any(
                pattern.startswith(f"{relative}/") for pattern, ignores in self._ignored if not ignores
            )
            if path.is_dir() and (not is_ignored or has_exceptions):
                yield from self._files(relative)
            elif path.is_file() and not is_ignored:
                yield relative

    def _is_ignored(self, path: Path) -> bool:
        """Return whether a path is ignored: the last pattern that matches decides, as in Docker."""
        ignored = False
        for pattern, is_ignored in self._ignored:
            parts = [path, *path.parents][:-1]
            if any(_fits(part, pattern) for part in parts):
                ignored = is_ignored
        return ignored

    def _forget_other_stages(self) -> None:
        """Remove what the last stage hasn't copied, since it begins with an empty image."""
        assert self._is_last_stage
        for path in sorted(self.root.rglob("*"), reverse=True):
            if any(path.is_relative_to(kept) or kept.is_relative_to(path) for kept in self._kept):
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


def _ignore_patterns(path: Path) -> list[tuple[str, bool]]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [(pattern.lstrip("!"), not pattern.startswith("!")) for pattern in patterns]


def _fits(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.name, pattern.removeprefix("**/"))
    return len(path.parts) == len(Path(pattern).parts) and fnmatch.fnmatch(str(path), pattern)
