"""The messages of homes and clients, as long as in the field, and the peers' Remote IDs and addresses."""

from __future__ import annotations

import json
from base64 import b32encode
from hashlib import sha256
from itertools import count

HOME_HEAD = (
    b"GET /ws HTTP/1.1\r\n"
    b"Host: signaling.example.net\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Accept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\n"
    b"User-Agent: Python/3.13 aiohttp/3.13.2\r\n"
    b"X-Forwarded-For: %b\r\n\r\n"
)
"""The upgrade request of Music Assistant's gateway, behind a proxy; ``%b`` is the client's address."""

CLIENT_HEAD = (
    b"GET /ws HTTP/1.1\r\n"
    b"Host: signaling.example.net\r\n"
    b"Connection: Upgrade\r\n"
    b"Pragma: no-cache\r\n"
    b"Cache-Control: no-cache\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    b"Safari/537.36\r\n"
    b"Upgrade: websocket\r\n"
    b"Origin: https://app.example.net\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-GB,en;q=0.9\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    b"X-Forwarded-For: %b\r\n\r\n"
)
"""The upgrade request of a browser; ``%b`` is the client's address."""

ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The server's answer to that key, by RFC 6455 (section 1.3)."""

ICE_SERVERS = [
    {"urls": ["stun:stun.example.net:3478", "stun:stun.example.org:3478"]},
    {
        "urls": [
            "turn:turn.example.net:3478?transport=udp",
            "turn:turn.example.net:3478?transport=tcp",
            "turns:turn.example.net:5349?transport=tcp",
        ],
        "username": "1767225600:5d41402abc4b2a76b9719d911017c592",
        "credential": "pKb1oE1cQ7mDk3vY5b6M0T2hXcE=",
    },
]
"""ICE servers like those that Music Assistant's hosted service gives to a home, and as long."""

_SDP = "\r\n".join(
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS stream",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:kR5h",
        "a=ice-pwd:7sFvz2gdLkEwjZEr3sFqXc8T",
        "a=ice-options:trickle",
        "a=fingerprint:sha-256 " + ":".join(f"{n * 7 % 256:02X}" for n in range(1, 33)),
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *(f"a=extmap:{n} urn:ietf:params:rtp-hdrext:number-{n}" for n in range(1, 9)),
        *(
            f"a=rtpmap:{n} opus/48000/2\r\na=rtcp-fb:{n} transport-cc"
            for n in (111, 63, 9, 0, 8, 13, 110, 126)
        ),
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:kR5h",
        "a=ice-pwd:7sFvz2gdLkEwjZEr3sFqXc8T",
        "a=setup:actpass",
        "a=mid:1",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]
)

_CANDIDATE = {
    "candidate": "candidate:%b 1 udp 1677729535 203.0.113.77 46154 typ srflx raddr 192.168.1.23 rport 46154 "
    "generation 0 ufrag kR5h network-cost 999",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}


def _encode(message: dict[str, object]) -> bytes:
    """Return a message as peers write it."""
    return json.dumps(message, separators=(",", ":")).encode()


def _session(message: dict[str, object]) -> bytes:
    """Return a message of a session, with ``%b`` for its ID, which comes last."""
    return _encode({**message, "sessionId": "%b"})


REGISTER = _encode({"type": "register-server", "remoteId": "%b", "iceServers": ICE_SERVERS})
"""A home's first message."""

CONNECT_REQUEST = _encode({"type": "connect-request", "remoteId": "%b"})
"""A client's first message."""

SESSION_READY = _encode({"type": "session-ready", "sessionId": "%b", "iceServers": ICE_SERVERS})
"""A home's answer to client-connected."""

OFFER = _session({"type": "offer", "data": {"type": "offer", "sdp": _SDP}})
ANSWER = _session({"type": "answer", "data": {"type": "answer", "sdp": _SDP}})
"""Some 2 KB each."""

CANDIDATE = _session({"type": "ice-candidate", "data": _CANDIDATE})
"""Some 240 bytes, with ``%b`` for a number and for the session's ID."""

PEER_DISCONNECTED = _encode({"type": "peer-disconnected"})
"""Sent to a client after its home's goodbye."""

CLIENT_DISCONNECTED = _session({"type": "client-disconnected"})
"""Sent to a home after a client's goodbye."""

_numbers = count(1)


def number() -> int:
    """Return a new number."""
    return next(_numbers)


def remote_id() -> str:
    """Return a new Remote ID, formed as real ones are."""
    digest = sha256(number().to_bytes(8, "big")).digest()
    return b32encode(digest[:16]).decode().rstrip("=").replace("2", "9")


def address() -> str:
    """Return a new client address, since limits count by address."""
    n = number()
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
