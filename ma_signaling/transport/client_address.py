"""The address of a client: the socket's peer, or what a trusted proxy reports. Decided here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import AF_INET, inet_ntop, inet_pton

from ma_signaling.config.settings import Settings
from ma_signaling.core.events import Event, Report
from ma_signaling.core.peer import ClientAddress

LOCAL = "127.0.0.1"
"""The address that stands for the peer on a Unix socket."""

MAX_ADDRESS_CHARACTERS = 100
"""Longer text is no address, and isn't worth an entry in the cache."""

IPAddress = IPv4Address | IPv6Address
Header = Callable[[bytes], Sequence[bytes]]
"""Returns every value of a request header, given its lower-case name."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""The well-known prefix of translated IPv4 addresses (RFC 6052 section 2.1)."""

_LISTS = (b"x-forwarded-for", b"forwarded")

_FORWARDING = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip")

_FORWARDED_TOO = tuple(
    b"via x-forwarded x-forwarded-by x-forwarded-host x-forwarded-port x-forwarded-proto x-forwarded-server"
    b" x-client-ip x-cluster-client-ip x-original-forwarded-for x-envoy-external-address x-azure-clientip"
    b" fastly-client-ip fly-client-ip".split()
)
"""Other headers that proxies add: a trusted proxy that sends one is forwarding, too."""

MAX_HOPS = 32
"""The most addresses in a header line; ``MAX_LINES`` lines are read, and ``MAX_FORWARDED`` characters of Forwarded."""

MAX_LINES = 8

MAX_FORWARDED = 2048

# No possessive quantifier on a group: before Python 3.11.5 (Debian 12 has 3.11.2), one that fails counts as a match.
_PAIR = r"([!#$%&'*+.^_`|~0-9A-Za-z-]++)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]++)|\"([^\"\\]*+(?:\\.[^\"\\]*+)*)\")"
"""A parameter of Forwarded: name, and the value as a token or a quoted string (RFC 7239 section 4)."""

_PART = re.compile(rf"[ \t]*+(?:{_PAIR})?[ \t]*+([,;]|\Z)")
"""A parameter, or none, and its delimiter."""

_NAMED = re.compile(r"[0-9A-Fa-f.:]{2,}")
"""Text that may be an address, inside any other text."""

_TAIL = 512
"""Characters at the end of a header, where proxies append; the last ``_MAX_NAMED`` addresses there count."""

_MAX_NAMED = 16


class ClientAddresses:
    """Finds the client of each request.

    A forwarding header of a trusted proxy is read as a whole or not at all. If it can't be read, or two headers
    disagree, one may be forged by the client: the client is then counted under the proxy's address, like all others
    whose address isn't known. It doesn't get the proxy's exemption, and a ban of any address in the headers holds.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self.reconfigure()

    def reconfigure(self) -> None:
        """Apply changed settings."""
        self._look_up = lru_cache(maxsize=1024)(self._look_up_uncached)
        named = self._settings.client_ip_header.lower().encode()
        self._trusted: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for network in self._settings.trusted_proxies:
            self._trusted[network.version].append((int(network.network_address), int(network.netmask)))
        self._believable = (named,) if named else _LISTS
        self._forwarding = tuple({*_FORWARDING, *self._believable})
        self._local = ClientAddress(LOCAL, LOCAL), self._is_trusted(IPv4Address(LOCAL))
        self._reported: set[Event] = set()

    def of(self, peer_address: str | None, header: Header) -> ClientAddress:
        """Return the client behind ``peer_address`` (an IP address as text, or None on a Unix socket)."""
        address, is_trusted = self._peer(peer_address)
        names = self._believed(header) if is_trusted else []
        if not names:
            if not (self._claims_to_forward(header) or (is_trusted and self._has_signs(header))):
                return address
            if not is_trusted:
                self._report_once(Event.FORWARDING_IGNORED)
                return _unknown(address)
            return _unknown(address, self._named(header))
        client = self._behind(names[0], header(names[0]))
        if client is None or any(self._behind(name, header(name)) != client for name in names[1:]):
            self._report_once(Event.FORWARDING_UNUSABLE)
            return _unknown(address, self._named(header))
        return client

    def report_unnamed(self, peer_address: str | None, header: Header) -> None:
        """Report once if the peer is a trusted proxy and names no client: all its clients then count as one."""
        if self._peer(peer_address)[1] and not self._believed(header):
            self._report_once(Event.CLIENT_NOT_NAMED)

    def is_own(self, peer_address: str | None, header: Header) -> bool:
        """Return whether a request is the operator's own: from a trusted address, with no sign of forwarding."""
        return self._peer(peer_address)[1] and not (
            self._claims_to_forward(header) or self._has_signs(header)
        )

    def socket_key(self, peer_address: str | None) -> str | None:
        """Return the key that a new socket is counted by; None for an exempt address, or a trusted proxy's."""
        address, is_trusted = self._peer(peer_address)
        return None if is_trusted or address.is_exempt else address.key

    def _peer(self, peer_address: str | None) -> tuple[ClientAddress, bool]:
        return self._look_up(peer_address or LOCAL) or self._local

    def _believed(self, header: Header) -> list[bytes]:
        """Return the names of a request's forwarding headers that a trusted proxy is believed in."""
        return [name for name in self._believable if header(name)]

    def _behind(self, name: bytes, values: Sequence[bytes]) -> ClientAddress | None:
        """Return the client that a trusted proxy reports in the header ``name``, None if that can't be told.

        A list is read from the right, past trusted proxies: what is left of the first other address may be forged. If
        all addresses are trusted, the leftmost one is the client.
        """
        client = None
        for hop in _hops(name, values):
            reported = self._look_up(hop) if len(hop) <= MAX_ADDRESS_CHARACTERS else None
            if reported is None:
                return None
            client, is_trusted = reported
            if not is_trusted:
                break
        return client

    def _claims_to_forward(self, header: Header) -> bool:
        return any(header(name) for name in self._forwarding)

    def _has_signs(self, header: Header) -> bool:
        return any(header(name) for name in _FORWARDED_TOO)

    def _named(self, header: Header) -> tuple[str, ...]:
        """Return the addresses at the ends of the forwarding headers, where a proxy appends the client's."""
        ends = (b",".join(header(name))[-_TAIL:].decode("latin-1") for name in self._forwarding)
        texts = (text for end in ends for text in _NAMED.findall(end)[-_MAX_NAMED:])
        found = (self._look_up(text) for text in texts if len(text) <= MAX_ADDRESS_CHARACTERS)
        return tuple(
            {name: None for client, _ in filter(None, found) for name in (client.text, *client.named)}
        )

    def _report_once(self, event: Event) -> None:
        if event not in self._reported:
            self._reported.add(event)
            self._report(event)

    def _look_up_uncached(self, text: str) -> tuple[ClientAddress, bool] | None:
        """Return the address in ``text``, and whether it is a trusted proxy's; None if there is none."""
        address = parse(text)
        if address is None:
            return None
        client = describe(address)
        if self._settings.exempt and any(ip_address(client.text) in each for each in self._settings.exempt):
            client = replace(client, is_exempt=True)
        return client, self._is_trusted(address)

    def _is_trusted(self, address: IPAddress) -> bool:
        number = int(address)
        return any(number & netmask == network for network, netmask in self._trusted[address.version])


