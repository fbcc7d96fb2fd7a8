"""A squatter that answers every ping has a Remote ID, and a home with its key comes: the whole server, with WebRTC."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from ma_signaling.testing import (
    Client,
    Home,
    Message,
    SignalingError,
    eventually,
    remote_id_from_fingerprint,
)
from tests.support.end_to_end_case import EndToEndTestCase, assert_echo
from tests.support.libdatachannel_home import LibdatachannelHome
from tests.support.server_process import ServerProcess
from tests.support.trickling_home import TricklingHome

PROCESSES = Path("/proc")
OWNER_WITHIN = 30.0
TAKEN = "Remote ID is in use by a server that is online"


class DeafSquatter(Home):
    """Answers pings, and no offer."""

    async def _accept(self, session_id: str, offer: Message) -> None: ...


class LyingSquatter(Home):
    """Answers offers with the fingerprint that the Remote ID is made of, and a certificate that is another."""

    owners_fingerprint = ""

    async def send(self, kind: str, **values: object) -> None:
        data = values.get("data")
        if kind == "answer" and isinstance(data, dict):
            own = next(
                each.value for each in self.certificate.getFingerprints() if each.algorithm == "sha-256"
            )
            values["data"] = {**data, "sdp": data["sdp"].replace(own, self.owners_fingerprint)}
        await super().send(kind, **values)


async def claim(owner: Home | TricklingHome) -> None:
    """Connect and register, and wait for as long as a contest takes."""
    await owner.open()
    await owner.send("register-server", remoteId=owner.remote_id, iceServers=[])
    await owner.answer("registered", within=OWNER_WITHIN)


class SquatterTests(EndToEndTestCase):
    """The owner gets its Remote ID, and its clients reach it."""

    options = ("--proof-networks", "127.0.0.1/32")

    def displace(self, kind: type[Home]) -> None:
        """Have the owner displace a squatter of some kind."""

        async def scenario(server: ServerProcess) -> None:
            owner = Home(server.url)
            async with kind(server.url, remote_id=owner.remote_id) as squatter, owner:
                if isinstance(squatter, LyingSquatter):
                    squatter.owners_fingerprint = next(
                        each.value
                        for each in owner.certificate.getFingerprints()
                        if each.algorithm == "sha-256"
                    )
                await squatter.start()
                await claim(owner)
                await eventually(
                    lambda: squatter.close_code == 1013, "the squatter closed, to try again later"
                )
                # Both were asked in a session, before the owner was registered; neither keeps it.
                await eventually(lambda: not owner.sessions and not squatter.sessions, "no session left")
                for home in (owner, squatter):
                    assert len(home.heard("client-connected")) == 1
                    assert not home.errors, home.errors
                async with Client(server.url, owner.remote_id, use_ice_servers=False) as client:
                    await client.connect()
                    await assert_echo("hello", client)

        self.play(scenario)

    def test_with_a_certificate_of_its_own(self) -> None:
        self.displace(Home)

    def test_that_shows_the_owners_fingerprint(self) -> None:
        self.displace(LyingSquatter)

    def test_by_a_home_on_libdatachannel(self) -> None:
        async def scenario(server: ServerProcess) -> None:
            async with LibdatachannelHome() as home:
                owner = TricklingHome(server.url, home, remote_id_from_fingerprint(home.fingerprint))
                async with Home(server.url, remote_id=owner.remote_id) as squatter, owner:
                    await squatter.start()
                    await claim(owner)
                    await eventually(lambda: squatter.close_code == 1013, "the squatter closed")
                    assert home.channels == []
                    assert not owner.errors, owner.errors

        self.play(scenario)

    def test_the_owner_stays(self) -> None:
        """It proves itself as well, and whoever comes is refused unasked."""

        async def scenario(server: ServerProcess) -> None:
            async with Home(server.url) as owner, Home(server.url, remote_id=owner.remote_id) as stranger:
                await owner.start()
                with self.assertRaises(SignalingError) as refused:
                    await claim(stranger)
                assert str(refused.exception) == TAKEN
                await eventually(lambda: stranger.close_code == 1013, "the stranger closed")
                assert not stranger.heard("client-connected")
                assert owner.close_code is None
                async with Client(server.url, owner.remote_id, use_ice_servers=False) as client:
                    await client.connect()
                    await assert_echo("hello", client)

        self.play(scenario)


class WithoutProofTests(EndToEndTestCase):
    """Where no proof can be had, who lives stays."""

    options = ("--proof", "off")

    def test_the_squatter_stays(self) -> None:
        async def scenario(server: ServerProcess) -> None:
            async with Home(server.url) as owner, Home(server.url, remote_id=owner.remote_id) as squatter:
                await squatter.start()
                with self.assertRaises(SignalingError) as refused:
                    await claim(owner)
                assert str(refused.exception) == TAKEN
                assert squatter.close_code is None
                assert not squatter.heard("client-connected")

        self.play(scenario)


class OrphanTests(EndToEndTestCase):
    """The process that asks for proofs doesn't outlive the server."""

    options = SquatterTests.options

    def test_however_the_server_ends(self) -> None:
        for end in (signal.SIGTERM, signal.SIGKILL):

            async def scenario(server: ServerProcess, end: signal.Signals = end) -> None:
                async with (
                    Home(server.url) as owner,
                    DeafSquatter(server.url, remote_id=owner.remote_id) as squatter,
                ):
                    await squatter.start()
                    await owner.open()
                    await owner.send("register-server", remoteId=owner.remote_id)
                    (child,) = await eventually(
                        lambda: children_of(server.pid), "a process that asks for proofs"
                    )
                    await squatter.answer("offer")
                    await asyncio.to_thread(server.stop, end)
                    await eventually(lambda: not (PROCESSES / child).exists(), "its end")

            self.play(scenario)


def children_of(pid: int) -> list[str]:
    """Return the process ids of a process's children."""
    return (PROCESSES / str(pid) / "task" / str(pid) / "children").read_text().split()
