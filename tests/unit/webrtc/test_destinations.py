"""Where packets may go: a table of addresses, each of which some newcomer might name."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from unittest import TestCase

from ma_signaling.webrtc.destinations import Destinations, is_global_unicast

GLOBAL = """
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 172.15.255.255
172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
2001:200::1 2001:4860:4860::8888 2003:: 2a00:1450::1 3ffe::1
"""

SPECIAL = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
203.0.113.1 224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:10.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::10.0.0.1
100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:a00:1::1
2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1 ff02::fb ff0e::1
"""


class AddressesTest(TestCase):
    """By what the IANA's registries say of them."""

    def test_global_unicast(self) -> None:
        assert [text for text in GLOBAL.split() if not is_global_unicast(ip_address(text))] == []

    def test_special(self) -> None:
        assert [text for text in SPECIAL.split() if is_global_unicast(ip_address(text))] == []


class DestinationsTest(TestCase):
    """What settings add, and what no setting does."""

    def test_the_internet_alone(self) -> None:
        destinations = Destinations()
        assert destinations.may_reach(ip_address("1.1.1.1"), 40000)
        assert [text for text in SPECIAL.split() if destinations.may_reach(ip_address(text), 40000)] == []
        assert [text for text in SPECIAL.split() if destinations.may_show(ip_address(text))] == []

    def test_ports_of_services(self) -> None:
        destinations = Destinations((ip_network("127.0.0.0/8"),))
        for address in map(ip_address, ("1.1.1.1", "127.0.0.1")):
            allowed = [
                port for port in (0, 53, 123, 443, 1023, 1024, 65535) if destinations.may_reach(address, port)
            ]
            assert allowed == [1024, 65535]
            assert not destinations.may_reach(address, 65536)

    def test_own_addresses(self) -> None:
        """A service may listen on a public address, behind a firewall that this machine's own packets don't meet."""
        own = ip_address("1.1.1.1")
        destinations = Destinations(is_own=lambda address: address == own)
        assert not destinations.may_reach(own, 40000)
        assert destinations.may_reach(ip_address("1.1.1.2"), 40000)
        assert destinations.may_show(own)
        assert destinations._replace(networks=(ip_network("1.1.1.1/32"),)).may_reach(own, 40000)

    def test_other_networks(self) -> None:
        destinations = Destinations((ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
        for text, allowed in (
            ("10.1.255.255", True),
            ("10.2.0.0", False),
            ("fd12::1", True),
            ("fe80::1", False),
            ("::ffff:10.1.0.1", False),
            ("64:ff9b::10.1.0.1", False),
        ):
            assert destinations.may_reach(ip_address(text), 40000) is allowed, text
            assert destinations.may_show(ip_address(text)) is allowed, text

    def test_scopes(self) -> None:
        destinations = Destinations((ip_network("fe80::/10"),))
        assert destinations.may_reach(ip_address("fe80::1"), 40000)
        assert not destinations.may_reach(ip_address("fe80::1%eth0"), 40000)
