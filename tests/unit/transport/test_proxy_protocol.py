"""PROXY headers in memory: whole, in pieces, malformed, and what is known of the client behind them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.proxy_protocol import (
    HEADER_SECONDS,
    MalformedHeader,
    ProxyFactory,
    ProxyHeader,
    parse,
)
from tests.support.memory_server import UPGRADE, Reply, Server, Transport
from tests.support.metrics_text import parse as parse_metrics

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = IPv4Address("TCP", "198.51.100.7", 50000)
V4 = ip_address("198.51.100.7").packed + ip_address("192.0.2.1").packed + (50000).to_bytes(2) + b"\0\x50"
V6 = ip_address("2001:db8::7").packed * 2 + (50000).to_bytes(2) + b"\0\x50"
HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"


def v2(command: int, family: int, data: bytes) -> bytes:
    """Return a header of version 2."""
    return SIGNATURE + bytes([command, family]) + len(data).to_bytes(2) + data


NAMED = [
    b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 80\r\n",
    v2(0x21, 0x11, V4),
    v2(0x21, 0x11, V4 + b"\x04\0\x01\0" * 300),  # with what else is known, in fields that are passed over
]
NAMED_V6 = [b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 80\r\n", v2(0x21, 0x21, V6)]
UNNAMED = [
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    b"PROXY UNKNOWN \xff\r\n",
    v2(0x20, 0x00, b""),
    v2(0x20, 0x11, V4),
    v2(0x20, 0xFF, b"x" * 1000),
    v2(0x21, 0x00, b""),
    v2(0x21, 0x31, bytes(216)),
]
MALFORMED = [
    b"PROXY TCP4 1.1.1.1 2.2.2.2 a b\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536 x\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 65536 1\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 1\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
    b"PROXY TCP4 1.1.1.1 zzz 1 1\r\n",
    b"PROXY TCP4 1.1.1.1 2001:db8::1 1 1\r\n",
    b"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
    b"PROXY TCP6 ::1 fe80::1%lo 1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
    b"PROXY TCP4 1.1.1.1\r\n",
    b"PROXY TCP4 999.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 \xff\xfe 2.2.2.2 1 2\r\n",
    b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
    b"PROXY \r\n",
    b"PROXY " + b"x" * 200,
    b"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    HEALTH,
    b"\x16\x03\x01",
    b"\r\n\r\n\r\n",
    v2(0x11, 0x11, V4),
    v2(0x22, 0x11, V4),
    v2(0x21, 0x12, V4),
    v2(0x21, 0x41, V4),
    v2(0x21, 0x11, V4[:-1]),
    v2(0x21, 0x21, V6[:-1]),
]


class Proxied:
    """A connection to a port that expects a PROXY header, from a load balancer."""

    def __init__(self, host: str = "203.0.113.9", **overrides: Any) -> None:
        self.server = Server(**overrides)
        signaling = self.server.factory
        factory = ProxyFactory(signaling, signaling.report, signaling.deadlines)
        self.transport = Transport(peerAddress=IPv4Address("TCP", host, 1))
        self.transport.protocol = factory.buildProtocol(None)
        self.transport.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Send these bytes, to whoever reads the connection now."""
        self.transport.protocol.dataReceived(data)

    @property
    def status(self) -> int:
        """The status of the reply."""
        return Reply(self.transport.value()).status


