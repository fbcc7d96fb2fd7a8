"""Who is the client: the neighbour, or whom a trusted proxy reports."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access, parse_denied
from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport.client_address import ClientAddresses
from tests.support.forwarded_client import seen, seen_by_all
from tests.support.memory_server import Server


class ClientAddressTest(SynchronousTestCase):
    """By the neighbour, and whether that may speak for another."""

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

    def test_trusted_proxy_with_another_header(self) -> None:
        """Everybody behind it looks the same, and an equal address proves nothing."""
        assert seen("127.0.0.1", b"198.51.100.1", header=b"x-real-ip") == ClientAddress(
            "127.0.0.1", "127.0.0.1", True
        )
        assert not seen("127.0.0.1").shared
        for header in (b"x-forwarded-proto", b"via", b"x-client-ip"):
            assert seen("127.0.0.1", b"https", header=header).shared, header
            assert not seen("192.0.2.1", b"https", header=header).shared, header

    def test_no_exemption_for_one_who_cannot_be_told(self) -> None:
        """It is the proxy's own, as is what that asks for itself."""
        for neighbour in ("127.0.0.1", "192.0.2.1"):
            assert seen(neighbour, exempt="127.0.0.1,192.0.2.1").is_exempt
            for header, line in UNTOLD:
                client = seen(neighbour, line, header=header, exempt="127.0.0.1,192.0.2.1")
                assert client == ClientAddress(neighbour, neighbour, shared=True), (neighbour, header, line)
        assert seen("127.0.0.1", b"192.0.2.7", exempt="192.0.2.0/24").is_exempt

    def test_a_ban_holds_for_one_who_cannot_be_told(self) -> None:
        """Whatever else it writes, the proxy's own word stands at the end of a header."""
        access = Access()
        access.denied = parse_denied("203.0.113.8\n2001:db8:9::/48")
        for banned in ("203.0.113.8", "2001:db8:9::1"):
            quoted = f'"[{banned}]:80"' if ":" in banned else banned
            for headers in (
                {b"x-forwarded-for": banned, b"forwarded": 'for="x'},
                {b"x-forwarded-for": f"9.9.9.9, {banned}", b"forwarded": "for=1.1.1.1"},
                {b"forwarded": f'for="x, for={quoted};proto=https;by="127.0.0.1:80"'},
                {b"forwarded": "," * 15_000 + f"for={quoted}"},
                {b"x-forwarded-for": "127.0.0.1," * 1000 + banned, b"forwarded": "1.1.1.1," * 1000},
                {b"x-real-ip": banned},
            ):
                client = seen_by_all({name: value.encode() for name, value in headers.items()})
                assert client.shared, headers
                assert not access.may_connect(client), headers
        assert access.may_connect(seen("127.0.0.1", b'for="x', header=b"forwarded"))
        assert access.may_connect(seen("192.0.2.1", b"203.0.113.8"))

    def test_addresses_made_of_ipv4(self) -> None:
        for text in (
            "64:ff9b::8.8.8.8",  # NAT64
            "2002:808:808::1",  # 6to4
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",  # Teredo: the last 32 bits, inverted
        ):
            assert seen(text) == ClientAddress("8.8.8.8", "8.8.8.8"), text
            assert seen("127.0.0.1", text.encode()).key == "8.8.8.8", text

    def test_bans_of_addresses_made_of_ipv4(self) -> None:
        """They hold, whichever of both addresses they name, and however it came."""
        for text, network in (
            ("64:ff9b::8.8.8.8", "64:ff9b::808:808"),
            ("2002:808:808::1", "2002:808:808::/48"),
        ):
            for client in (
                seen(text),
                seen("127.0.0.1", text.encode()),
                seen(text, b"9.9.9.9"),
                seen("127.0.0.1", text.encode() + b", nonsense"),
            ):
                for entry, is_banned in ((network, True), ("2001:db8::/32", False)):
                    access = Access()
                    access.denied = parse_denied(entry)
                    assert access.may_connect(client) != is_banned, (client, entry)

    def test_none_of_them_is_this_machine(self) -> None:
        for text in (
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::",
            "2001::f5ff:fffe",
        ):
            assert seen(text).key.endswith("::/64"), text
            assert seen(text, b"9.9.9.9", trusted_proxies="127.0.0.0/8,10.0.0.0/8").text != "9.9.9.9", text

    def test_what_an_operator_can_mend_is_said_once(self) -> None:
        xff: dict[bytes, list[bytes]] = {b"x-forwarded-for": [b"9.9.9.9"]}
        cases: list[tuple[Event, str, dict[bytes, list[bytes]]]] = [
            (Event.FORWARDING_IGNORED, "192.0.2.1", xff),
            (Event.FORWARDING_UNUSABLE, "127.0.0.1", {**xff, b"forwarded": [b"for=1.1.1.1"]}),
            (Event.FORWARDING_UNUSABLE, "127.0.0.1", {b"forwarded": [b'for="']}),
            (Event.CLIENT_NOT_NAMED, "127.0.0.1", {}),
            (Event.CLIENT_NOT_NAMED, "127.0.0.1", {b"x-real-ip": [b"9.9.9.9"]}),
        ]
        for expected, peer, headers in cases:
            assert self.reported(peer, headers) == [expected], headers

    def reported(self, peer: str, headers: dict[bytes, list[bytes]]) -> list[Event]:
        """Return what is reported of three such requests for a WebSocket."""
        events: list[Event] = []

        def report(event: Event, /, **details: object) -> None:
            events.append(event)

        addresses = ClientAddresses(Settings(), report)
        for _ in range(3):
            addresses.of(peer, lambda name: headers.get(name, ()))
            addresses.report_unnamed(peer, lambda name: headers.get(name, ()))
        return events

    def test_a_local_client_of_the_rest_api_is_no_careless_proxy(self) -> None:
        server = Server()
        with capturedLogs() as logged:
            client = server.accept("127.0.0.1")
            client.send(
                b"GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET /api/check/X HTTP/1.1\r\nHost: h\r\n\r\n"
            )
            assert logged == []
            server.connect("127.0.0.1")
        assert "no header names its client" in str(formatEvent(logged[0]))


UNTOLD = [
    (b"forwarded", b'for="x'),
    (b"forwarded", b"," * 15_000),
    (b"x-forwarded-for", b"unknown"),
    (b"x-real-ip", b"198.51.100.7"),
]
"""Headers, each with a line of it, that don't say who the client is."""
