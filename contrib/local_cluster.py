"""Run a cluster on this machine, NATS and two nodes, until Ctrl-C. ``make cluster`` runs it.

The nodes use the ports 8787 and 8788 (``PORT``), NATS uses 4222 (``NATS_PORT``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

BESIDE_PYTHON = Path(sys.executable).parent
NODES = 2
STARTS_WITHIN = 20.0


def main() -> int:
    """Start everything, print the addresses, and wait; return the exit status."""
    # No exception, which would leave processes behind if a second signal came while they are ended: by impatience, or
    # since make passes on what has come here, too.
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *came: asked.append(came[0]))
    nats_port, port = int(os.environ.get("NATS_PORT", "4222")), int(os.environ.get("PORT", "8787"))
    ports = range(port, port + NODES)
    nats: list[str | Path] = [BESIDE_PYTHON / "nats-server", "--addr", "127.0.0.1", "--port", str(nats_port)]
    node: list[str | Path] = [
        BESIDE_PYTHON / "ma-signaling",
        "--nats-url",
        f"nats://127.0.0.1:{nats_port}",
        "--port",
    ]
    commands: list[list[str | Path]] = [nats, *([*node, str(each)] for each in ports)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        # In groups of their own: Ctrl-C reaches this program, which ends them in order.
        running += [subprocess.Popen(command, process_group=0) for command in commands]
        if all(_is_ready(each, running, asked) for each in ports):
            print("\nTwo nodes in one cluster. A client at one finds a home at the other.", flush=True)
            for each in ports:
                print(f"  http://localhost:{each}/ and ws://localhost:{each}/ws", flush=True)
            while not asked and all(process.poll() is None for process in running):
                time.sleep(0.2)
        return 0 if asked else 1
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


def _is_ready(port: int, running: list[subprocess.Popen[bytes]], asked: list[int]) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + STARTS_WITHIN
    while not asked and time.monotonic() < deadline and all(process.poll() is None for process in running):
        with suppress(OSError), direct.open(f"http://localhost:{port}/ready", timeout=2):
            return True
        time.sleep(0.1)
    if not asked:
        print(f"The node at port {port} did not become ready.", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main())
