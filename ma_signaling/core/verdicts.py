"""What a session's story comes down to: a code for programs, which stays, and a sentence for people."""

from __future__ import annotations

from ma_signaling.core.trace import End, Story

VERDICTS = {
    "waiting": "The home has been told, and has not answered yet.",
    "home-away": "The home's connection to this server is broken; the session waits for its return.",
    "home-did-not-return": "The home's connection to this server broke, and it did not return in time: look at the "
    "home's internet connection.",
    "home-left": "The home ended its connection to this server, as it does when it is stopped or restarted.",
    "home-busy": "The home has as many sessions as it may have, and this one made way for another.",
    "server-stopped": "This server was stopped or restarted: try again in half a minute.",
    "client-gave-up": "The client left before the home had answered.",
    "no-offer": "The client was told to go ahead, and has not sent an offer.",
    "home-silent": "The home has said nothing at all, although its connection stands: restart its remote access.",
    "no-answer": "The home was ready, got the client's offer, and has not answered it: look at the home's log.",
    "no-client-candidates": "The client has offered no address to connect to: something on its side, such as a VPN or "
    "a browser extension, blocks WebRTC.",
    "no-home-candidates": "The home has offered no address to connect to: look at its network and its firewall.",
    "only-local": "Both sides have exchanged addresses of their own networks only, so this works within one network: "
    "elsewhere, see why the STUN servers cannot be reached.",
    "no-relay": "Both sides have exchanged all they need. Neither offered a relay (TURN): if they cannot connect, both "
    "networks hide their ports.",
    "negotiated": "Both sides have exchanged all they need, a relay included; what follows goes between them.",
}
"""By code: the sentence."""


def verdict(story: Story) -> tuple[str, str]:
    """The code and the sentence for a session, as far as this server can see: it never sees the call itself."""
    code = _before_answer(story) if story.home.described_at is None else _after_answer(story)
    return code, VERDICTS[code]


def _before_answer(story: Story) -> str:
    if story.home_is_away:
        return "home-away" if story.end is None else "home-did-not-return"
    if story.end is not None:
        by_end = {
            End.HOME_LEFT: "home-left",
            End.HOME_LOST: "home-did-not-return",
            End.PARK_EXPIRED: "home-did-not-return",
            End.CROWDED_OUT: "home-busy",
            End.SERVER_STOPPED: "server-stopped",
        }
        if story.end in by_end:
            return by_end[story.end]
        if story.connected_at is None:
            return "client-gave-up"
    if story.connected_at is None:
        return "waiting"
    if story.client.described_at is None:
        return "no-offer"
    return "no-answer" if story.is_ready else "home-silent"


def _after_answer(story: Story) -> str:
    client, home = story.client, story.home
    if not client.has_any():
        return "no-client-candidates"
    if not home.has_any():
        return "no-home-candidates"
    if client.has("relay") or home.has("relay"):
        return "negotiated"
    return "no-relay" if client.has("srflx") or home.has("srflx") else "only-local"
