"""The candidates of one open session."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import texts
from benchmarks.homes import Call
from benchmarks.script import expect


class Trickle:
    """An exchange of candidates: each side sends bursts until its ``share`` is sent, and then ``done`` is called.

    A side sends its next burst when it has got all of the other side's last one. A burst is one write, since that is
    how a busy server finds the candidates that a browser has sent within a millisecond.
    """

    __slots__ = (
        "_at_client",
        "_at_home",
        "_burst",
        "_call",
        "_done",
        "_from_client",
        "_from_home",
        "_share",
        "_text",
    )

    def __init__(self, call: Call, share: int, burst: int, done: Callable[[], None]) -> None:
        self._call = call
        self._share = share
        self._burst = burst
        self._done = done
        self._text = texts.CANDIDATE % (b"%d", call.session_id)
        self._from_client = self._from_home = 0
        self._at_home = self._at_client = 0
        call.home.calls[call.session_id] = self._home_hears
        call.client.hear = self._client_hears

    def begin(self) -> None:
        """Send each side's first burst."""
        self._client_says()
        self._home_says()

    def _client_says(self) -> None:
        if numbers := self._next_after(self._from_client):
            self._from_client = numbers[-1]
            self._call.client.say_all(self._text % number for number in numbers)

    def _home_says(self) -> None:
        if numbers := self._next_after(self._from_home):
            self._from_home = numbers[-1]
            self._call.home.say_all(self._text % -number for number in numbers)

    def _next_after(self, said: int) -> range:
        """Return the numbers of the next burst, none once the share is sent."""
        return range(said + 1, min(said + self._burst, self._share) + 1)

    def _home_hears(self, payload: bytes) -> None:
        self._at_home += 1
        expect(payload, self._text % self._at_home)
        if self._at_home == self._share == self._at_client:
            self._done()
        if self._at_home % self._burst == 0:
            self._home_says()

    def _client_hears(self, payload: bytes) -> None:
        self._at_client += 1
        expect(payload, self._text % -self._at_client)
        if self._at_client == self._share == self._at_home:
            self._done()
        if self._at_client % self._burst == 0:
            self._client_says()
