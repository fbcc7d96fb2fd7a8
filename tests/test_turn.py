"""STUN servers and relays of our own: what is added, to whom, and that a real relay takes it."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from hashlib import sha1
from hmac import digest
from typing import Any

import orjson
from aioice.stun import TransactionFailed
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.events import Event
from ma_signaling.core.ice_servers import IceServers
from tests.coturn import SECRET, allocate, coturn
from tests.heart import FakePeer, World
from tests.server_process import ServerProcess
from tests.webrtc_peers import Client, Home, loopback_only

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
        world = World(turn_urls=RELAY, turn_per_home=3)
        home = world.home()
        stranger, guest = "198.51.100.1", "203.0.113.1"
        self.assertEqual(self._relays(world, [home] * 5, [stranger] * 5), 3)
        self.assertEqual(world.reported().count(Event.RELAY_OFFERED), 3)
        self.assertEqual(world.reported().count(Event.LIMIT_HIT), 2)
        self.assertEqual(
            self._relays(world, [home] * 2, [guest] * 2), 1, "each address is served once an hour"
        )
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

    def test_quota_in_all(self) -> None:
        world = World(turn_urls=RELAY, turn_in_all=2)
        home = world.home()
        self.assertEqual(self._relays(world, [home] * 4, [f"198.51.100.{n}" for n in range(4)]), 2)


class StartTest(SynchronousTestCase):
    """What must be there to begin with."""

    def _refusal(self, *options: str) -> str:
        try:
            with ServerProcess(*options):
                raise AssertionError("it started")
        except RuntimeError as problem:
            return str(problem)

    def test_one_without_the_other(self) -> None:
        self.assertIn("go together, and only one of them is given", self._refusal("--turn-urls", RELAY[0]))
        self.assertIn(
            "go together, and only one of them is given", self._refusal("--turn-secret-file", "/dev/null")
        )

    def test_no_secret(self) -> None:
        self.assertIn("is empty", self._refusal("--turn-urls", RELAY[0], "--turn-secret-file", "/dev/null"))
        missing = self._refusal("--turn-urls", RELAY[0], "--turn-secret-file", "/nowhere")
        self.assertIn("/nowhere cannot be read", missing)

    def test_urls_that_are_none(self) -> None:
        self.assertIn("must be URLs such as turn:", self._refusal("--turn-urls", "https://relay.example.org"))


class RelayTest(SynchronousTestCase):
    """With real coturn."""

    def test_a_client_that_can_only_relay_reaches_its_home(self) -> None:
        async def scenario(server: ServerProcess) -> None:
            async with Home(server.url) as home:
                await home.start()
                async with Client(server.url, home.remote_id, relay_only=True) as client:
                    await client.connect()
                    assert await client.ask("hello") == "home heard: hello"
                    offered = [candidate["candidate"] for candidate in client._candidates]
                    assert offered, "no candidates"
                    assert all(" typ relay " in candidate for candidate in offered), offered
                    assert not home.errors, home.errors
                    assert not client.errors, client.errors

        with coturn() as (port, secret):
            options = (
                "--turn-urls",
                f"turn:127.0.0.1:{port}?transport=udp",
                "--turn-secret-file",
                str(secret),
            )
            with ServerProcess(*options) as server, loopback_only():

                async def bounded() -> None:
                    servers = IceServers(Settings(turn_urls=("turn:x",)), SECRET).extend(
                        None, time.time(), with_relay=True
                    )
                    await allocate(port, orjson.loads(servers or b"")[0])
                    async with asyncio.timeout(60):
                        await scenario(server)

                asyncio.run(bounded())

    def test_expired_and_forged_credentials(self) -> None:
        def credentials(secret: bytes, wall: float) -> Any:
            servers = IceServers(Settings(turn_urls=("turn:x",)), secret).extend(None, wall, with_relay=True)
            return orjson.loads(servers or b"")[0]

        async def attempts(port: int) -> None:
            good = credentials(SECRET, time.time())
            assert await allocate(port, good) == "127.0.0.1"
            later = good["username"].replace(good["username"][:10], str(int(time.time()) + 90000))
            for bad in (
                credentials(SECRET, time.time() - 7200),
                credentials(b"another secret", time.time()),
                {**good, "username": later},
            ):
                try:
                    await allocate(port, bad)
                except TransactionFailed as refused:
                    assert "401" in str(refused), refused
                else:
                    raise AssertionError(f"the relay took {bad}")

        with coturn() as (port, _):
            asyncio.run(attempts(port))
