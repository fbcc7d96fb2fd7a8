"""The circumstances of a run: date, machine and versions."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from OpenSSL import SSL

from benchmarks.servers import RELAY, Kind, node_version


def circumstances(command: str, theirs: Kind, processors: int, seconds: float) -> dict[str, str]:
    """Return the date, command, machine and versions of a run that took ``seconds``, by their labels."""
    own = ", ".join(
        [
            f"Python {platform.python_version()}",
            *(f"{name} {version(name.lower())}" for name in ("Twisted", "Autobahn", "orjson")),
            SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().rsplit(" ", 3)[0],
        ]
    )
    told = {
        "Date": f"{datetime.now(UTC):%Y-%m-%d}, `{command}`, {seconds / 60:.0f} minutes",
        "Machine": f"{_processor()}, {processors} processors, Linux {platform.release().partition('-')[0]}",
        "This server": own,
    }
    if theirs.is_node:
        package = json.loads((RELAY.parent / "node_modules/ws/package.json").read_text(encoding="utf-8"))
        told["Peer"] = f"Node {node_version()}, ws {package['version']}"
    return told


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
