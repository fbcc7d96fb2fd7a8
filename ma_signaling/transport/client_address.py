"""Who is the client: the socket's neighbour, or whom a trusted proxy reports. Decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from ma_signaling.config.settings import Settings
from ma_signaling.core.events import Event, Report
from ma_signaling.core.peer import ClientAddress

LOCAL = "127.0.0.1"
"""What a neighbour on a Unix socket counts as."""

LONGEST_ADDRESS = 100
"""What is longer is garbage: not worth the memory for remembering that."""

IPAddress = IPv4Address | IPv6Address
Header = Callable[[bytes], Sequence[bytes]]
"""Every value of a request header, given its lower-case name."""

LONGEST_LIST = 2048
"""How much of a list of hops is read: more than proxies in a row ever write."""

_LISTS = (b"x-forwarded-for", b"forwarded")

_FORWARDING = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip")


class ClientAddresses:
    """Finds the client of each request."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._has_warned = False
        self.reconfigure()

    def reconfigure(self) -> None:
        """The settings have changed."""
        self._look_up = lru_cache(maxsize=1024)(self._look_up_anew)
        self._local = ClientAddress(LOCAL, LOCAL), self._is_trusted(IPv4Address(LOCAL))

    def of(self, neighbour: str | None, header: Header) -> ClientAddress:
        """The client behind ``neighbour`` (an IP address as text, or None on a Unix socket).

        A list of addresses is read from the right, skipping trusted proxies: what stands left of the first untrusted
        one, or of garbage, may be anybody's invention.
        """
        address, is_trusted = self._look_up(neighbour or LOCAL) or self._local
        named = self._named_header()
        names = [name for name in ([named] if named else _LISTS) if is_trusted and header(name)]
        if not names:
            # A stranger, or a proxy that speaks for many by a header which isn't believed.
            return _shared(address) if self._claims_to_forward(header) else address
        found = [self._behind(address, _hops(name, header(name))) for name in names]
        # A proxy that writes one of the two may pass the other on as a client wrote it.
        return found[0] if all(each == found[0] for each in found) else _shared(found[0])

    def _behind(self, address: ClientAddress, hops: Sequence[str]) -> ClientAddress:
        """The client behind a trusted proxy's ``address``, by those whom it has reported, the nearest last."""
        for hop in reversed(hops):
            reported = self._look_up(hop) if len(hop) <= LONGEST_ADDRESS else None
            if reported is None:
                # It does not say who it is, so everybody may look like this.
                return _shared(address)
            address, is_trusted = reported
            if not is_trusted:
                break
        return address

    def neighbour_key(self, neighbour: str | None) -> str | None:
        """What sockets of ``neighbour`` count by before they have said whom they speak for; None for a trusted one."""
        address, is_trusted = self._look_up(neighbour or LOCAL) or self._local
        return None if is_trusted else address.key

    def _claims_to_forward(self, header: Header) -> bool:
        """Whether a neighbour speaks for others by what isn't believed: then everybody behind it looks the same."""
        if not any(header(name) for name in {*_FORWARDING, self._named_header()} - {b""}):
            return False
        if not self._has_warned:
            self._has_warned = True
            self._report(Event.FORWARDING_IGNORED)
        return True

    def _look_up_anew(self, text: str) -> tuple[ClientAddress, bool] | None:
        """The address in ``text``, and whether it is a trusted proxy's; None where there is none."""
        address = parse(text)
        return None if address is None else (describe(address), self._is_trusted(address))

    def _named_header(self) -> bytes:
        return self._settings.client_ip_header.lower().encode()

    def _is_trusted(self, address: IPAddress) -> bool:
        return any(address in network for network in self._settings.trusted_proxies)


def _hops(name: bytes, values: Sequence[bytes]) -> Sequence[str]:
    """Whom a header's values report, the nearest last; of a very long one, its end."""
    lines = [line[-LONGEST_LIST:].decode("latin-1") for line in values]
    if name == b"x-forwarded-for":
        return [hop for line in lines for hop in line.split(",")]
    if name == b"forwarded":
        return [_forwarded_for(element) for line in lines for element in _split(line, ",")]
    # A header of one address: a second line can only be a forgery, and the proxy's own is the last.
    return lines[-1:]


def _shared(address: ClientAddress) -> ClientAddress:
    return ClientAddress(address.text, address.key, shared=True)


def parse(text: str) -> IPAddress | None:
    """The IP address in ``text``, whose port, brackets and zone are ignored; None where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def describe(address: IPAddress) -> ClientAddress:
    """IPv6 counts by the /64: that is what one customer gets, and more than any table could remember."""
    text = str(address)
    key = text if isinstance(address, IPv4Address) else f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return ClientAddress(text, key)


def _forwarded_for(element: str) -> str:
    """The ``for`` of one element of a Forwarded header (RFC 7239 section 4), empty where there is none."""
    for pair in _split(element, ";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value.strip().strip('"')
    return ""


def _split(text: str, separator: str) -> Iterable[str]:
    """Split at separators outside of quotes; a quote that never ends takes the rest."""
    part, quoted = "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        if character == separator and not quoted:
            yield part
            part = ""
        else:
            part += character
    yield part
