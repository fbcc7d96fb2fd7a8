"""Homes and their calls: they arrive, open sessions and leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from benchmarks import texts
from benchmarks.loop import Unexpected
from benchmarks.script import AT_ONCE, Hear, Script, expect, expect_message, side_by_side
from benchmarks.websocket import GONE, OPENED, TEXT_FRAME, Peer, Place, frame


class Home(Peer):
    """A home. It answers each client-connected with session-ready, and passes other messages to their session's script.

    ``calls`` has the receiver of each session's messages, by session ID.
    """

    HEAD = texts.HOME_HEAD

    __slots__ = ("_register", "calls", "remote_id")

    def __init__(self) -> None:
        super().__init__()
        self.remote_id = texts.remote_id()
        self.calls: dict[bytes, Hear] = {}
        self._register = frame(TEXT_FRAME, texts.REGISTER % self.remote_id.encode())

    def arrive(self, place: Place, hear: Hear) -> Script:
        """Connect and register."""
        self.hear = hear
        self.connect(place)
        expect((yield), OPENED)
        self.write(self._register)
        if expect_message((yield), "registered")["remoteId"] != self.remote_id:
            raise Unexpected("registered as another one")
        self.hear = self._serve

    def _serve(self, payload: bytes) -> None:
        # All servers write "sessionId" last, so no JSON need be parsed here.
        hear = self.calls.get(payload[-34:-2])
        if hear is not None:
            hear(payload)
        elif payload.startswith(b'{"type":"client-connected"'):
            self.say(texts.SESSION_READY % payload[-34:-2])
        elif not payload.startswith(b'{"type":"client-disconnected"'):
            raise Unexpected(f"a home heard {payload[:200]!r}")


class Call:
    """A session: a client and its home, from the request to the goodbye."""

    def __init__(self, place: Place, home: Home) -> None:
        self.home = home
        self.client = Peer()
        self.session_id = b""
        self._place = place
        self._request = frame(TEXT_FRAME, texts.CONNECT_REQUEST % home.remote_id.encode())

    def open(self, hear: Hear) -> Script:
        """Connect the client, request the session and wait for ``connected``."""
        self.client.hear = hear
        self.client.connect(self._place)
        expect((yield), OPENED)
        self.client.write(self._request)
        connected = expect_message((yield), "connected")
        if connected["remoteId"] != self.home.remote_id or connected["iceServers"] != texts.ICE_SERVERS:
            raise Unexpected(f"connected with {connected}")
        self.session_id = connected["sessionId"].encode()

    def whole(self, hear: Hear, bursts: Sequence[int] = ()) -> Script:
        """Open the session, exchange offer and answer, let the client leave, and check that the home is told.

        ``bursts``: the sizes of the bursts of candidates that each side sends before the client leaves.
        """
        yield from self.open(hear)
        self.home.calls[self.session_id] = hear
        offer = texts.OFFER % self.session_id
        self.client.say(offer)
        expect((yield), offer)
        answer = texts.ANSWER % self.session_id
        self.home.say(answer)
        expect((yield), answer)
        for burst in bursts:
            yield from self._exchange(burst)
        self.client.say_goodbye()
        told = texts.CLIENT_DISCONNECTED % self.session_id
        if {(yield), (yield)} != {told, GONE}:
            raise Unexpected("a goodbye was not passed on")
        del self.home.calls[self.session_id]

    def _exchange(self, burst: int) -> Script:
        """Exchange a burst of candidates of each side, both at the same time."""
        text = texts.CANDIDATE % (b"%d", self.session_id)
        sent = [[text % (sign * number) for number in range(1, burst + 1)] for sign in (1, -1)]
        self.client.say_all(sent[0])
        self.home.say_all(sent[1])
        for _ in range(2 * burst):
            heard = yield
            (due,) = [side for side in sent if side and side[0] == heard] or [[b"a candidate"]]
            expect(heard, due.pop(0))


def leave(peer: Peer, hear: Hear) -> Script:
    """Say goodbye and wait until TCP has ended, ignoring all messages."""
    peer.hear = hear
    peer.say_goodbye()
    while (yield) != GONE:
        pass


def all_arrive(place: Place, homes: Iterable[Home], at_once: int = AT_ONCE) -> None:
    """Connect and register all homes, ``at_once`` at any time."""
    side_by_side(place.loop, (partial(home.arrive, place) for home in homes), at_once)


def all_leave(place: Place, peers: Sequence[Peer]) -> None:
    """Let all peers say goodbye and leave."""
    side_by_side(place.loop, (partial(leave, peer) for peer in peers))


def open_calls(place: Place, homes: Iterable[Home], each: int) -> list[Call]:
    """Open ``each`` sessions with every home."""
    calls = [Call(place, home) for home in homes for _ in range(each)]
    side_by_side(place.loop, (call.open for call in calls))
    return calls
