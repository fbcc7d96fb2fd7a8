"""Who is the client: the neighbour, or whom a trusted proxy reports."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.config.sources import load
from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport.client_address import ClientAddresses


def nobody_hears(event: Event, /, **details: object) -> None: ...


def seen(
    neighbour: str | None, *lines: bytes, header: bytes = b"x-forwarded-for", **settings: str
) -> ClientAddress:
    """The client of a request that came from ``neighbour`` with these lines of one header."""
    loaded = load({name: [value] for name, value in settings.items()}, {}).settings
    addresses = ClientAddresses(loaded, nobody_hears)
    return addresses.of(neighbour, lambda name: lines if name == header else ())


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
        assert seen("127.0.0.1", b"198.51.100.1", trusted_proxies="none").key == "127.0.0.1"

    def test_from_the_right(self) -> None:
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9", b"198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1, 127.0.0.2").key == "198.51.100.1"
        chain = seen("10.0.0.1", b"9.9.9.9, 198.51.100.1, 10.0.0.2", trusted_proxies="10.0.0.0/8")
        assert chain.key == "198.51.100.1"

    def test_all_are_trusted(self) -> None:
        assert seen("127.0.0.1", b"127.0.0.3, 127.0.0.2").key == "127.0.0.3"

    def test_a_hop_that_says_nothing_proves_nothing(self) -> None:
        for header, line in (
            (b"x-forwarded-for", b"203.0.113.9, unix:"),
            (b"x-forwarded-for", b""),
            (b"forwarded", b"for=unknown"),
            (b"forwarded", b"for=203.0.113.9, for=_hidden"),
        ):
            assert seen("127.0.0.1", line, header=header) == ClientAddress("127.0.0.1", "127.0.0.1", True), (
                line
            )

    def test_headers_that_disagree_prove_nothing(self) -> None:
        def behind(forwarded: bytes, x_forwarded_for: bytes) -> ClientAddress:
            headers = {b"forwarded": [forwarded], b"x-forwarded-for": [x_forwarded_for]}
            addresses = ClientAddresses(Settings(), nobody_hears)
            return addresses.of("127.0.0.1", lambda name: headers.get(name, ()))

        assert behind(b"for=198.51.100.7", b"127.0.0.1").shared
        assert behind(b"for=198.51.100.7", b"198.51.100.7") == ClientAddress("198.51.100.7", "198.51.100.7")

    def test_a_very_long_list_is_read_from_its_end(self) -> None:
        line = b"for=192.0.2.1," * 1000 + b"for=198.51.100.7"
        assert seen("127.0.0.1", line, header=b"forwarded").key == "198.51.100.7"

    def test_ports_brackets_and_zones(self) -> None:
        for value in (b"198.51.100.1:4711", b"::ffff:198.51.100.1"):
            assert seen("127.0.0.1", value).key == "198.51.100.1", value
        for value in (b"[2001:db8::1]:4711", b"2001:db8::1", b"[2001:db8::1%eth0]"):
            assert seen("127.0.0.1", value).key == "2001:db8::/64", value

    def test_garbage(self) -> None:
        for value in (b"", b"unknown", b"\xff\x00", b"999.1.1.1", b"198.51.100.1, nonsense", b","):
            assert seen("127.0.0.1", value).key == "127.0.0.1", value

    def test_forwarded(self) -> None:
        """RFC 7239."""
        for value in (
            b"for=198.51.100.1",
            b"For=198.51.100.1;proto=http;by=203.0.113.43",
            b'for="198.51.100.1:4711"',
            b'proto=http; for="198.51.100.1"',
            b"for=9.9.9.9, for=198.51.100.1",
            b'for="9.9.9.9,x", for=198.51.100.1;by="a;b=,c"',
        ):
            assert seen("127.0.0.1", value, header=b"forwarded").key == "198.51.100.1", value
        ipv6 = b'for="[2001:db8:cafe::17]:4711"'
        assert seen("127.0.0.1", ipv6, header=b"forwarded").key == "2001:db8:cafe::/64"
        for value in (
            b"for=unknown",
            b"for=_hidden",
            b"for=",
            b"by=1.2.3.4",
            b"",
            b";;,,==",
        ):
            assert seen("127.0.0.1", value, header=b"forwarded") == ClientAddress(
                "127.0.0.1", "127.0.0.1", True
            ), value
        assert seen("127.0.0.1", b'for="1.2.3.4', header=b"forwarded").key == "1.2.3.4", "a quote left open"

    def test_only_one_header_is_believed(self) -> None:
        headers = {
            b"x-forwarded-for": [b"198.51.100.1"],
            b"forwarded": [b"for=9.9.9.9"],
            b"x-real-ip": [b"9.9.9.9"],
        }
        for name, expected in (("", "198.51.100.1"), ("Forwarded", "9.9.9.9"), ("X-Real-IP", "9.9.9.9")):
            loaded = load({"client_ip_header": [name]} if name else {}, {}).settings
            addresses = ClientAddresses(loaded, nobody_hears)
            assert addresses.of("127.0.0.1", lambda name: headers.get(name, ())).key == expected

    def test_named_header(self) -> None:
        def behind_cloudflare(*lines: bytes) -> str:
            return seen(
                "127.0.0.1", *lines, header=b"cf-connecting-ip", client_ip_header="CF-Connecting-IP"
            ).key

        assert behind_cloudflare(b"198.51.100.1") == "198.51.100.1"
        assert behind_cloudflare(b"9.9.9.9", b"198.51.100.1") == "198.51.100.1"
        assert behind_cloudflare(b"9.9.9.9, 198.51.100.1") == "127.0.0.1"
        assert behind_cloudflare() == "127.0.0.1"

    def test_trusted_proxy_with_another_header(self) -> None:
        """Everybody behind it looks the same, and an equal address proves nothing."""
        assert seen("127.0.0.1", b"198.51.100.1", header=b"x-real-ip") == ClientAddress(
            "127.0.0.1", "127.0.0.1", True
        )
        assert not seen("127.0.0.1").shared

    def test_ignored_headers_are_said_once(self) -> None:
        events: list[Event] = []

        def report(event: Event, /, **details: object) -> None:
            events.append(event)

        addresses = ClientAddresses(load({}, {}).settings, report)
        for _ in range(3):
            addresses.of("192.0.2.1", lambda name: [b"9.9.9.9"] if name == b"x-forwarded-for" else ())
        assert events == [Event.FORWARDING_IGNORED]