class ProxyProtocolTest(SynchronousTestCase):
    """What a header does to the connection behind it."""

    def test_who_the_client_is(self) -> None:
        for header in NAMED:
            assert parse(header) == ProxyHeader(len(header), CLIENT), header
        for header in NAMED_V6:
            client = parse(header + b"more")
            assert client is not None
            assert client.client is not None
            assert client.client.host == "2001:db8::7"
        for header in UNNAMED:
            assert parse(header + b"more") == ProxyHeader(len(header), None), header

    def test_the_client_counts_and_not_the_load_balancer(self) -> None:
        for header in NAMED:
            proxied = Proxied()
            proxied.send(header + UPGRADE + b"X-Forwarded-For: 9.9.9.9\r\n\r\n")
            assert proxied.status == 101
            (connection,) = proxied.server.hub._connections
            assert connection.address.text == "198.51.100.7"

    def test_silent_sockets_of_a_load_balancer_are_nobodys(self) -> None:
        proxied = Proxied(sockets_per_minute=1, silent_connections_per_address=1)
        signaling = proxied.server.factory
        factory = ProxyFactory(signaling, signaling.report, signaling.deadlines)
        for number in range(1, 20):
            transport = Transport(peerAddress=IPv4Address("TCP", "203.0.113.9", 1))
            transport.protocol = factory.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            transport.protocol.dataReceived(b"PROXY TCP4 198.51.100.%d 192.0.2.1 1 80\r\n" % number + HEALTH)
            assert Reply(transport.value()).status == 200

    def test_short_forms_are_served_as_the_load_balancer(self) -> None:
        for header in UNNAMED:
            proxied = Proxied()
            proxied.send(header + UPGRADE + b"\r\n")
            assert proxied.status == 101, header
            (connection,) = proxied.server.hub._connections
            assert connection.address.text == "203.0.113.9"

    def test_one_byte_at_a_time(self) -> None:
        for header in (*NAMED, *NAMED_V6, *UNNAMED):
            proxied = Proxied()
            for byte in header + HEALTH:
                proxied.send(bytes([byte]))
            assert proxied.status == 200, header

    def test_malformed_headers_end_the_connection_in_silence(self) -> None:
        for header in MALFORMED:
            proxied = Proxied()
            proxied.send(header)
            assert proxied.transport.disconnecting, header
            assert proxied.transport.value() == b""
            proxied.send(HEALTH)
            assert proxied.transport.value() == b""
            counted = parse_metrics(proxied.server.metrics.text().decode())
            label = ("no valid PROXY header at a haproxy: endpoint",)
            assert counted["wrong_protocol_total", label] == 1, header

    def test_two_in_a_row(self) -> None:
        """A load balancer passes on the header of another one as the client's bytes: the log says so."""
        for header in NAMED:
            proxied = Proxied()
            proxied.send(header * 2)
            assert proxied.transport.disconnecting
            ((mistake,),) = (
                labels
                for (name, labels), count in parse_metrics(proxied.server.metrics.text().decode()).items()
                if name == "wrong_protocol_total" and count
            )
            assert mistake.endswith("two load balancers in a row")

    def test_a_silent_load_balancer_is_cut(self) -> None:
        proxied = Proxied()
        proxied.send(SIGNATURE)
        proxied.server.advance(HEADER_SECONDS)
        assert not proxied.transport.aborted
        proxied.server.advance(1)
        assert proxied.transport.aborted

    def test_any_bytes_in_any_pieces(self) -> None:
        heads = st.sampled_from([*NAMED, *NAMED_V6, *UNNAMED, *MALFORMED]) | st.binary(max_size=40)
        changes = st.tuples(st.integers(0, 300), st.integers(0, 255))

        @settings(max_examples=300)
        @given(heads, st.none() | changes, st.lists(st.integers(0, 300), max_size=5))
        @example(b"", None, [])
        def explore(head: bytes, change: tuple[int, int] | None, cuts: list[int]) -> None:
            data = bytearray(head + b"rest")
            if change is not None:
                data[change[0] % len(data)] = change[1]
            whole = outcome(bytes(data))
            for cut in sorted(cuts):
                early = outcome(bytes(data[:cut]))
                assert early in (None, whole), (data, cut)

        explore()


def outcome(data: bytes) -> ProxyHeader | str | None:
    """Return what is made of this."""
    try:
        return parse(data)
    except MalformedHeader:
        return "malformed"
