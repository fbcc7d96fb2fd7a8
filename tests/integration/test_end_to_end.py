"""Real WebRTC peers meet through the real server: ICE, DTLS and a data channel, all on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

from ma_signaling.testing import (
    Client,
    FingerprintError,
    Home,
    eventually,
    remote_id_of,
)
from tests.support.end_to_end_case import EndToEndTestCase, assert_echo, assert_undisturbed, session_ids
from tests.support.server_process import ServerProcess

UNREACHABLE: list[dict[str, Any]] = [
    {"urls": ["stun:127.0.0.1:9"]},
    {"urls": "turn:127.0.0.1:9", "username": "ünï", "credential": "c"},
]


class MeetingTests(EndToEndTestCase):
    """A home and its clients, with nothing in their way."""

    def test_home_and_client_talk(self) -> None:
        """ICE and DTLS complete, the fingerprint is the pinned one, and messages go both ways."""

        async def scenario(server: ServerProcess) -> None:
            async with (
                Home(server.url, ice_servers=UNREACHABLE) as home,
                Client(server.url, home.remote_id.lower(), use_ice_servers=False) as client,
            ):
                await home.start()
                await client.connect()
                await assert_echo("hello", client)
                await assert_echo("ünïcödé 🎵", client)
                assert client.connected["iceServers"] == UNREACHABLE, client.connected
                assert session_ids(home, "offer") == [client.session_id], home.received
                assert set(session_ids(home, "ice-candidate")) == {client.session_id}, home.received
                assert_undisturbed(home, client)

        self.play(scenario)

    def test_two_clients_at_once(self) -> None:
        """Two sessions through one home don't mix, and the end of one is not the end of the other."""

        async def scenario(server: ServerProcess) -> None:
            async with (
                Home(server.url) as home,
                Client(server.url, home.remote_id) as stays,
                Client(server.url, home.remote_id) as leaves,
            ):
                await home.start()
                await asyncio.gather(stays.connect(), leaves.connect())
                await asyncio.gather(assert_echo("one", stays), assert_echo("two", leaves))
                assert stays.session_id != leaves.session_id

                await leaves.stop()
                gone = await eventually(lambda: session_ids(home, "client-disconnected"), "a goodbye")
                assert gone == [leaves.session_id], gone
                await assert_echo("still there?", stays)
                assert_undisturbed(home, stays, leaves)

        self.play(scenario)


class LossTests(EndToEndTestCase):
    """The home's signaling connection breaks without a goodbye, and comes back."""

    def test_home_comes_back(self) -> None:
        """The call outlives the loss, unheard; who asked meanwhile is served, and so is who asks later."""

        async def scenario(server: ServerProcess) -> None:
            async with (
                Home(server.url) as home,
                Client(server.url, home.remote_id) as first,
                Client(server.url, home.remote_id) as patient,
                Client(server.url, home.remote_id) as later,
            ):
                await home.start()
                await first.connect()
                await assert_echo("hello", first)
                heard_before = len(first.received)
                trickled_before = len(home.heard("ice-candidate"))

                await home.cut()
                await self.offline(server, home)
                await assert_echo("on our own?", first)
                await first.trickle()
                await self.ask_for_home(patient)
                assert {message["type"] for message in patient.received} <= {"pong", "ping"}, patient.received

                await home.reconnect()
                await patient.meet()
                await later.connect()
                await assert_echo("and now?", first, patient, later)

                held = session_ids(home, "ice-candidate")[trickled_before:]
                assert held[:1] == [first.session_id], home.received
                announced = session_ids(home, "client-connected")
                assert announced == [first.session_id, patient.session_id, later.session_id], home.received
                assert not home.heard("client-disconnected"), home.received
                news = first.received[heard_before:]
                assert {message["type"] for message in news} <= {"ping"}, news
                assert_undisturbed(home, first, patient, later)

        self.play(scenario)

    async def offline(self, server: ServerProcess, home: Home) -> None:
        """Wait until the server knows that the home is away, without using up its budget for lookups."""
        path = f"/api/check/{home.remote_id}"
        await eventually(lambda: not server.get(path)["online"], "a home that counts as offline", every=0.2)

    async def ask_for_home(self, client: Client) -> None:
        """Send a connect-request, and return once the server has read it."""
        await client.request()
        await client.send("ping")
        await client.answer("pong")


class RestartTests(EndToEndTestCase):
    """The server itself goes and comes back."""

    def test_call_outlives_the_server(self) -> None:
        """Both sides hear 1012 and no word of each other; the call goes on, and a new client connects after."""

        async def scenario(server: ServerProcess) -> None:
            async with (
                Home(server.url) as home,
                Client(server.url, home.remote_id) as first,
                Client(server.url, home.remote_id) as later,
            ):
                await home.start()
                await first.connect()
                await assert_echo("hello", first)

                status = await asyncio.to_thread(server.stop)
                assert status == 0, status
                await eventually(lambda: home.close_code and first.close_code, "a close frame")
                assert (home.close_code, first.close_code) == (1012, 1012)
                await assert_echo("on our own?", first)

                await asyncio.to_thread(server.start)
                await home.reconnect()
                await assert_echo("still there?", first)
                await later.connect()
                await assert_echo("and now?", first, later)

                assert not home.heard("client-disconnected"), home.received
                assert_undisturbed(home, first, later)

        self.play(scenario)


class ImpostorTests(EndToEndTestCase):
    """A home that claims a Remote ID without the certificate it stands for."""

    def test_other_certificate_is_detected(self) -> None:
        """The client sees the wrong fingerprint in the answer, and no call comes about."""

        async def scenario(server: ServerProcess) -> None:
            genuine = Home(server.url)
            async with (
                Home(server.url, remote_id=genuine.remote_id) as impostor,
                Client(server.url, genuine.remote_id) as client,
            ):
                await impostor.start()
                try:
                    await client.connect()
                except FingerprintError as error:
                    assert remote_id_of(impostor.certificate) in str(error), error
                else:
                    raise AssertionError("the impostor went unnoticed")
                assert client.channel.readyState != "open"
                assert_undisturbed(impostor, client)

        self.play(scenario)
