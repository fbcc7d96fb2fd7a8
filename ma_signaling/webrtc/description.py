"""Session descriptions (SDP) of a connection with one data channel, reduced to what such a connection needs.

A peer's description is never passed on as it is: the few values that matter are taken from it, and a new description is
written. So nothing else in SDP has an effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from zlib import crc32

from ma_signaling.core import remote_id
from ma_signaling.webrtc.destinations import Address

MAX_BYTES = 64 * 1024
"""The longest description that is accepted; usual ones have less than 2 KiB."""

MAX_LINES = 500
"""The most lines of a description that is accepted; usual ones have some fifty."""

MAX_CANDIDATES = 16
"""The most candidates of one peer, in its description and trickled together."""

MID = "0"
"""The ``mid`` of the only section in our own descriptions, as in browsers'."""

_CANDIDATE = re.compile(
    r"(?:a=)?candidate:[A-Za-z0-9+/]{1,32} 1 udp (\d{1,10}) ([0-9A-Fa-f.:]{2,45}) (\d{1,5}) typ (host|srflx|relay)\b.*",
    re.ASCII | re.IGNORECASE,
)
"""A candidate (RFC 8839 section 5.1): foundation, component, transport, priority, address, port, type."""

_HIDDEN = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - nothing is bound: RFC 8839 section 5.1 hides addresses so

_PATTERNS = {
    "ufrag": re.compile(r"a=ice-ufrag:([A-Za-z0-9+/]{4,256})", re.ASCII),
    "password": re.compile(r"a=ice-pwd:([A-Za-z0-9+/]{22,256})", re.ASCII),
    "mid": re.compile(r"a=mid:([A-Za-z0-9._-]{1,32})", re.ASCII),
    "setup": re.compile(r"a=setup:(active|passive|actpass)", re.ASCII),
    "sctp_port": re.compile(r"a=sctp-port:(\d{1,5})", re.ASCII),
    "max_message_size": re.compile(r"a=max-message-size:(\d{1,10})", re.ASCII),
}
_FINGERPRINT = re.compile(
    r"a=fingerprint:sha-256 +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ICE candidate for UDP."""

    address: Address
    port: int
    type: str
    """``host``, ``srflx`` or ``relay``."""
    priority: int

    @classmethod
    def parse(cls, text: str) -> Candidate | None:
        """Return the candidate in a line of SDP or a trickled message; None for TCP, host names, and invalid text."""
        match = _CANDIDATE.fullmatch(text.rstrip())
        if match is None:
            return None
        priority, address, port, type = match.groups()
        try:
            return cls(ip_address(address), int(port), type.lower(), min(int(priority), 2**31 - 1))
        except ValueError:
            return None

    def __str__(self) -> str:
        """Return the candidate as in SDP, without ``a=``, and without the related address, which is private."""
        hidden = "" if self.type == "host" else f" raddr {_HIDDEN[self.address.version]} rport 9"
        foundation = format(crc32(f"{self.type} {self.address}".encode()), "x")
        return (
            f"candidate:{foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.type}{hidden}"
        )


@dataclass(frozen=True, slots=True)
class Description:
    """The values of an offer or an answer that matter. Only SHA-256 fingerprints do, which every peer has."""

    ufrag: str
    password: str
    fingerprints: tuple[str, ...]
    """As ``AB:CD:…``, upper case; at least one."""
    setup: str
    sctp_port: int
    max_message_size: int
    candidates: tuple[Candidate, ...]
    mid: str = MID
    """The ``mid`` of the only section; an answer repeats the offer's."""

    @classmethod
    def parse(cls, sdp: str) -> Description:
        """Return the values in ``sdp``. Raises ValueError if one is missing, or given twice and differently."""
        if len(sdp) > MAX_BYTES or sdp.count("\n") >= MAX_LINES:
            raise ValueError("the description is too long")
        lines = [line.rstrip() for line in re.split(r"\r?\n", sdp)]
        if sum(line.startswith("m=") for line in lines) != 1:
            raise ValueError("the description does not have exactly one section")
        sctp_port = int(_only(lines, "sctp_port", "5000"))
        if not 1 <= sctp_port <= 65535:
            raise ValueError("the description has a port of SCTP that cannot be")
        return cls(
            ufrag=_only(lines, "ufrag"),
            password=_only(lines, "password"),
            fingerprints=_fingerprints(lines),
            setup=_only(lines, "setup"),
            sctp_port=sctp_port,
            max_message_size=int(_only(lines, "max_message_size", "65536")),
            candidates=tuple(_candidates(lines)),
            mid=_only(lines, "mid", MID),
        )

    def of_home(self, name: str) -> Description:
        """Return a copy with only the fingerprint that yields the Remote ID ``name``. Raises ValueError without one."""
        for fingerprint in self.fingerprints:
            if remote_id.from_fingerprint(fingerprint) == name:
                return replace(self, fingerprints=(fingerprint,))
        raise ValueError("the certificate is not the one of the Remote ID")

    def with_candidates(self, candidates: Iterable[Candidate]) -> Description:
        """Return a copy with these candidates."""
        return replace(self, candidates=tuple(candidates))

    def __str__(self) -> str:
        """Return the description as SDP (RFC 8866, RFC 8841)."""
        lines = [
            "v=0",
            "o=- 1 1 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {self.mid}",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{self.mid}",
            f"a=sctp-port:{self.sctp_port}",
            f"a=max-message-size:{self.max_message_size}",
            *(f"a={candidate}" for candidate in self.candidates),
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            *(f"a=fingerprint:sha-256 {fingerprint}" for fingerprint in self.fingerprints),
            f"a=setup:{self.setup}",
        ]
        return "\r\n".join([*lines, ""])


def _only(lines: Iterable[str], name: str, default: str | None = None) -> str:
    """Return the only value of ``name`` in ``lines``. Raises ValueError."""
    found = {match[1] for line in lines if (match := _PATTERNS[name].fullmatch(line))}
    if not found and default is not None:
        return default
    if len(found) != 1:
        raise ValueError(f"the description has no single value for {name}")
    return found.pop()


def _fingerprints(lines: Iterable[str]) -> tuple[str, ...]:
    found = dict.fromkeys(match[1].upper() for line in lines if (match := _FINGERPRINT.fullmatch(line)))
    if not found:
        raise ValueError("the description has no SHA-256 fingerprint")
    return tuple(found)


def _candidates(lines: Iterable[str]) -> Iterator[Candidate]:
    for line in lines:
        if line.startswith("a=candidate:") and (candidate := Candidate.parse(line)) is not None:
            yield candidate
