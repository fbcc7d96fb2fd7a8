"""Listening on port numbers and Twisted endpoints, with and without TLS."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorSocket,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.runtime.inherited_port import InheritingReactor
from ma_signaling.runtime.shared_port import SharedPort, SharedPorts, SharingReactor, close
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.proxy_protocol import ProxyFactory
from ma_signaling.transport.sockets import prepare

if TYPE_CHECKING:
    from ma_signaling.runtime.certificates import Certificates

BACKLOG = 4096
"""How many connections may wait to be accepted: after a restart all clients come back at the same time."""

BEFORE_BACKLOG = {"tcp": 2, "tcp6": 1, "tls": 2, "ssl": 5, "unix": 2}
"""How many arguments of each kind of Twisted endpoint come before the backlog, which is 50 by default."""

MIN_SILENCE_SECONDS = 90.0
"""Least time after which the kernel gives up a peer that acknowledges nothing; on open WebSockets, pings are faster."""

_log = Logger(namespace="ma_signaling")


class Reactor(IReactorSocket, IReactorTime):
    """The interfaces of the reactor that are used here."""


class Ports(Service):
    """Listens as the settings say; with ``certificates``, every ``port`` speaks TLS, and no ``http_port`` does.

    Sockets that systemd hands to the next server belong to ``inherited``, and ports that other processes share to
    ``shared``; these are services of their own, which stop earlier. Starting raises ``CannotStart`` if a port fails.
    """

    def __init__(
        self,
        factory: SignalingFactory,
        certificates: Certificates | None,
        metrics: IProtocolFactory,
        redirect: IProtocolFactory | None,
        admin: IProtocolFactory | None,
    ) -> None:
        self._settings = factory.settings
        self._factory = factory
        self._certificates = certificates
        self._metrics = metrics
        self._redirect = redirect
        self._admin = admin
        reactor: Reactor = factory.reactor
        self._reactor = reactor
        self._sharing = SharingReactor(reactor) if self._settings.reuse_port else None
        self._ports: list[IListeningPort] = []
        self.inherited = SharedPorts(reactor)
        self.shared = SharedPorts(reactor)

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        if text := self._settings.metrics_port:
            # Opened first, since it isn't shared: if that fails, nobody has begun to wait at a shared port.
            local = f"tcp:{text}:interface=127.0.0.1" if text.isdigit() else text
            self._open(local, self._metrics, " for metrics", is_shared=False)
        if self._admin is not None:
            path = Path(self._settings.admin_socket).absolute()
            self._open(
                f"unix:address={quoteStringArgument(str(path))}:mode=600",
                self._admin,
                " for ma-signaling admin",
            )
        for text in self._settings.port:
            # An ssl endpoint has TLS and a certificate of its own.
            if self._certificates is None or parse_endpoint(text).kind == "ssl":
                self._open(text, self._factory, "")
            else:
                self._open_for_tls(text, self._certificates)
        for text in self._settings.http_port:
            self._open(text, self._factory, "")
        if self._redirect is not None:
            self._open(self._settings.acme_http_port, self._redirect, " for the CA, and to redirect to TLS")

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        return close(self._ports)

    def _open_for_tls(self, text: str, certificates: Certificates) -> None:
        factory = certificates.wrap(self._factory)
        certificates.secure(self._open(text, factory, " for TLS"), factory)

    def _open(
        self, text: str, factory: IProtocolFactory, purpose: str, *, is_shared: bool = True
    ) -> IListeningPort:
        sharing = self._sharing if is_shared and not _is_inherited(text) else None
        if _is_inherited(text):
            port = self._listen(text, factory, InheritingReactor(self._reactor, BACKLOG))
        elif not text.isdigit():
            port = self._listen(text, factory, sharing or self._reactor)
        elif sharing is None:
            port = self._listen_everywhere(text, factory)
        else:
            port = self._share_everywhere(text, factory, sharing)
        prepare(port, max(MIN_SILENCE_SECONDS, 3 * self._settings.ping_interval))
        self._owner(text, port).append(port)
        _log.info("Listening on {address}{purpose}", address=_readable(port.getHost()), purpose=purpose)
        return port

    def _owner(self, text: str, port: IListeningPort) -> list[IListeningPort]:
        """Return the list to keep a port in; each list is closed at a different time."""
        if _is_inherited(text):
            return self.inherited.ports
        return self.shared.ports if isinstance(port, SharedPort) else self._ports

    def _listen(self, text: str, factory: IProtocolFactory, reactor: Any) -> IListeningPort:
        results: list[IListeningPort | Failure] = []
        if (path := parse_endpoint(text).path) is not None:
            _remove_stale_socket(path)
        if parse_endpoint(text).is_proxied:
            factory = ProxyFactory(factory, self._factory.report, self._factory.deadlines)
        make_endpoint(text, reactor).listen(factory).addBoth(results.append)
        if not results:
            raise _cannot_listen(text, "it does not start at once")
        if isinstance(results[0], Failure):
            raise _cannot_listen(text, results[0].value)
        if parse_endpoint(text).kind in ("ssl", "tls"):
            from ma_signaling.transport.secure_sockets import bound  # noqa: PLC0415 - no others need OpenSSL

            bound(results[0])
        return results[0]

    def _listen_everywhere(self, text: str, factory: IProtocolFactory) -> IListeningPort:
        """Listen on every address of this machine, both IPv6 and IPv4 if it has both."""
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        serving: Any = factory  # Twisted's own wrapping factories are no ServerFactory
        try:
            with socket.create_server(("", int(text)), family=family, dualstack_ipv6=both) as listener:
                listener.setblocking(False)
                adopted: IListeningPort = self._reactor.adoptStreamPort(listener.fileno(), family, serving)
                # Twisted gives an adopted socket its default backlog of 50. Both descriptors are for the same queue.
                listener.listen(BACKLOG)
        except OSError as problem:
            raise _cannot_listen(text, problem) from None
        return adopted

    def _share_everywhere(
        self, text: str, factory: IProtocolFactory, sharing: SharingReactor
    ) -> IListeningPort:
        try:
            return sharing.listen_everywhere(int(text), factory, BACKLOG)
        except CannotListenError as problem:
            raise _cannot_listen(text, problem) from None


def make_endpoint(text: str, reactor: IReactorSocket) -> IStreamServerEndpoint:
    """Return the Twisted endpoint for a description, without listening. Raises ``CannotStart``.

    The prefix ``haproxy:`` is left out, since ``ProxyFactory`` replaces it.
    """
    description = _with_backlog(text.removeprefix("haproxy:"))
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except OSError as problem:
        raise _cannot_listen(text, problem) from None
    except Exception as problem:  # noqa: BLE001 - whatever an endpoint's own parser, or OpenSSL, makes of it
        if _is_inherited(text):
            why = "systemd has handed over no such socket: is the socket unit missing, or has systemd not started this?"
            raise _cannot_listen(text, why) from None
        raise _cannot_listen(text, f"Twisted makes no endpoint of it ({problem!r})") from None
    return endpoint


def _with_backlog(text: str) -> str:
    """Return an endpoint's description with ``BACKLOG`` added, unless it has a backlog."""
    endpoint = parse_endpoint(text)
    if len(endpoint.arguments) > BEFORE_BACKLOG.get(endpoint.kind, -1):
        return text
    # In front, so that a later backlog=… overrides it, and a lone backslash at the end doesn't escape it.
    kind, colon, rest = text.partition(":")
    return f"{kind}:backlog={BACKLOG}{colon}{rest}"


