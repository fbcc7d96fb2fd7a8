"""The candidates of one open session."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import texts
from benchmarks.homes import Call
from benchmarks.script import expect


class Trickle:
    """Whoever gets a candidate sends the next, until each side has sent its share; each side begins with one."""

    __slots__ = ("_at_client", "_at_home", "_call", "_done", "_from_client", "_from_home", "_share", "_text")

    def __init__(self, call: Call, share: int, done: Callable[[], None]) -> None:
        self._call = call
        self._share = share
        self._done = done
        self._text = texts.CANDIDATE % (b"%d", call.session_id)
        self._from_client = self._from_home = 0
        self._at_home = self._at_client = 0
        call.home.calls[call.session_id] = self._home_hears
        call.client.hear = self._client_hears

    def begin(self) -> None:
        """Send each side's first."""
        self._client_says()
        self._home_says()

    def _client_says(self) -> None:
        if self._from_client < self._share:
            self._from_client += 1
            self._call.client.say(self._text % self._from_client)

    def _home_says(self) -> None:
        if self._from_home < self._share:
            self._from_home += 1
            self._call.home.say(self._text % -self._from_home)

    def _home_hears(self, payload: bytes) -> None:
        self._at_home += 1
        expect(payload, self._text % self._at_home)
        if self._at_home == self._share == self._at_client:
            self._done()
        self._home_says()

    def _client_hears(self, payload: bytes) -> None:
        self._at_client += 1
        expect(payload, self._text % -self._at_client)
        if self._at_client == self._share == self._at_home:
            self._done()
        self._client_says()
