"""Who is the client: the neighbour, or whom a trusted proxy reports."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.config.sources import load
from ma_signaling.core.access import Access, parse_denied
from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport import client_address
from ma_signaling.transport.client_address import ClientAddresses
from tests.support.memory_server import Server


def nobody_hears(event: Event, /, **details: object) -> None: ...


def seen(
    neighbour: str | None, *lines: bytes, header: bytes = b"x-forwarded-for", **options: str
) -> ClientAddress:
    """The client of a request that came from ``neighbour`` with these lines of one header."""
    loaded = load({name: [value] for name, value in options.items()}, {}).settings
    addresses = ClientAddresses(loaded, nobody_hears)
    return addresses.of(neighbour, lambda name: lines if name == header else ())


def seen_by_all(headers: dict[bytes, bytes]) -> ClientAddress:
    """The client of a request of a trusted proxy with these headers."""
    addresses = ClientAddresses(Settings(), nobody_hears)
    return addresses.of("127.0.0.1", lambda name: [headers[name]] if name in headers else ())


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

        proxy = ClientAddress("127.0.0.1", "127.0.0.1", True)
        assert behind(b"for=198.51.100.7", b"203.0.113.1") == proxy
        assert behind(b"for=198.51.100.7", b"127.0.0.1") == proxy
        assert behind(b'for=198.51.100.7;x="', b"198.51.100.7") == proxy
        assert behind(b"for=198.51.100.7", b"198.51.100.7") == ClientAddress("198.51.100.7", "198.51.100.7")

    def test_a_very_long_list_is_read_from_its_end(self) -> None:
        line = b"192.0.2.1," * 1000 + b"198.51.100.7"
        assert seen("127.0.0.1", line).key == "198.51.100.7"
        assert seen("127.0.0.1", *[b"192.0.2.1"] * 1000, b"198.51.100.7").key == "198.51.100.7"
        assert (
            seen("127.0.0.1", *[b","] * 1000, b"for=198.51.100.7", header=b"forwarded").key == "198.51.100.7"
        )

    def test_no_header_takes_long(self) -> None:
        """What is longer than any honest one says nothing; so its cost is bounded, and no line is parsed twice."""
        for header, *lines in (
            (b"forwarded", b"for=192.0.2.1," * 1000 + b"for=198.51.100.7"),
            (b"forwarded", b"," * 15_000),
            (b"forwarded", b";" * 15_000 + b"for=198.51.100.7"),
            (b"forwarded", *[b";" * 1500 + b"for=127.0.0.1"] * 10),
            (b"forwarded", *[b"for=127.0.0.1"] * 1000),
            (b"x-forwarded-for", b"127.0.0.1," * 1000 + b"127.0.0.2"),
            (b"x-forwarded-for", *[b"127.0.0.1"] * 1000),
        ):
            client_address.parse_forwarded.cache_clear()
            client = seen("127.0.0.1", *lines, header=header)
            assert client == ClientAddress("127.0.0.1", "127.0.0.1", shared=True), (header, lines[0][:30])
        client_address.parse_forwarded.cache_clear()
        server = Server()
        server.accept("127.0.0.1").send(
            b"GET /api/check/X HTTP/1.1\r\nHost: h\r\nForwarded: for=198.51.100.7\r\n\r\n"
        )
        assert client_address.parse_forwarded.cache_info().misses == 1

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
            b'for=9.9.9.9;x="\\"a,", for="198.51.1\\00.1"',
            b"\t for=198.51.100.1 ; proto=http\t",
            b";;for=198.51.100.1;;",
            b",,for=198.51.100.1",
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
            b"for=198.51.100.1,",
            b'for="198.51.100.1',
            b'for=198.51.100.1;x="',
            b'for=9.9.9.9;x=", for=198.51.100.1',
            b'for=9.9.9.9;x="\\", for=198.51.100.1',
            b'for=9.9.9.9;x="a"b, for=198.51.100.1',
            b"for=198.51.100.1;for=9.9.9.9",
            b"for = 198.51.100.1",
            b"for=[2001:db8::1]",
            b"for=198.51.100.1:1",
            b"198.51.100.1",
            b"x, for=198.51.100.1",
        ):
            assert seen("127.0.0.1", value, header=b"forwarded") == ClientAddress(
                "127.0.0.1", "127.0.0.1", True
            ), value
        assert (
            seen("127.0.0.1", b'for=9.9.9.9;x="', b"for=198.51.100.1", header=b"forwarded").key
            == "198.51.100.1"
        )

    def test_only_one_header_is_believed(self) -> None:
        headers = {
            b"x-forwarded-for": [b"198.51.100.1"],
            b"forwarded": [b"for=9.9.9.9"],
            b"x-real-ip": [b"9.9.9.9"],
        }
        for name, expected in (
            ("X-Forwarded-For", "198.51.100.1"),
            ("Forwarded", "9.9.9.9"),
            ("X-Real-IP", "9.9.9.9"),
        ):
            loaded = load({"client_ip_header": [name]}, {}).settings
            addresses = ClientAddresses(loaded, nobody_hears)
            assert addresses.of("127.0.0.1", lambda name: headers.get(name, ())).key == expected

    def test_named_header(self) -> None:
        def behind_cloudflare(*lines: bytes) -> str:
            return seen(
                "127.0.0.1", *lines, header=b"cf-connecting-ip", client_ip_header="CF-Connecting-IP"
            ).key

        assert behind_cloudflare(b"198.51.100.1") == "198.51.100.1"
        assert behind_cloudflare(b"198.51.100.1", b"198.51.100.1") == "198.51.100.1"
        assert behind_cloudflare(b"9.9.9.9", b"198.51.100.1") == "127.0.0.1"
        assert behind_cloudflare(b"9.9.9.9, 198.51.100.1") == "127.0.0.1"
        assert behind_cloudflare() == "127.0.0.1"

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


class PrefixTest(SynchronousTestCase):
    """Nothing that a client sends changes what a proxy that appends is heard to say: at worst it isn't heard."""

    CLIENT = "198.51.100.7"
    NOT_HEARD = ClientAddress("127.0.0.1", "127.0.0.1", shared=True)

    def test_x_forwarded_for(self) -> None:
        @settings(max_examples=300, deadline=None)
        @given(PREFIXES)
        def explore(prefix: bytes) -> None:
            heard = ClientAddress(self.CLIENT, self.CLIENT)
            assert seen("127.0.0.1", prefix + b", " + self.CLIENT.encode()) == heard
            assert seen("127.0.0.1", prefix, self.CLIENT.encode()) == heard
            # A second proxy, which is trusted, has added the first.
            assert seen("127.0.0.1", prefix + b",198.51.100.7, 127.0.0.2") == heard

        explore()

    def test_forwarded(self) -> None:
        @settings(max_examples=500, deadline=None)
        @given(PREFIXES, st.sampled_from(APPENDED))
        def explore(prefix: bytes, appended: bytes) -> None:
            heard = seen("127.0.0.1", appended, header=b"forwarded")
            assert not heard.shared
            assert seen("127.0.0.1", prefix, appended, header=b"forwarded") == heard
            both = seen("127.0.0.1", prefix + b", " + appended, header=b"forwarded")
            assert both in (heard, self.NOT_HEARD), both

        explore()

    def test_neither_by_adding_the_other_header(self) -> None:
        @settings(max_examples=300, deadline=None)
        @given(PREFIXES)
        def explore(other: bytes) -> None:
            headers = {b"x-forwarded-for": [self.CLIENT.encode()], b"forwarded": [other]}
            addresses = ClientAddresses(Settings(), nobody_hears)
            client = addresses.of("127.0.0.1", lambda name: headers.get(name, ()))
            assert client in (ClientAddress(self.CLIENT, self.CLIENT), self.NOT_HEARD)

        explore()


UNTOLD = [
    (b"forwarded", b'for="x'),
    (b"forwarded", b"," * 15_000),
    (b"x-forwarded-for", b"unknown"),
    (b"x-real-ip", b"198.51.100.7"),
]
"""Headers, each with a line of it, that don't say who the client is."""

APPENDED = [
    b"for=198.51.100.7",
    b'for="[2001:db8::7]:4711"',
    b'by=203.0.113.1;for="198.51.100.7:1";proto=https',
    b'for=198.51.100.7;by="a\\"b";host="x, y"',
]
PREFIXES = st.one_of(
    st.lists(
        st.sampled_from(
            [
                *(b"for=", b"192.0.2.9", b"[2001:db8::9]", b"127.0.0.1", b"unknown", b"x="),
                *(b'"', b"\\", b";", b",", b" ", b"\xff"),
            ]
        ),
        max_size=12,
    ).map(b"".join),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30).map(
        lambda text: text.encode("latin-1")
    ),
)
"""What a client may have put into a header before a proxy appends to it."""
