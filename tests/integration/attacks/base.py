"""What every attack needs: a real server, over TCP and over TLS, and a conversation with it that ends in time."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import loopback_only
from tests.support.attackers import Server
from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.server_process import ServerProcess

Attack = Callable[[Server], Coroutine[Any, Any, None]]

ENDS_WITHIN = 120.0


@contextmanager
def attacked(*options: str, tls: bool = False) -> Iterator[tuple[Server, ServerProcess]]:
    """Run a server with these options; attackers reach it by TCP or by TLS."""
    if not tls:
        with ServerProcess(*options) as process:
            yield Server(process.port, process.pid), process
        return
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = Path(directory, "key.pem"), Path(directory, "cert.pem")
        make_certificate(key, certificate)
        port = free_port()
        secure = (
            "--tls-cert",
            str(certificate),
            "--tls-key",
            str(key),
            "--port",
            f"tcp:{port}:interface=127.0.0.1",
        )
        with ServerProcess(*options, *secure, plain="--http-port") as process:
            yield Server(port, process.pid, ssl.create_default_context(cafile=certificate)), process


class AttackTest(SynchronousTestCase):
    """Plays attacks on the real server, by TCP and by TLS."""

    options: tuple[str, ...] = ()

    def play(self, attack: Attack, *options: str, secure: tuple[bool, ...] = (False, True)) -> None:
        """Play ``attack`` against a server of each kind, at the same time: most of it is waiting."""

        async def bounded(servers: list[Server]) -> None:
            async with asyncio.timeout(ENDS_WITHIN), asyncio.TaskGroup() as attacks:
                for server in servers:
                    attacks.create_task(attack(server))

        with loopback_only(), ExitStack() as stack:
            servers = [stack.enter_context(attacked(*self.options, *options, tls=tls))[0] for tls in secure]
            asyncio.run(bounded(servers))
