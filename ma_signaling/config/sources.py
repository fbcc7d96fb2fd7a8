"""Where settings come from: the command line, else the environment, else a file, else the defaults."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ma_signaling.config.declaration import ENVIRONMENT_PREFIX, Declaration, SettingError
from ma_signaling.config.settings import Settings, declarations

FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""The environment variable that names the file."""

DEFAULT = "default"

Texts = Mapping[str, Sequence[str]]
"""What is said of each setting, by its name; of those that are not there, nothing."""

_TOML_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
    bool: ((bool,), "true or false"),
    tuple: ((str,), "a string, or an array of strings"),
}
"""By the type of a setting's value: what it may be in a file, and how a person says it."""

_TOML_PORTS: tuple[tuple[type, ...], str] = ((int, str), "a number, a string, or an array of these")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and for each of them where its value comes from: an option, a variable, a file or ``default``."""

    settings: Settings
    sources: Mapping[str, str]


def load(options: Texts, environment: Mapping[str, str], file: Path | None = None) -> Configuration:
    """The settings of ``options`` (from the command line), then ``environment``, then ``file``, then the defaults.

    Raises ``SettingError`` for the first value that will not do, in one line.
    """
    in_file = read_file(file) if file is not None else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in declarations():
        source, texts = _find(setting, options, environment, in_file, str(file))
        sources[setting.name] = source
        if source != DEFAULT:
            place = f"{file}: {setting.name}" if source == str(file) else source
            parsed = [_parse(setting, place, text) for text in texts]
            values[setting.name] = tuple(parsed) if setting.repeatable else parsed[-1]
    settings = Settings(**values)
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingError("--tls-cert and --tls-key go together, and only one of them is given")
    if bool(settings.turn_urls) != bool(settings.turn_secret_file):
        raise SettingError("--turn-urls and --turn-secret-file go together, and only one of them is given")
    if settings.reuse_port and not settings.nats_url:
        raise SettingError(
            "--reuse-port needs --nats-url: without it, processes do not find each other's homes"
        )
    return Configuration(settings, sources)


def read_file(path: Path) -> Texts:
    """What a TOML file says, as if it stood on a command line. Raises ``SettingError``."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise SettingError(f"{path}: it cannot be read: {problem.strerror}") from None
    except ValueError as problem:
        raise SettingError(f"{path}: it is no TOML: {problem}") from None
    declared = {setting.name: setting for setting in declarations()}
    said: dict[str, Sequence[str]] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if isinstance(value, dict):
            raise SettingError(f"{path}: [{key}] will not do, settings stand by themselves, in no table")
        if name not in declared:
            (nearest,) = get_close_matches(name, declared, 1, 0)
            raise SettingError(f"{path}: there is no setting {key!r}, the nearest is {nearest!r}")
        if name in said:
            raise SettingError(f"{path}: {name} is there twice")
        said[name] = _texts(declared[name], path, value)
    return said


def readable(setting: Declaration, value: object) -> str:
    """A setting's value as TOML; asterisks for one that is secret."""
    if setting.secret and value:
        return '"********"'
    if isinstance(value, tuple):
        return f"[{', '.join(_as_toml(each) for each in value)}]"
    return _as_toml(value)


def _as_toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=False)


def _texts(setting: Declaration, path: Path, value: object) -> Sequence[str]:
    """A value of a file as the command line would say it: one text, or several where it is repeatable."""
    kind = tuple if setting.repeatable else type(setting.parse(setting.default))
    types, description = _TOML_PORTS if setting.repeatable else _TOML_TYPES[kind]
    values: list[object] = value if kind is tuple and isinstance(value, list) else [value]
    if not all(type(each) in types for each in values):
        raise SettingError(f"{path}: {setting.name} must be {description}")
    texts = [str(each) for each in values]
    if not setting.repeatable:
        return [",".join(texts)]
    if not texts and setting.default:
        raise SettingError(f"{path}: {setting.name} must be {description}, and at least one")
    return texts


def _find(
    setting: Declaration, options: Texts, environment: Mapping[str, str], in_file: Texts, file: str
) -> tuple[str, Sequence[str]]:
    """Where a setting's value comes from, and the texts that stand there."""
    if options.get(setting.name):
        return f"--{setting.option}", options[setting.name]
    for variable in filter(None, (setting.variable, setting.also)):
        if environment.get(variable):
            text = environment[variable]
            return variable, text.split() if setting.repeatable else [text]
    if setting.name in in_file:
        return file, in_file[setting.name]
    return DEFAULT, []


def _parse(setting: Declaration, place: str, text: str) -> Any:
    try:
        return setting.parse(text.strip())
    except ValueError as problem:
        shown = "this value" if setting.secret else repr(text)
        raise SettingError(f"{place}: {shown} will not do, it must be {problem}") from None
