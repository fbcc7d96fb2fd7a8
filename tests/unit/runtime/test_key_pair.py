"""What files may hold instead of a certificate with its key."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from unittest import TestCase

from ma_signaling.runtime.key_pair import BadPair, read_pair
from ma_signaling.runtime.tls_context import make_context
from tests.support.certificates import Authority, damaged


class DamagedTest(TestCase):
    def test_any_file(self) -> None:
        """It is usable, or a pair that won't do: nothing else is raised."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        certificate, key = Path(temporary.name) / "c", Path(temporary.name) / "k"
        Authority().issue(certificate, key, days=90)
        used = 0
        for content in damaged(certificate.read_bytes()):
            certificate.write_bytes(content)
            with suppress(BadPair):
                make_context(read_pair(certificate, key))
                used += 1
        self.assertGreater(used, 0)
