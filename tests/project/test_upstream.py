"""contrib/upstream/check.py, on checkouts made for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

from tests import ROOT

LINES = {
    "music_assistant/controllers/webserver/remote_access/__init__.py": 'SIGNALING_SERVER_URL = "{}"',
    "src/plugins/remote/connection-manager.ts": '  signalingServerUrl: "{}",',
    "src/broker.ts": 'const SIGNALING_SERVER_URL = "{}";',
    "composeApp/src/commonMain/kotlin/io/music_assistant/client/webrtc/SignalingClient.kt": (
        '        const val DEFAULT_SIGNALING_URL = "{}"'
    ),
}


class CheckTest(TestCase):
    def look(self, address: str) -> subprocess.CompletedProcess[str]:
        """Run the script on a checkout of each program, with this address in it."""
        with tempfile.TemporaryDirectory() as directory:
            for number, (file, line) in enumerate(LINES.items()):
                path = Path(directory) / str(number) / file
                path.parent.mkdir(parents=True)
                path.write_text(f"first\n{line.format(address)}\n", encoding="utf-8")
            return subprocess.run(
                [
                    sys.executable,
                    str(ROOT / "contrib/upstream/check.py"),
                    *sorted(map(str, Path(directory).iterdir())),
                ],
                capture_output=True,
                text=True,
                check=False,
            )

    def test_as_expected(self) -> None:
        found = self.look("wss://signaling.music-assistant.io/ws")
        self.assertEqual(found.returncode, 0, found.stdout)
        self.assertEqual([line.rpartition(":")[2] for line in found.stdout.splitlines()], ["2"] * len(LINES))

    def test_changed(self) -> None:
        found = self.look("wss://other.example/ws")
        self.assertEqual(found.returncode, 1)
        self.assertEqual(found.stdout.count("in 0 such lines"), len(LINES))

    def test_the_notes_name_the_same_places(self) -> None:
        notes = (ROOT / "contrib/upstream/README.md").read_text(encoding="utf-8")
        for file in LINES:
            self.assertIn(f"`{file}`", notes)