def _is_inherited(text: str) -> bool:
    """Return whether an endpoint adopts a socket that systemd has opened."""
    return parse_endpoint(text).kind == "systemd"


def _remove_stale_socket(path: str) -> None:
    """Remove a Unix socket on which nobody listens, and its lock, but nothing else at that path.

    The lock has the PID of the process that made it. Twisted takes it for held if that PID now belongs to another
    process, or in a container to this one; without a lock (``lockfile=0``) it takes the socket for in use.
    """
    place, lock = Path(path), Path(f"{path}.lock")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            # Checked first, since a file that is no socket refuses a connection, too.
            if not (place.is_socket() or (lock.is_symlink() and not place.exists())):
                return
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            _log.info("Removing {path}, on which nobody listens", path=path)
            place.unlink(missing_ok=True)
            if lock.is_symlink():
                lock.unlink(missing_ok=True)
        except OSError:
            # Such as a full queue: somebody listens.
            pass


def _cannot_listen(text: str, problem: object) -> CannotStart:
    """Return the error with the bare reason: the libraries' texts repeat the address."""
    if isinstance(problem, CannotListenError):
        problem = problem.socketError
    if isinstance(problem, OSError):
        problem = str(problem.strerror or problem).partition(" (while attempting")[0]
    elif str(problem) == "Cannot acquire lock":
        problem = "another process listens there"
    return CannotStart(f"cannot listen on {parse_endpoint(text).path or text}: {problem}")


def _readable(address: object) -> str:
    """Return a listening address for the log: host and port, or the path of a Unix socket."""
    if isinstance(address, UNIXAddress):
        return os.fsdecode(address.name or b"")
    if isinstance(address, IPv4Address | IPv6Address):
        return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
    return str(address)
