"""The sources of settings: the command line, else the environment, else a file, else the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from ma_signaling.config.declaration import Declaration, SettingError
from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.environment import read_environment
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.toml_file import Texts, read_file

DEFAULT = "default"

_NEEDED = {
    "reuse_port": ("nats_url", "processes can't find each other's homes"),
    **dict.fromkeys(("nats_credentials", "nats_token_file", "nats_ca"), ("nats_url", "there is no cluster")),
    **dict.fromkeys(
        ("acme_agree_tos", "acme_email", "acme_ca"), ("acme_domain", "no certificate is asked for")
    ),
}
"""Settings that do nothing without another one: that one, and what is missing without it."""


class Configuration(NamedTuple):
    """Settings and their sources."""

    settings: Settings
    sources: Mapping[str, str]
    """The source of each setting, by name: its option, its variable, the file, or ``default``."""
    service_links: Sequence[str] = ()
    """Ignored environment variables, which Kubernetes has set for a Service."""

    def note(self) -> str | None:
        """Return a line about ignored environment variables, None if there are none."""
        if not self.service_links:
            return None
        names = ", ".join(self.service_links)
        return f"Ignored environment variables of a Kubernetes Service (enableServiceLinks: false stops them): {names}"


def load(options: Texts, environment: Mapping[str, str], file: Path | None = None) -> Configuration:
    """Return the settings of ``options`` (the command line), else ``environment``, else ``file``, else the defaults.

    Raises ``SettingError`` with one line for the first mistake.
    """
    variables, service_links = read_environment(environment)
    in_file = read_file(file) if file is not None else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in declarations():
        source, texts = _find(setting, options, variables, in_file, str(file))
        sources[setting.name] = source
        if source != DEFAULT:
            place = f"{file}: {setting.name}" if source == str(file) else source
            parsed = [_parse(setting, place, ",".join(texts) if setting.is_list else text) for text in texts]
            values[setting.name] = tuple(parsed) if setting.repeatable else parsed[-1]
    settings = Settings(**values)
    if settings.acme_domain and sources["port"] == DEFAULT:
        settings.port, sources["port"] = ("443",), sources["acme_domain"]
    _check_together(settings)
    return Configuration(settings, sources, service_links)


def _find(
    setting: Declaration, options: Texts, variables: Mapping[str, str], in_file: Texts, file: str
) -> tuple[str, Sequence[str]]:
    """Return the source of a setting, and its texts there."""
    if options.get(setting.name):
        return f"--{setting.option}", options[setting.name]
    for variable in setting.variables:
        if variable in variables:
            text = variables[variable]
            return variable, text.split() if setting.repeatable else [text]
    if setting.name in in_file:
        return file, in_file[setting.name]
    return DEFAULT, []


def _parse(setting: Declaration, place: str, text: str) -> Any:
    if "\0" in text:
        # Only a file can hold a NUL, and no path may.
        raise SettingError(f"{place}: {_without_password(text)!r} has a NUL")
    try:
        return setting.parse(text.strip())
    except ValueError as expected:
        raise SettingError(f"{place}: {_without_password(text)!r} is not {expected}") from None


def _without_password(text: str) -> str:
    """Return a text for the log, without what may be user and password in a URL."""
    return re.sub(r"(://|^)\S*@", r"\1…@", text)


def _check_together(settings: Settings) -> None:
    """Raise ``SettingError`` for settings that contradict each other."""
    for first, second in (("tls_cert", "tls_key"), ("turn_urls", "turn_secret_file")):
        if bool(getattr(settings, first)) != bool(getattr(settings, second)):
            raise SettingError(
                f"{_option(first)} and {_option(second)} must be set together, and only one of them is"
            )
    if settings.acme_domain and settings.tls_cert:
        raise SettingError("--acme-domain and --tls-cert can't both be set: each brings a certificate")
    if settings.acme_domain and not settings.acme_agree_tos:
        raise SettingError(
            "--acme-domain needs --acme-agree-tos: you agree to the terms of service of the CA at"
            f" {settings.acme_directory}"
        )
    _check_needed(settings)
    for bound in ("send_buffer_bytes", "message_bytes_burst"):
        if settings.max_message_bytes > getattr(settings, bound) > 0:
            raise SettingError(
                f"--max-message-bytes is greater than {_option(bound)}: no such message could be sent"
            )
    for one, other in combinations(settings.endpoints(), 2):
        if parse_endpoint(one).excludes(parse_endpoint(other)):
            raise SettingError(f"{one} and {other} can't both be listened on")


def _check_needed(settings: Settings) -> None:
    for name, (needed, lack) in _NEEDED.items():
        if getattr(settings, name) and not getattr(settings, needed):
            raise SettingError(f"{_option(name)} needs {_option(needed)}: without it, {lack}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
