"""The settings file: TOML, a key for each setting, no tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ma_signaling.config.declaration import Declaration, SettingError
from ma_signaling.config.files import read_regular
from ma_signaling.config.settings import declarations
from ma_signaling.config.unknown import explain_unknown

Texts = Mapping[str, Sequence[str]]
"""The texts that the command line or a file has for settings, by name."""

_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
    bool: ((bool,), "true or false"),
    tuple: ((str,), "a string, or an array of strings"),
}
"""The types allowed in a file, and their description, by the type of a setting's value."""

_PORTS_TYPES: tuple[tuple[type, ...], str] = ((int, str), "a number, a string, or an array of these")
_PORT_TYPES: tuple[tuple[type, ...], str] = ((int, str), "a number or a string")


def read_file(path: Path) -> Texts:
    """Return the settings in a file, as texts like those of a command line. Raises ``SettingError``."""
    import tomllib  # noqa: PLC0415 - most servers have no such file

    try:
        content = tomllib.loads(read_regular(path).decode("utf-8-sig"))
    except OSError as problem:
        raise SettingError(f"{path} cannot be read: {problem.strerror}") from None
    except ValueError as problem:
        raise SettingError(f"{path} is not valid TOML: {problem}") from None
    except RecursionError:
        raise SettingError(f"{path} is nested too deeply") from None
    declared = {setting.name: setting for setting in declarations()}
    found: dict[str, Sequence[str]] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if isinstance(value, dict):
            raise SettingError(f"{path}: [{key}] is a table; settings are keys at the top level")
        if name not in declared:
            raise SettingError(f"{path}: {explain_unknown(name, repr)}")
        if name in found:
            raise SettingError(f"{path}: {name} is set twice")
        found[name] = _texts(declared[name], path, value)
    return found


def as_toml(value: object) -> str:
    """Return the value of a setting in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(as_toml(each) for each in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=False)


def _texts(setting: Declaration, path: Path, value: object) -> Sequence[str]:
    """Return a value as texts of a command line: one, or several if the setting is repeatable."""
    kind = tuple if setting.repeatable else type(setting.parse(setting.default))
    types, description = _PORTS_TYPES if setting.repeatable else _TYPES[kind]
    if kind is str and setting.unit.startswith("port "):
        types, description = _PORT_TYPES
    values: list[object] = value if kind is tuple and isinstance(value, list) else [value]
    if not all(type(each) in types for each in values):
        raise SettingError(f"{path}: {setting.name} must be {description}")
    texts = [str(each) for each in values]
    if not setting.repeatable:
        return [",".join(texts)]
    if not texts and setting.default:
        raise SettingError(f"{path}: {setting.name} must be {description}, and at least one")
    return texts
