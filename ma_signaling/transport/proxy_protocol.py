"""The PROXY protocol, versions 1 and 2: the first bytes of a load balancer's connection name the client.

https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ma_signaling.core.events import Event, Report
from ma_signaling.transport.sockets import hand_over
from ma_signaling.transport.timers import Deadlines, Waiting

HEADER_SECONDS = 10.0
"""Time for a connection to send its header."""

_V1_BYTES = 107
"""The length of the longest header of version 1, CRLF included."""

PROXY_V1_START = b"PROXY "
_V1 = re.compile(rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([^ %]+) ([^ %]+) (\d{1,5}) (\d{1,5}))\r\n")
PROXY_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_BYTES = 16
"""The length of a header of version 2 without its addresses, whose length is in the last two bytes."""

_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_V2_ADDRESS_BYTES = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
"""Address lengths by family and transport: unspecified, TCP over IPv4, TCP over IPv6, Unix stream."""


class MalformedHeader(Exception):
    """Raised for bytes that are no PROXY header."""


class ProxyHeader(NamedTuple):
    """A whole header."""

    size: int
    """In bytes."""
    client: IPv4Address | IPv6Address | None
    """The client; None if the load balancer speaks for itself, as in a health check, or doesn't know."""


def parse(received: bytes | bytearray) -> ProxyHeader | None:
    """Return the header at the start of ``received``, None if it is incomplete.

    Raises ``MalformedHeader`` as soon as ``received`` can't begin a header.
    """
    if received.startswith(PROXY_V1_START):
        return _parse_v1(received)
    if received.startswith(PROXY_V2_SIGNATURE):
        return _parse_v2(received)
    if PROXY_V1_START.startswith(received) or PROXY_V2_SIGNATURE.startswith(received):
        return None
    raise MalformedHeader


def _parse_v1(received: bytes | bytearray) -> ProxyHeader | None:
    end = received.find(b"\n", 0, _V1_BYTES) + 1
    if not end and len(received) < _V1_BYTES:
        return None
    fields = _V1.fullmatch(received, 0, end)
    if fields is None:
        raise MalformedHeader
    if fields[1] is None:
        return ProxyHeader(end, None)
    client, _ = (
        _client(address.decode("latin-1"), int(port), is_ipv6=fields[1] == b"6")
        for address, port in (fields.group(2, 4), fields.group(3, 5))
    )
    return ProxyHeader(end, client)


def _parse_v2(received: bytes | bytearray) -> ProxyHeader | None:
    if len(received) < _V2_BYTES:
        return None
    command, family, length = received[12], received[13], int.from_bytes(received[14:16])
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise MalformedHeader
    if command == _V2_PROXY and length < _V2_ADDRESS_BYTES.get(family, 1 << 16):
        raise MalformedHeader
    end = _V2_BYTES + length
    if len(received) < end:
        return None
    addresses = bytes(received[_V2_BYTES:end])
    if command == _V2_PROXY and family == 0x11:
        return ProxyHeader(end, _packed_client(addresses[:4], addresses[8:10], is_ipv6=False))
    if command == _V2_PROXY and family == 0x21:
        return ProxyHeader(end, _packed_client(addresses[:16], addresses[32:34], is_ipv6=True))
    return ProxyHeader(end, None)


def _packed_client(address: bytes, port: bytes, *, is_ipv6: bool) -> IPv4Address | IPv6Address:
    return _client(str(ip_address(address)), int.from_bytes(port), is_ipv6=is_ipv6)


def _client(text: str, port: int, *, is_ipv6: bool) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise MalformedHeader from None
    if address.version != (6 if is_ipv6 else 4) or port > 0xFFFF:
        raise MalformedHeader
    return (IPv6Address if is_ipv6 else IPv4Address)("TCP", text, port)


class ProxyFactory(Factory):
    """Reads a PROXY header from each connection, then hands it to ``factory`` as the client's connection."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, report: Report, deadlines: Deadlines) -> None:
        self.factory = factory
        self.report = report
        self.deadlines = deadlines

    def doStart(self) -> None:
        self.factory.doStart()
        super().doStart()

    def doStop(self) -> None:
        self.factory.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _HeaderReader(self)


class _HeaderReader(Protocol):
    """Reads the header; its successor on the same transport reads everything else."""

    transport: Any
    deadline_queue: dict[Waiting, Any] | None = None
    is_put_off = False
    _is_closing = False

    def __init__(self, proxies: ProxyFactory) -> None:
        self._proxies = proxies
        self._received = bytearray()

    def connectionMade(self) -> None:
        self._proxies.deadlines.set(self, HEADER_SECONDS)

    def dataReceived(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._received += data
        try:
            header = parse(self._received)
        except MalformedHeader:
            self._is_closing = True
            self._proxies.report(Event.WRONG_PROTOCOL, mistake="no valid PROXY header at a haproxy: endpoint")
            self.transport.loseConnection()
            return
        if header is None:
            return
        self._proxies.deadlines.clear(self)
        if header.client is not None:
            # From here on the transport reports the client as its peer.
            client = header.client
            self.transport.getPeer = lambda: client
        successor: Any = self._proxies.factory.buildProtocol(self.transport.getPeer())
        hand_over(self, successor)
        if rest := bytes(self._received[header.size :]):
            successor.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._proxies.deadlines.clear(self)

    def deadline_passed(self) -> None:
        """Cut the connection: its header has not come in time."""
        self.transport.abortConnection()
