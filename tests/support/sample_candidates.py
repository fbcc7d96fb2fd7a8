"""Candidates and descriptions as peers write them."""

from __future__ import annotations

ADDRESS = "203.0.113.77"
HOST = f"candidate:1 1 udp 2122260223 {ADDRESS} 46154 typ host generation 0"
HOST_MDNS = "candidate:1 1 udp 2122260223 0f2b1c5e-9d9b-4b0e-8d0e-0123456789ab.local 46154 typ host"
HOST_TCP = "candidate:1 1 tcp 1518280447 2001:db8::7 9 typ host tcptype active"
SRFLX = f"candidate:2 1 UDP 1677729535 {ADDRESS} 46154 typ srflx raddr 192.168.1.5 rport 46154"
RELAY = f"candidate:3 1 udp 41885439 {ADDRESS} 50000 typ relay raddr {ADDRESS} rport 46154"
PRFLX = "candidate:4 1 udp 41885439 2001:db8::7 50000 typ prflx raddr 2001:db8::1 rport 1"


def sdp(*candidates: str) -> dict[str, str]:
    """Return a description with these candidates."""
    lines = [
        "v=0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        *(f"a={each}" for each in candidates),
        "",
    ]
    return {"type": "offer", "sdp": "\r\n".join(lines)}
