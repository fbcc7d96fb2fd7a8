"""Sites for the operator alone: the admin socket and the metrics port."""

from __future__ import annotations

from twisted.web.resource import IResource

from ma_signaling.core.capacity import UNLIMITED, Capacity
from ma_signaling.http.channel import HttpSite
from ma_signaling.transport.factory import SignalingFactory


def operators_site(root: IResource, main: SignalingFactory) -> HttpSite:
    """Return a site that serves ``root`` to the operator, beside the ports of ``main``.

    It counts its sockets separately and has no limits: the operator takes no place from a home, and is let in when
    nobody else is.
    """
    capacity = Capacity(UNLIMITED)
    return HttpSite(root, capacity, main.settings, main.report, lambda *_: 0.0, main.deadlines, main.reactor)
