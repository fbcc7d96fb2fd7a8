"""STUN servers and relays of our own: what is added, to whom, and that a real relay takes it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from hmac import digest
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_hub import FakePeer, World

RELAY = ("turn:relay.example.org:3478", "turns:relay.example.org:5349")
STUN = ("stun:stun.example.org:3478",)
OWN = [{"urls": "stun:home.example.org:3478"}, {"urls": ["turn:home.example.org"], "username": "u"}]


def given(peer: FakePeer) -> Any:
    """The ICE servers of the last `connected`."""
    return peer.heard_of("connected")[-1].get("iceServers")


class ListTest(SynchronousTestCase):
    """What a client is told."""

    def _connect(self, world: World, home: FakePeer, address: str = "198.51.100.1", **ready: Any) -> FakePeer:
        client = world.client(text=address)
        session_id = home.heard_of("client-connected")[-1]["sessionId"]
        home.say("session-ready", sessionId=session_id, **ready)
        return client

    def test_nothing_unless_wanted(self) -> None:
        world = World()
        home = world.home()
        self.assertIsNone(given(self._connect(world, home)))
        self.assertEqual(given(self._connect(world, home, iceServers=OWN)), OWN)

    def test_relay_comes_after_the_homes_own(self) -> None:
        world = World(turn_urls=RELAY)
        home = world.home()
        client = self._connect(world, home, iceServers=OWN)
        *own, relay = given(client)
        self.assertEqual(own, OWN)
        self.assertEqual(relay["urls"], list(RELAY))
        expiry, _, name = relay["username"].partition(":")
        self.assertEqual(int(expiry), world.wall() + 3600)
        session = client.heard_of("connected")[-1]["sessionId"]
        self.assertFalse(set(name) - set("0123456789abcdef") or name in session)
        expected = b64encode(digest(world.TURN_SECRET, relay["username"].encode(), sha1)).decode()
        self.assertEqual(relay["credential"], expected)
        self.assertEqual(relay.keys(), {"urls", "username", "credential"})

    def test_no_name_twice(self) -> None:
        world = World(turn_urls=RELAY)
        home = world.home()
        names = [given(self._connect(world, home))[-1]["username"] for _ in range(5)]
        self.assertEqual(len(set(names)), 5)

    def test_relay_alone_or_in_an_empty_list(self) -> None:
        world = World(turn_urls=RELAY)
        home = world.home()
        choices: list[dict[str, Any]] = [{}, {"iceServers": []}]
        for ready in choices:
            self.assertEqual(len(given(self._connect(world, home, **ready))), 1)

    def test_only_what_the_home_has_accepted(self) -> None:
        world = World(turn_urls=RELAY)
        world.home(iceServers=OWN)
        client = world.client()
        world.advance(10)
        self.assertEqual(given(client), OWN)

    def test_stun_where_none_is_named(self) -> None:
        world = World(stun_urls=STUN)
        home = world.home()
        self.assertEqual(given(self._connect(world, home)), [{"urls": list(STUN)}])
        self.assertEqual(given(self._connect(world, home, iceServers=OWN)), OWN)
        self.assertEqual(
            given(self._connect(world, home, iceServers=OWN[1:])), [OWN[1], {"urls": list(STUN)}]
        )
        for odd in ([1, None, "stun:"], [{"urls": 5}], [{"urls": [None]}]):
            self.assertEqual(given(self._connect(world, home, iceServers=odd)), [*odd, {"urls": list(STUN)}])

    def test_both_for_a_home_that_never_says_ready(self) -> None:
        world = World(stun_urls=STUN, turn_urls=RELAY)
        world.home()
        client = world.client()
        world.advance(10)
        self.assertEqual(given(client), [{"urls": list(STUN)}])

    def _relays(self, world: World, homes: list[FakePeer], addresses: list[str]) -> int:
        return sum(
            given(self._connect(world, home, address)) is not None
            for home, address in zip(homes, addresses, strict=True)
        )

    def test_quota_of_a_home(self) -> None:
        """One address may have all of it; others still get their shares."""
        world = World(turn_urls=RELAY, turn_per_home=4)
        home = world.home()
        stranger, guest = "198.51.100.1", "203.0.113.1"
        self.assertEqual(self._relays(world, [home] * 6, [stranger] * 6), 4)
        self.assertEqual(world.reported().count(Event.RELAY_OFFERED), 4)
        self.assertEqual(world.reported().count(Event.LIMIT_HIT), 2)
        self.assertEqual(self._relays(world, [home] * 3, [guest] * 3), 2)
        world.advance(3599)
        self.assertEqual(self._relays(world, [home], [stranger]), 0)
        world.advance(1)
        self.assertEqual(self._relays(world, [home], [stranger]), 1)

    def test_quota_of_an_address(self) -> None:
        world = World(turn_urls=RELAY, turn_per_address=2)
        homes = [world.home(text=f"192.0.2.{n}", remote_id=f"HOME{n}") for n in range(4)]
        given_to = []
        for n, home in enumerate(homes):
            client = world.client(f"HOME{n}")
            home.say("session-ready", sessionId=home.heard_of("client-connected")[-1]["sessionId"])
            given_to.append(given(client) is not None)
        self.assertEqual(given_to, [True, True, False, False])

    def test_quota_of_blocks(self) -> None:
        """Below its share in all, a block shares what it has between the blocks within it, down to the /64."""
        for own, sibling in (
            ([f"2001:db8:1:{number:x}::1" for number in range(3)], "2001:db8:1:100::1"),
            ([f"2001:db8:1:1::{number}" for number in range(3)], "2001:db8:1:2::1"),
        ):
            world = World(turn_urls=RELAY, turn_total=12)
            home = world.home()
            crowd = ["192.0.2.1"] * 9 + ["192.0.2.2"]
            self.assertEqual(self._relays(world, [home] * 10, crowd), 10)
            self.assertEqual(self._relays(world, [home] * 2, own[:2]), 2)
            self.assertEqual(self._relays(world, [home], [sibling]), 1)
            self.assertEqual(self._relays(world, [home], own[2:]), 0)
            self.assertEqual(self._relays(world, [home], [sibling]), 1)

    def test_quota_in_all(self) -> None:
        """A block of addresses may have all of it; an address elsewhere is served once, whoever has asked."""
        world = World(turn_urls=RELAY, turn_total=4)
        home = world.home()
        block = [f"2001:db8:1:{number}00::1" for number in range(6)]
        self.assertEqual(self._relays(world, [home] * 6, block), 4)
        self.assertEqual(self._relays(world, [home] * 2, ["192.0.2.1", "2001:db8:2::1"]), 2)
