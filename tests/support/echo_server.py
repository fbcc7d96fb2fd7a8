"""An echo server on this server's own WebSocket, for a conformance suite."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as installed_reactor

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.events import each_of
from ma_signaling.core.hub import Hub
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.monitoring.metrics import Metrics
from ma_signaling.monitoring.readiness import Readiness
from ma_signaling.runtime.service import make_factory
from ma_signaling.transport.fast_path import AutobahnPath, with_fast_path
from ma_signaling.transport.protocol import SignalingProtocol

# A suite connects, pings and fragments at will, and its largest messages have 16 MiB. All else is as in production.
SETTINGS = Settings(connections_per_minute=0, control_rate=0, max_message_bytes=16 * 1024 * 1024)


class EchoProtocol(SignalingProtocol):
    """Sends every message back instead of routing it."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Send it back, text as text and binary as binary."""
        self.sendMessage(payload, isBinary)

    def onMessages(self, payloads: list[bytes]) -> int:
        """Send them back one by one."""
        return AutobahnPath.onMessages(self, payloads)


def main() -> None:
    """Serve until killed; the first line of output says that it listens."""
    reactor: Any = installed_reactor
    report = each_of(EventLog(SETTINGS.log_addresses, reactor))
    hub = Hub(SETTINGS, reactor, report, Access())
    factory = make_factory(hub, SETTINGS, report, reactor, Metrics(), Readiness())
    factory.protocol = with_fast_path(EchoProtocol, factory)
    port = reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1")
    sys.stdout.write(f"listening on port {port.getHost().port}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
