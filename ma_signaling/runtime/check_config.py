"""``--check-config``: every setting, what holds and where it comes from, and whether a server could start with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorSocket

from ma_signaling.cluster.service import make_bus
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import Configuration
from ma_signaling.config.toml_file import as_toml
from ma_signaling.core.access import Access
from ma_signaling.core.events import each_of
from ma_signaling.core.hub import Hub
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.core.proof import availability
from ma_signaling.runtime import turn_secret
from ma_signaling.runtime.access_lists import AccessListError, AccessLists
from ma_signaling.runtime.listening import make_endpoint
from ma_signaling.runtime.prover import obstacle
from ma_signaling.runtime.tls import BadPair, make_context, read_pair


def describe(configuration: Configuration) -> str:
    """Return the configuration as a file of settings, with the source of each as a comment."""
    note = configuration.note()
    lines = [f"# {note}"] if note else []
    for setting in declarations():
        value = as_toml(getattr(configuration.settings, setting.name))
        lines.append(f"{setting.name} = {value}  # {configuration.sources[setting.name]}")
    return "\n".join(lines)


def describe_proof(settings: Settings) -> str:
    """Return whether proofs of possession can be had on this machine, as a comment in such a file."""
    ice_servers = IceServers(settings, turn_secret.read(settings))
    return f"# proof: {availability(obstacle(settings, ice_servers))}"


def check(settings: Settings, reactor: IReactorSocket) -> None:
    """Raise ``CannotStart`` for what can be known to fail without listening."""
    for text in (*settings.port, *settings.http_port, *filter(None, [settings.metrics_port])):
        # What systemd hands over is there when it starts the server, not now.
        if not text.isdigit() and "systemd:" not in text:
            make_endpoint(text, reactor)
    if settings.tls_cert:
        try:
            make_context(read_pair(Path(settings.tls_cert), Path(settings.tls_key)))
        except BadPair as problem:
            raise CannotStart(f"ma-signaling: no TLS: {problem}") from None
    turn_secret.read(settings)
    if settings.nats_url:
        make_bus(settings)
    clock: Any = reactor
    try:
        AccessLists(settings, Hub(settings, clock, each_of(), Access())).load()
    except AccessListError as problem:
        raise CannotStart(f"ma-signaling: {problem}") from None
    directory = Path(settings.state_file).parent
    if settings.state_file and not (directory.is_dir() and os.access(directory, os.W_OK)):
        raise CannotStart(f"ma-signaling: {settings.state_file}: nothing can be written in {directory}")
