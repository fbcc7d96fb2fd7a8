"""``--check-config``: every setting with its value and source, and whether a server could start with them."""

from __future__ import annotations

import os
import socket
import time
from errno import EACCES, EADDRINUSE, EPERM
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.abstract import isIPv6Address
from twisted.internet.interfaces import IReactorSocket

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.endpoints import Endpoint, parse_endpoint
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import Configuration
from ma_signaling.config.toml_file import as_toml
from ma_signaling.core.access import Access
from ma_signaling.core.capacity import raise_descriptor_limit
from ma_signaling.core.events import each_of
from ma_signaling.core.hub import Hub
from ma_signaling.core.prover import availability
from ma_signaling.http import web_app
from ma_signaling.http.web_app import WebAppError
from ma_signaling.runtime.certificate_source import check_acme
from ma_signaling.runtime.key_pair import BadPair, read_pair, readable
from ma_signaling.runtime.listening import make_endpoint
from ma_signaling.runtime.operator_files import OperatorFiles
from ma_signaling.runtime.prover import obstacle
from ma_signaling.runtime.state_directory import state_path
from ma_signaling.runtime.tls_context import make_context

MAX_SOCKET_PATH_BYTES = 107
"""The size of ``sun_path``, less a NUL (unix(7))."""


def describe(configuration: Configuration) -> str:
    """Return the configuration as a settings file, with the source of each value as a comment."""
    note = configuration.note()
    lines = [f"# {note}"] if note else []
    for setting in declarations():
        value = as_toml(getattr(configuration.settings, setting.name))
        lines.append(f"{setting.name} = {value}  # {configuration.sources[setting.name]}")
    return "\n".join(lines)


def describe_more(settings: Settings, reactor: IReactorSocket) -> str:
    """Return comments for that file about what depends on this machine: certificate, proofs, web app."""
    lines = []
    if settings.tls_cert:
        pair = read_pair(Path(settings.tls_cert), Path(settings.tls_key))
        end = readable(pair.chain[0].not_valid_after_utc)
        lines.append(f"# certificate: {pair.invalidity(time.time()) or f'is valid until {end}'}")
    lines.append(f"# proof: {availability(obstacle(settings, _load_files(settings, reactor).ice_servers))}")
    if settings.web_app:
        try:
            web_app.load()
            lines.append("# web app: served")
        except WebAppError as problem:
            lines.append(f"# web app: not served: {problem}")
    return "\n".join(lines)


def check(settings: Settings, reactor: IReactorSocket) -> None:
    """Raise ``CannotStart`` for anything that would fail at a start, as far as that shows without listening."""
    raise_descriptor_limit()
    if settings.acme_domain:
        check_acme(settings)
    state = state_path(settings)
    if state is not None:
        _check_directory(state, "--state-directory")
        _check_writable(state, "--state-directory")
    for text in settings.endpoints():
        endpoint = parse_endpoint(text)
        # Sockets of systemd exist only when it starts the server.
        if not text.isdigit() and endpoint.kind != "systemd":
            make_endpoint(text, reactor)
            if endpoint.kind in ("tcp", "ssl"):
                _check_address(text, endpoint)
        if endpoint.path is not None:
            # ``Ports`` makes the admin socket's path absolute.
            path = (
                Path(settings.admin_socket).absolute()
                if endpoint.path == settings.admin_socket
                else endpoint.path
            )
            _check_socket(Path(path), state)
    if settings.tls_cert:
        try:
            make_context(read_pair(Path(settings.tls_cert), Path(settings.tls_key)))
        except BadPair as problem:
            raise CannotStart(f"no TLS: {problem}") from None
    if settings.nats_url:
        from ma_signaling.cluster.service import make_bus  # noqa: PLC0415 - it needs an extra

        make_bus(settings)
    _load_files(settings, reactor)


def _check_address(text: str, endpoint: Endpoint) -> None:
    """Raise ``CannotStart`` for an invalid port, or an address that this machine doesn't have.

    A socket is bound as by Twisted, but doesn't listen, which disturbs no server that runs or is about to start.
    """
    family = socket.AF_INET6 if isIPv6Address(endpoint.interface) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.interface, int(endpoint.number)))
        except (OverflowError, ValueError):
            raise CannotStart(f"cannot listen on {text}: a port is a number from 0 to 65535") from None
        except OSError as problem:
            # A running server may have the port, and the service may have more rights than this process.
            if problem.errno not in (EADDRINUSE, EACCES, EPERM):
                raise CannotStart(f"cannot listen on {text}: {problem.strerror}") from None


def _check_socket(path: Path, state: Path | None) -> None:
    what = f"cannot listen on {path}:"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise CannotStart(f"{what} the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes")
    if path.exists() and not path.is_socket():
        raise CannotStart(f"{what} something other than a socket is there")
    folder = path.parent
    _check_directory(folder, what)
    # At a start, the state directory is made before the sockets.
    if state is not None and folder.absolute() in (state.absolute(), *state.absolute().parents):
        return
    if not folder.exists():
        raise CannotStart(f"{what} there is no directory {folder}")
    _check_writable(folder, what)


def _check_writable(path: Path, what: str) -> None:
    """Raise ``CannotStart`` unless files can be made in a directory, or in its nearest existing parent."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    try:
        # Usually it never has a name in the directory.
        with TemporaryFile(dir=there):
            pass
    except OSError as problem:
        raise CannotStart(f"{what} {path}: nothing can be created in {there}: {problem.strerror}") from None


def _check_directory(path: Path, what: str) -> None:
    """Raise ``CannotStart`` if ``path`` or a parent is no directory; ``path`` itself may not exist yet."""
    for each in (path, *path.parents):
        if each.exists():
            if not each.is_dir():
                raise CannotStart(f"{what} {each} is not a directory")
            return


def _load_files(settings: Settings, reactor: IReactorSocket) -> Hub:
    """Return a hub with the operator's files loaded. Raises ``CannotStart`` if one is invalid."""
    clock: Any = reactor
    hub = Hub(settings, clock, each_of(), Access())
    OperatorFiles(settings, hub).load()
    return hub
