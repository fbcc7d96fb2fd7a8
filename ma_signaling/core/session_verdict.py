"""The verdict on a session's trace, and the trace in JSON."""

from __future__ import annotations

from typing import Any

from ma_signaling.core.candidate_counts import named
from ma_signaling.core.session_trace import End, SessionTrace, Side

VERDICTS = {
    "waiting": "The session was announced to the home, which has not answered yet.",
    "home-away": "The home's connection to this server is broken; the session waits for its return.",
    "home-did-not-return": "The home's connection to this server broke, and it did not return in time: look at the "
    "home's internet connection.",
    "home-left": "The home ended its connection to this server, as it does when it is stopped or restarted.",
    "home-busy": "The home has as many sessions as it may have, and this one was closed for another.",
    "server-stopped": "This server was stopped or restarted: try again in half a minute.",
    "client-gave-up": "The client left before the home had answered.",
    "no-offer": "The client was sent connected, but has not sent an offer.",
    "home-silent": "The home is connected, but has sent nothing: turn its Remote Access off and on again.",
    "no-answer": "The home was ready and got the client's offer, but has not answered it: look at the home's log.",
    "no-client-candidates": "The client has offered no address to connect to: something on its side, such as a VPN or "
    "a browser extension, blocks WebRTC.",
    "no-home-candidates": "The home has offered no address to connect to: look at its network and its firewall.",
    "only-local": "Both sides have exchanged addresses of their own networks only, so this works within one network: "
    "elsewhere, see why the STUN servers cannot be reached.",
    "no-relay": "Both sides have exchanged all they need. Neither offered a relay (TURN): if they cannot connect, both "
    "networks use a NAT that changes ports.",
    "negotiated": "Both sides have exchanged all they need, a relay included; the rest happens between them.",
}
"""The sentence for people, by the code for programs. Codes never change."""


def verdict(trace: SessionTrace) -> tuple[str, str]:
    """Return the code and the sentence for a session, as far as this server can tell: it never sees the call itself."""
    code = _before_answer(trace) if trace.home.described_at is None else _after_answer(trace)
    return code, VERDICTS[code]


def _before_answer(trace: SessionTrace) -> str:
    if trace.home_is_away:
        return "home-away" if trace.end is None else "home-did-not-return"
    if trace.end is not None:
        by_end = {
            End.HOME_LEFT: "home-left",
            End.HOME_LOST: "home-did-not-return",
            End.PARK_EXPIRED: "home-did-not-return",
            End.CROWDED_OUT: "home-busy",
            End.SERVER_STOPPED: "server-stopped",
        }
        if trace.end in by_end:
            return by_end[trace.end]
        if trace.connected_at is None:
            return "client-gave-up"
    if trace.connected_at is None:
        return "waiting"
    if trace.client.described_at is None:
        return "no-offer"
    return "no-answer" if trace.is_ready else "home-silent"


def _after_answer(trace: SessionTrace) -> str:
    client, home = trace.client, trace.home
    if not client.has_any():
        return "no-client-candidates"
    if not home.has_any():
        return "no-home-candidates"
    if client.has("relay") or home.has("relay"):
        return "negotiated"
    return "no-relay" if client.has("srflx") or home.has("srflx") else "only-local"


def describe(trace: SessionTrace, now: float) -> dict[str, Any]:
    """Return a trace in JSON's types, as in docs/protocol.md; times are whole milliseconds since the request."""

    def since(at: float | None) -> int | None:
        return None if at is None else round(1000 * (at - trace.requested_at))

    def side(side: Side, description: str) -> dict[str, Any]:
        return _without_none(
            {
                description: since(side.described_at),
                "firstCandidate": since(side.first_candidate_at),
                "lastCandidate": since(side.last_candidate_at),
                "trickled": named(side.trickled),
                "inSdp": named(side.in_sdp),
            }
        )

    code, text = verdict(trace)
    return _without_none(
        {
            "age": since(now),
            "announced": since(trace.announced_at),
            "connected": since(trace.connected_at),
            "ready": trace.is_ready if trace.connected_at is not None else None,
            "homeLost": since(trace.home_lost_at),
            "homeReturned": since(trace.home_returned_at),
            "ended": since(trace.ended_at),
            "endedBy": trace.end.by if trace.end else None,
            "end": trace.end,
            "client": side(trace.client, "offer"),
            "home": side(trace.home, "answer"),
            "verdict": {"code": code, "text": text},
        }
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
