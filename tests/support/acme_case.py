"""The service that renews a certificate, with a CA and a process that the test plays."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme.challenges import Challenges
from ma_signaling.acme.service import Acme
from ma_signaling.config.settings import Settings
from tests.support.certificates import Authority
from tests.support.fake_process import FakeChild, FakeReactor

AUTHORITY = Authority()
DAY = 24 * 3600.0


class AcmeTestCase(SynchronousTestCase):
    """One server, and the processes that it starts."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.settings = Settings(acme_domain=("localhost",), acme_agree_tos=True)
        self.reactor = FakeReactor()
        self.challenges = Challenges()
        self.shown: list[bytes] = []
        """The issued certificates, in the order in which clients are shown them."""
        self.start()

    def start(self, *, as_of: float = 0.0) -> None:
        reactor: Any = self.reactor
        # The calendar's time begins where the certificates of these tests do.
        self.began = time.time() + as_of - self.reactor.seconds()
        self.acme = Acme(
            self.settings,
            self.directory / "acme",
            self.challenges,
            reactor,
            self.shown.append,
            lambda: self.began + self.reactor.seconds(),
        )
        self.acme.privilegedStartService()
        self.acme.startService()
        self.reactor.advance(0)

    @property
    def child(self) -> FakeChild:
        return self.reactor.children[-1]

    def issue(self, *, days: float = 90) -> None:
        certificate, key = self.directory / "c", self.directory / "k"
        AUTHORITY.issue(certificate, key, days=days, begins=0)
        self.child.say(issued=(key.read_bytes() + certificate.read_bytes()).decode())
        self.child.end()

    def refuse(self, why: str = "closed", retry_after: float | None = None) -> None:
        self.child.say(failed=why, retryAfter=retry_after)
        self.child.end()
