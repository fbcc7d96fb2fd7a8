"""Which addresses are this machine's, by its routes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.webrtc.local_addresses import is_own, sources


class LocalAddressesTest(SynchronousTestCase):
    """Those of the machine that the test runs on."""

    def test_own(self) -> None:
        assert [
            text for text in ("127.0.0.1", "127.0.0.2", "8.8.8.8", "ff02::1") if is_own(ip_address(text))
        ] == ["127.0.0.1"]

    def test_sources(self) -> None:
        """Towards the Internet, if there is a way, and towards each network that a setting names."""
        towards_the_internet = sources(())
        assert len(towards_the_internet) <= 2
        assert all(is_own(address) for address in towards_the_internet)
        found = sources((ip_network("127.0.0.0/8"), ip_network("127.0.0.1/32")))
        assert found == [*towards_the_internet, ip_address("127.0.0.1")]
