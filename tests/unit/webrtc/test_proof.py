"""What our offer shows of this machine."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from unittest import TestCase

from ma_signaling.webrtc.description import Candidate
from ma_signaling.webrtc.destinations import Destinations
from ma_signaling.webrtc.proof import shown


def candidate(address: str, type: str = "host") -> Candidate:
    """Return a candidate of ours."""
    return Candidate(ip_address(address), 40000, type, 1)


class ShownTest(TestCase):
    """Our candidates, as they come from the machine's addresses, STUN and a relay."""

    def shown(self, *candidates: Candidate, networks: str = "", public: str = "") -> list[Candidate]:
        """Return what is left of them."""
        destinations = Destinations(tuple(map(ip_network, networks.split())))
        return list(shown(candidates, destinations, ip_address(public) if public else None))

    def test_public_addresses(self) -> None:
        candidates = candidate("1.1.1.1"), candidate("2a00::1"), candidate("1.1.1.2", "srflx")
        assert self.shown(*candidates) == list(candidates)

    def test_private_addresses(self) -> None:
        for address in (
            "10.0.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
        ):
            for type in ("host", "srflx", "relay"):
                assert self.shown(candidate(address, type)) == [], (address, type)

    def test_networks_that_a_setting_names(self) -> None:
        found = self.shown(candidate("10.0.0.1"), candidate("10.1.0.1"), networks="10.1.0.0/16")
        assert found == [candidate("10.1.0.1")]

    def test_a_nat_that_keeps_ports(self) -> None:
        candidates = (
            candidate("10.0.0.1"),
            candidate("10.0.0.2", "srflx"),
            candidate("2a00::1"),
            candidate("fd00::1"),
        )
        found = self.shown(*candidates, public="1.1.1.1")
        assert found == [candidate("1.1.1.1"), candidate("2a00::1")]
