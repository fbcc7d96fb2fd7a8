"""Games of all models, the same each time; `make model` plays others."""

from __future__ import annotations

from unittest import TestCase

from tests.model.cluster_machine import FaultyMachine, PeersMachine
from tests.model.hub_machine import HubMachine, LimitedMachine
from tests.model.leaving_machine import LeavingMachine
from tests.model.machine import play


class HubModelTest(TestCase):
    """Bounded, so that it can run with the other tests; more examples find more."""

    def test_any_order(self) -> None:
        play(HubMachine, 200)

    def test_any_order_within_limits(self) -> None:
        play(LimitedMachine, 50)


class ClusterModelTest(TestCase):
    """Bounded, so that it can run with the other tests; more examples find more.

    Promised whatever the bus does: nobody hears of another's session; letters arrive once at most, and in order; a
    request is answered within 25 s, a newcomer within 100 s; no holder is closed for one that can't prove more.
    Promised where nothing is at fault: whoever holds the key has the Remote ID within 33 s, at any node. Promised 2
    minutes after the last fault: one holder, found from everywhere; calls that were not without their home or their bus
    for too long go on. Promised in the end: nothing stays. Letters that are under way in a fault may be lost.
    """

    def test_any_order(self) -> None:
        play(PeersMachine, 50)

    def test_any_faults(self) -> None:
        play(FaultyMachine, 80)


class LeavingModelTest(TestCase):
    """Bounded, like ``HubModelTest``."""

    def test_any_order(self) -> None:
        play(LeavingMachine, 100)
