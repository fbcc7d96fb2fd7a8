"""``--check-config``: every setting, what holds and where it comes from, and whether a server could start with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorSocket

from ma_signaling.cluster.service import make_bus
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import Configuration
from ma_signaling.config.toml_file import as_toml
from ma_signaling.core.access import Access
from ma_signaling.core.capacity import raise_descriptor_limit
from ma_signaling.core.events import each_of
from ma_signaling.core.hub import Hub
from ma_signaling.core.proof import availability
from ma_signaling.http import web_app
from ma_signaling.http.web_app import WebAppError
from ma_signaling.runtime.certificate_source import check_acme
from ma_signaling.runtime.key_pair import BadPair, read_pair
from ma_signaling.runtime.listening import make_endpoint
from ma_signaling.runtime.operator_files import OperatorFiles
from ma_signaling.runtime.prover import obstacle
from ma_signaling.runtime.state_directory import state_path
from ma_signaling.runtime.tls_context import make_context


def describe(configuration: Configuration) -> str:
    """Return the configuration as a file of settings, with the source of each as a comment."""
    note = configuration.note()
    lines = [f"# {note}"] if note else []
    for setting in declarations():
        value = as_toml(getattr(configuration.settings, setting.name))
        lines.append(f"{setting.name} = {value}  # {configuration.sources[setting.name]}")
    return "\n".join(lines)


def describe_more(settings: Settings, reactor: IReactorSocket) -> str:
    """Return what depends on this machine too, as comments in such a file: proofs, and the web app if it is on."""
    lines = [f"# proof: {availability(obstacle(settings, _load_files(settings, reactor).ice_servers))}"]
    if settings.web_app:
        try:
            web_app.load()
            lines.append("# web app: served")
        except WebAppError as problem:
            lines.append(f"# web app: not served: {problem}")
    return "\n".join(lines)


def check(settings: Settings, reactor: IReactorSocket) -> None:
    """Raise ``CannotStart`` for what can be known to fail without listening."""
    raise_descriptor_limit()
    if settings.acme_domain:
        check_acme(settings)
    for text in settings.endpoints():
        endpoint = parse_endpoint(text)
        # What systemd hands over is there when it starts the server, not now.
        if not text.isdigit() and endpoint.kind != "systemd":
            make_endpoint(text, reactor)
        if endpoint.path is not None:
            _check_socket(Path(endpoint.path))
    if (state := state_path(settings)) is not None:
        _check_directory(state, "--state-directory")
    if settings.tls_cert:
        try:
            make_context(read_pair(Path(settings.tls_cert), Path(settings.tls_key)))
        except BadPair as problem:
            raise CannotStart(f"no TLS: {problem}") from None
    if settings.nats_url:
        make_bus(settings)
    _load_files(settings, reactor)


def _check_socket(path: Path) -> None:
    if path.exists() and not path.is_socket():
        raise CannotStart(f"cannot listen on {path}: something else than a socket is there")
    _check_directory(path.parent, f"cannot listen on {path}:")


def _check_directory(path: Path, what: str) -> None:
    """Raise ``CannotStart`` where something else is in its place; one that isn't there yet may still be made."""
    for each in (path, *path.parents):
        if each.exists():
            if not each.is_dir():
                raise CannotStart(f"{what} {each} is no directory")
            return


def _load_files(settings: Settings, reactor: IReactorSocket) -> Hub:
    """Return a hub in which the operator's files are in force. Raises ``CannotStart`` where one won't do."""
    clock: Any = reactor
    hub = Hub(settings, clock, each_of(), Access())
    OperatorFiles(settings, hub).load()
    return hub
