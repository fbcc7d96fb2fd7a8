"""Who is the client: the neighbour, or whom a trusted proxy reports."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.address import client_address
from ma_signaling.peer import ClientAddress
from ma_signaling.settings import Settings, load


def seen(
    neighbour: str | None, *lines: bytes, trusted: str = "", header: bytes = b"x-forwarded-for"
) -> ClientAddress:
    """The client of a request that came from ``neighbour`` with these header lines."""
    networks = load({"trusted_proxies": [trusted]} if trusted else {}, {}).trusted_proxies
    return client_address(neighbour, lambda name: lines if name == header else (), networks)


class ClientAddressTest(SynchronousTestCase):
    """Defect 5: the leftmost entry is anybody's invention."""

    def test_neighbour(self) -> None:
        assert seen("192.0.2.1") == ClientAddress("192.0.2.1", "192.0.2.1")
        assert seen("::ffff:192.0.2.1").key == "192.0.2.1"
        assert seen("2001:db8::1") == ClientAddress("2001:db8::1", "2001:db8::/64")
        assert seen("fe80::1%eth0").text == "fe80::1"

    def test_untrusted_neighbour_is_not_believed(self) -> None:
        for header in (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip"):
            assert seen("192.0.2.1", b"198.51.100.1", header=header) == ClientAddress(
                "192.0.2.1", "192.0.2.1", True
            )

    def test_loopback_is_trusted(self) -> None:
        assert seen("127.0.0.1", b"198.51.100.1") == ClientAddress("198.51.100.1", "198.51.100.1")
        assert seen("::1", b"198.51.100.1").key == "198.51.100.1"
        assert seen("::ffff:127.0.0.1", b"198.51.100.1").key == "198.51.100.1"
        assert seen(None, b"198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1").key == "127.0.0.1"

    def test_nobody_is_trusted(self) -> None:
        assert seen("127.0.0.1", b"198.51.100.1", trusted="none").key == "127.0.0.1"
        assert Settings().trusted_proxies != ()

    def test_from_the_right(self) -> None:
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9", b"198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1, 127.0.0.2").key == "198.51.100.1"
        chain = seen("10.0.0.1", b"9.9.9.9, 198.51.100.1, 10.0.0.2", trusted="10.0.0.0/8")
        assert chain.key == "198.51.100.1"

    def test_all_are_trusted(self) -> None:
        assert seen("127.0.0.1", b"127.0.0.3, 127.0.0.2").key == "127.0.0.3"

    def test_ports_brackets_and_zones(self) -> None:
        for value in (b"198.51.100.1:4711", b' "198.51.100.1" ', b"::ffff:198.51.100.1"):
            assert seen("127.0.0.1", value).key == "198.51.100.1", value
        for value in (b"[2001:db8::1]:4711", b"2001:db8::1", b"[2001:db8::1%eth0]"):
            assert seen("127.0.0.1", value).key == "2001:db8::/64", value

    def test_garbage(self) -> None:
        for value in (b"", b"unknown", b"\xff\x00", b"999.1.1.1", b"198.51.100.1, nonsense", b","):
            assert seen("127.0.0.1", value).key == "127.0.0.1", value
