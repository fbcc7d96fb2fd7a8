"""What the headers say by which proxies name their client, and what such a header can't make anybody believe."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.config.sources import load
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport import client_address
from ma_signaling.transport.client_address import ClientAddresses
from tests.support.forwarded_client import nobody_hears, seen
from tests.support.memory_server import Server


class HeadersTest(SynchronousTestCase):
    """Defect 5: the leftmost entry is anybody's invention."""

    def test_from_the_right(self) -> None:
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9", b"198.51.100.1").key == "198.51.100.1"
        assert seen("127.0.0.1", b"9.9.9.9, 198.51.100.1, 127.0.0.2").key == "198.51.100.1"
        chain = seen("10.0.0.1", b"9.9.9.9, 198.51.100.1, 10.0.0.2", trusted_proxies="10.0.0.0/8")
        assert chain.key == "198.51.100.1"

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


class PrefixTest(SynchronousTestCase):
    """Nothing that a client sends changes what a proxy that appends is heard to say: at worst it isn't heard."""

    CLIENT = "198.51.100.7"
    NOT_HEARD = ClientAddress("127.0.0.1", "127.0.0.1", shared=True)

    def test_x_forwarded_for(self) -> None:
        @settings(max_examples=300)
        @given(PREFIXES)
        def explore(prefix: bytes) -> None:
            heard = ClientAddress(self.CLIENT, self.CLIENT)
            assert seen("127.0.0.1", prefix + b", " + self.CLIENT.encode()) == heard
            assert seen("127.0.0.1", prefix, self.CLIENT.encode()) == heard
            # A second proxy, which is trusted, has added the first.
            assert seen("127.0.0.1", prefix + b",198.51.100.7, 127.0.0.2") == heard

        explore()

    def test_forwarded(self) -> None:
        @settings(max_examples=500)
        @given(PREFIXES, st.sampled_from(APPENDED))
        def explore(prefix: bytes, appended: bytes) -> None:
            heard = seen("127.0.0.1", appended, header=b"forwarded")
            assert not heard.shared
            assert seen("127.0.0.1", prefix, appended, header=b"forwarded") == heard
            both = seen("127.0.0.1", prefix + b", " + appended, header=b"forwarded")
            assert both in (heard, self.NOT_HEARD), both

        explore()

    def test_neither_by_adding_the_other_header(self) -> None:
        @settings(max_examples=300)
        @given(PREFIXES)
        def explore(other: bytes) -> None:
            headers = {b"x-forwarded-for": [self.CLIENT.encode()], b"forwarded": [other]}
            addresses = ClientAddresses(Settings(), nobody_hears)
            client = addresses.of("127.0.0.1", lambda name: headers.get(name, ()))
            assert client in (ClientAddress(self.CLIENT, self.CLIENT), self.NOT_HEARD)

        explore()


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
