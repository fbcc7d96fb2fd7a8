"""Say whether a checkout of one of Music Assistant's programs still has the signaling server's address where we say.

    python3 contrib/upstream/check.py ~/src/server ~/src/frontend

Exits with 1 where one has it elsewhere, or is none of them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "wss://signaling.music-assistant.io/ws"


@dataclass(frozen=True)
class Place:
    """Where a program has the address: a file, and the pattern of the line, with the address as ``ADDRESS``."""

    program: str
    file: str
    pattern: str


PLACES = (
    Place(
        "home (music-assistant/server)",
        "music_assistant/controllers/webserver/remote_access/__init__.py",
        r'^SIGNALING_SERVER_URL = "ADDRESS"$',
    ),
    Place(
        "web app (music-assistant/frontend)",
        "src/plugins/remote/connection-manager.ts",
        r'^ *signalingServerUrl: "ADDRESS",$',
    ),
    Place(
        "portal (music-assistant/app.music-assistant.io)",
        "src/broker.ts",
        r"SIGNALING_SERVER_URL\b.*ADDRESS",
    ),
    Place(
        "mobile app (music-assistant/mobile-app)",
        "composeApp/src/commonMain/kotlin/io/music_assistant/client/webrtc/SignalingClient.kt",
        r'const val DEFAULT_SIGNALING_URL = "ADDRESS"$',
    ),
)


def look(checkout: Path) -> tuple[bool, str]:
    """Return whether a checkout is as expected, and a sentence about it."""
    for place in PLACES:
        file = checkout / place.file
        if not file.is_file():
            continue
        pattern = re.compile(place.pattern.replace("ADDRESS", re.escape(ADDRESS)))
        lines = file.read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(lines, 1) if pattern.search(line)]
        if len(found) == 1:
            return True, f"{place.program}: {file}:{found[0]}"
        return False, f"{place.program}: {file} has the address in {len(found)} such lines, not in one"
    return False, f"{checkout}: none of the four programs, or its files have moved"


def main(arguments: list[str]) -> int:
    """Look at each checkout that is named."""
    if not arguments:
        print(__doc__)
        return 1
    results = [look(Path(argument)) for argument in arguments]
    for _, text in results:
        print(text)
    return 0 if all(is_expected for is_expected, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
