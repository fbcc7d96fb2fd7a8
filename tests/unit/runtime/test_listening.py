"""Where a server can't listen, and what it says then."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import CannotStart
from ma_signaling.runtime.listening import make_endpoint


class EndpointTest(SynchronousTestCase):
    """Descriptions that nothing can be made of."""

    def test_systemd_without_systemd(self) -> None:
        reactor: Any = Clock()
        for text in ("systemd:domain=INET6:index=0", "haproxy:systemd:domain=INET6:index=0"):
            with self.assertRaises(CannotStart) as refused:
                make_endpoint(text, reactor)
            assert f"cannot listen on {text}: systemd has handed over no such socket" in str(
                refused.exception
            )