def _hops(name: bytes, values: Sequence[bytes]) -> Iterator[str]:
    """Yield the hops that a header reports, the nearest first; "" for one without an address, or that can't be read."""
    lines = [value.decode("latin-1") for value in values]
    if name not in _LISTS:
        # One address. If there are two different ones, one is forged, and nothing says which.
        yield lines[0] if len(set(lines)) == 1 else ""
        return
    left = MAX_FORWARDED
    for line in reversed(lines[-MAX_LINES:]):
        if name == b"forwarded":
            left -= len(line)
            yield from reversed(parse_forwarded(line)) if left >= 0 else [""]
        else:
            # If there are too many, the leftmost piece has several, and so is no address.
            yield from reversed(line.rsplit(",", MAX_HOPS))
    if len(lines) > MAX_LINES:
        yield ""


@lru_cache(maxsize=16)
def parse_forwarded(line: str) -> Sequence[str]:
    """Return the ``for`` of each element of a Forwarded header, "" where an element has none.

    Returns a single "" if there are too many elements, or the line violates the grammar of RFC 7239 section 4 anywhere:
    a client's open quote may have swallowed what a proxy appended.
    """
    elements: list[dict[str, str]] = [{}]
    place = 0
    while part := _PART.match(line, place):
        name, token, quoted, end = part.groups()
        if name is not None:
            if name.lower() in elements[-1]:
                break
            elements[-1][name.lower()] = token or re.sub(r"\\(.)", r"\1", quoted)
        if not end:
            return [element.get("for", "") for element in elements]
        if end == ",":
            if len(elements) == MAX_HOPS:
                break
            elements.append({})
        place = part.end()
    return [""]


def _unknown(proxy: ClientAddress, named: tuple[str, ...] = ()) -> ClientAddress:
    """Return the address of a client that can't be told from others behind ``proxy``."""
    return replace(proxy, shared=True, is_exempt=False, named=(*proxy.named, *named))


def parse(text: str) -> IPAddress | None:
    """Return the IP address in ``text``, which may have a port, brackets and a zone; None if there is none."""
    text = text.strip(" \t")
    try:
        # The usual case, tried first since ``ip_address`` takes five times as long.
        return IPv4Address(inet_pton(AF_INET, text))
    except (OSError, ValueError):
        pass
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_port(text: str) -> bool:
    return re.fullmatch(r":(?:\d{1,5}|[\w.-]+)", text, re.ASCII) is not None


def describe(address: IPAddress) -> ClientAddress:
    """Return the ``ClientAddress`` of an address: IPv6 is counted by the /64, the least that a customer gets."""
    inside = _inside(address)
    if isinstance(inside, IPv4Address):
        # The same as ``str``, which takes six times as long.
        text = inet_ntop(AF_INET, inside.packed)
        # A ban may name the IPv6 form.
        return ClientAddress(text, text, named=() if inside is address else (str(address),))
    return ClientAddress(str(address), f"{IPv6Address(int(address) >> 64 << 64)}/64")


def _inside(address: IPAddress) -> IPAddress:
    """Return the IPv4 address inside a NAT64, 6to4 or Teredo address, or ``address`` itself.

    Only a public one counts: one that looks like this machine, or its networks, is forged.
    """
    if isinstance(address, IPv4Address):
        return address
    inside = address.sixtofour
    if address.teredo is not None:
        inside = address.teredo[1]
    elif address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    return address if inside is None or not inside.is_global else inside
