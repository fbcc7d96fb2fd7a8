"""``python -m benchmarks.scale [HOMES] [--tls]``: more idle homes than one process has descriptors for.

The homes are spread over as many servers as they need. The memory per home is compared with the memory that a home adds
to a single server (the slope): both must be the same.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.crowd import Crowd
from benchmarks.idle import SETTLES_WITHIN
from benchmarks.servers import Kind, Server, Tls, take_processor
from tests.support.certificates import make_certificate

OF_A_SERVER = 15_000
"""Homes per server, which reserves a tenth of its 20,000 descriptors."""

SMALL = 1_000


def kernel_bytes() -> int:
    """Return the bytes of the kernel's memory that can't be reclaimed, which include sockets."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("SUnreclaim:"))


def held(counts: list[int], tls: Tls | None) -> tuple[list[int], float, int, float]:
    """Hold homes at several servers, as many at each as ``counts`` says.

    Returns each server's memory in bytes, the seconds until the last home had arrived, the kernel's bytes for both ends
    of all connections, and the processor seconds of all servers in an idle minute.
    """
    before = kernel_bytes()
    with ExitStack() as running:
        servers = [running.enter_context(Server(Kind("this server"), tls)) for _ in counts]
        began = time.monotonic()
        for server, count in zip(servers, counts, strict=True):
            running.enter_context(Crowd(server, count))
        arrived = time.monotonic() - began
        time.sleep(SETTLES_WITHIN)
        used = sum(server.cpu() for server in servers)
        time.sleep(60)
        used = sum(server.cpu() for server in servers) - used
        return [server.memory() for server in servers], arrived, kernel_bytes() - before, used


def main(*arguments: str) -> None:
    """Measure and print."""
    homes = int(next((each for each in arguments if each.isdigit()), 100_000))
    take_processor()
    with tempfile.TemporaryDirectory() as directory:
        tls = None
        if "--tls" in arguments:
            tls = Tls(Path(directory) / "key.pem", Path(directory) / "certificate.pem")
            make_certificate(tls.key, tls.certificate)
        (small, full), _, _, _ = held([SMALL, OF_A_SERVER], tls)
        slope = (full - small) / (OF_A_SERVER - SMALL)
        counts = [OF_A_SERVER] * (homes // OF_A_SERVER)
        counts += [homes % OF_A_SERVER] if homes % OF_A_SERVER else []
        memory, seconds, kernel, used = held(counts, tls)
    base = small - SMALL * slope
    measured = (sum(memory) - base * len(counts)) / homes
    print(f"one server: {base / 2**20:.1f} MiB, and {slope / 1024:.2f} KiB a home")
    print(f"{homes:,} homes at {len(counts)} servers: {sum(memory) / 2**20:,.0f} MiB")
    print(f"  a home: {measured / 1024:.2f} KiB, {measured / slope:.2f} of that slope")
    print(f"  the kernel, for a home's two sockets: {kernel / homes / 1024:.2f} KiB")
    print(
        f"  the last was there after {seconds:.0f} s; a minute of idle costs {used:.1f} s of processor time"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
