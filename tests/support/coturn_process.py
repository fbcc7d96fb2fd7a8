"""A real TURN server: coturn, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aioice.turn import create_turn_endpoint

from tests.support.free_ports import free_port

SECRET = b"what coturn knows"

# In a file, coturn ignores options that it no longer knows; on a command line, they end it.
CONFIGURATION = """\
no-cli
no-tls
no-dtls
no-rfc5780
allow-loopback-peers
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
use-auth-secret
static-auth-secret={secret}
realm=example.org
log-file=stdout
pidfile={directory}/pid
userdb={directory}/db
"""


@contextlib.contextmanager
def coturn() -> Iterator[tuple[int, Path]]:
    """Run coturn on loopback; yield its port and the file with its secret."""
    program = shutil.which("turnserver")
    assert program, "coturn is not installed: apt-get install coturn"
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), free_port()
        secret = directory / "secret"
        secret.write_bytes(SECRET + b"\n")
        configuration = directory / "turnserver.conf"
        configuration.write_text(CONFIGURATION.format(port=port, directory=directory, secret=SECRET.decode()))
        with (directory / "log").open("wb") as log:
            relay = subprocess.Popen(
                [program, "-c", str(configuration)],
                cwd=directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": name},
            )
        try:
            yield port, secret
        except BaseException:
            print((directory / "log").read_text(errors="replace")[-4000:])  # noqa: T201 - for whoever reads the failure
            raise
        finally:
            relay.kill()
            relay.wait()


async def allocate(port: int, server: dict[str, Any]) -> str:
    """Allocate a relayed address, as a client with the credentials of ``server`` does."""

    async def attempt() -> str | None:
        with contextlib.suppress(OSError, TimeoutError):
            transport, _ = await create_turn_endpoint(
                asyncio.DatagramProtocol,
                server_addr=("127.0.0.1", port),
                username=server["username"],
                password=server["credential"],
                transport="udp",
            )
            address: str = transport.get_extra_info("sockname")[0]
            transport.close()
            return address
        return None

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                if (address := await attempt()) is not None:
                    return address
        await asyncio.sleep(0.1)
    raise AssertionError("the relay does not answer")
