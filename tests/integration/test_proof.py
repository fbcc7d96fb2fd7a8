"""Proofs of possession by real peers: the child process on one side, homes and impostors on the other, on loopback."""

from __future__ import annotations

import asyncio
import re

import aioice

from ma_signaling.testing import (
    eventually,
    remote_id_from_fingerprint,
    split_candidates,
)
from tests.support.libdatachannel_home import LibdatachannelHome
from tests.support.proof_case import ProofTestCase, prove
from tests.support.proof_child import AskedHome, ProofChild


class HomeTest(ProofTestCase):
    """Who has the key proves it."""

    def test_a_home_proves_itself(self) -> None:
        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as home:
                assert await prove(child, home) == "proved"
                await eventually(lambda: home.peer.connectionState == "closed", "the end of the session")
                # The gateway would bridge any channel that is announced.
                assert home.channels == []

        self.play(scenario)

    def test_many_at_once(self) -> None:
        async def scenario(child: ProofChild) -> None:
            homes = [AskedHome() for _ in range(8)]
            outcomes = await asyncio.gather(*(prove(child, home) for home in homes))
            assert outcomes == ["proved"] * 8
            for home in homes:
                await home.peer.close()

        self.play(scenario)

    def test_trickled_candidates(self) -> None:
        """As homes do since 2.10: the answer comes first, without candidates, or the other way round."""

        async def scenario(child: ProofChild) -> None:
            for is_early in (False, True):
                async with AskedHome() as home:
                    number = child.ask(home.remote_id)
                    sdp, candidates = await home.trickled(await child.offer(number))
                    said: list[dict[str, object]] = [
                        {"candidate": number, "text": candidate} for candidate in candidates
                    ]
                    said.insert(len(said) if is_early else 0, {"answer": number, "sdp": sdp})
                    for message in said:
                        child.say(**message)
                    assert await child.outcome(number) == "proved"

        self.play(scenario)

    def test_each_with_another_certificate_of_ours(self) -> None:
        async def scenario(child: ProofChild) -> None:
            offers = [await child.offer(child.ask("A" * 26)) for _ in range(3)]
            for pattern in (r"a=fingerprint:sha-256 (\S+)", r"a=ice-pwd:(\S+)"):
                assert len({re.findall(pattern, offer)[0] for offer in offers}) == 3, offers

        self.play(scenario)

    def test_offers_are_complete_and_plain(self) -> None:
        """All candidates are in the offer, and no other address is."""

        async def scenario(child: ProofChild) -> None:
            offer = await child.offer(child.ask("A" * 26))
            addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:]+\b", offer.lower()))
            assert {address for address in addresses if "." in address} == {"127.0.0.1", "0.0.0.0"}
            assert len(re.findall(r"a=candidate:.* 127\.0\.0\.1 \d+ typ host", offer)) == 1, offer
            assert "a=setup:actpass" in offer

        self.play(scenario)


class LibdatachannelTest(ProofTestCase):
    """Homes since 2.10."""

    def test_a_home_proves_itself(self) -> None:
        async def scenario(child: ProofChild) -> None:
            async with LibdatachannelHome() as home:
                number = child.ask(remote_id_from_fingerprint(home.fingerprint))
                child.say(answer=number, sdp=await home.answer(await child.offer(number)))
                child.say(candidate=number, text=await home.candidates[""].get())
                assert await child.outcome(number) == "proved"
                assert home.channels == []

        self.play(scenario)

    def test_another_one_does_not(self) -> None:
        async def scenario(child: ProofChild) -> None:
            async with LibdatachannelHome() as owner, LibdatachannelHome() as impostor:
                number = child.ask(remote_id_from_fingerprint(owner.fingerprint))
                sdp = await impostor.answer(await child.offer(number))
                child.say(answer=number, sdp=sdp.replace(impostor.fingerprint, owner.fingerprint))
                assert await child.outcome(number) == "no connection"

        self.play(scenario)


class ImpostorTest(ProofTestCase):
    """Who has not the key proves nothing, whatever is said."""

    def test_another_certificate(self) -> None:
        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as owner, AskedHome() as impostor:
                assert await prove(child, impostor, owner.remote_id) == "another certificate"

        self.play(scenario)

    def test_the_owners_fingerprint_announced(self) -> None:
        """DTLS shows the certificate that the impostor really has."""

        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as owner, AskedHome() as impostor:
                number = child.ask(owner.remote_id)
                sdp = await impostor.answer(await child.offer(number))
                own, owners = (
                    next(
                        each.value
                        for each in home.certificate.getFingerprints()
                        if each.algorithm == "sha-256"
                    )
                    for home in (impostor, owner)
                )
                assert own in sdp
                child.say(answer=number, sdp=sdp.replace(own, owners))
                assert await child.outcome(number) == "no connection"

        self.play(scenario)

    def test_the_first_bytes_alone(self) -> None:
        """A fingerprint counts as a whole, not only the half that the Remote ID is made of."""

        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as home:
                number = child.ask(home.remote_id)
                sdp = await home.answer(await child.offer(number))
                fingerprint = re.findall(r"sha-256 (\S+)", sdp)[0]
                changed = fingerprint[:-2] + ("00" if fingerprint[-2:] != "00" else "01")
                child.say(answer=number, sdp=sdp.replace(fingerprint, changed))
                assert await child.outcome(number) == "no connection"

        self.play(scenario)

    def test_offer_and_answer_relayed(self) -> None:
        """A proof says who is at the other end of DTLS, not who passed the messages on.

        So core asks the holder first, and no client's offer reaches it while newcomers are asked.
        """

        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as owner:
                assert await prove(child, owner) == "proved"

        self.play(scenario)

    def test_the_dtls_of_an_earlier_session_relayed(self) -> None:
        """The impostor is a client of the owner's, and lends its session to us, packet by packet.

        The owner completes the handshake, for aiortc compares certificates afterwards; that SCTP stays down tells.
        """

        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as owner:
                number = child.ask(owner.remote_id)
                offer = await child.offer(number)
                inner, outer = (
                    aioice.Connection(ice_controlling=True),
                    aioice.Connection(ice_controlling=False),
                )
                for connection in (inner, outer):
                    await connection.gather_candidates()
                # Whatever certificate the impostor has offered the owner before, it is not ours.
                earlier = re.sub(r"(sha-256 )\S+", r"\g<1>" + ":".join(["AB"] * 32), offer)
                answer = await owner.answer(_with_ice_of(earlier, inner))
                child.say(answer=number, sdp=_with_ice_of(answer, outer))
                await asyncio.gather(_connect(inner, answer), _connect(outer, offer))
                pumps = [
                    asyncio.create_task(_pump(outer, inner)),
                    asyncio.create_task(_pump(inner, outer)),
                ]
                assert await child.outcome(number) == "too slow: connecting"
                assert owner.peer.sctp.transport.encrypted, "the handshake was not even completed"
                assert owner.peer.connectionState == "failed"
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, inner.close(), outer.close(), return_exceptions=True)

        self.play(scenario)


class NonsenseTest(ProofTestCase):
    """What a peer says makes at most its own proof fail."""

    def test_answers(self) -> None:
        async def scenario(child: ProofChild) -> None:
            async with AskedHome() as home:
                real = await home.answer(await child.offer(child.ask(home.remote_id)))
                for answer in (
                    "",
                    "v=0",
                    "\0" * 1000,
                    "x" * 200_000,
                    real + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
                    real.replace("a=setup:active", "a=setup:actpass"),
                ):
                    number = child.ask(home.remote_id)
                    await child.offer(number)
                    child.say(answer=number, sdp=answer)
                    assert await child.outcome(number) == "the answer makes no sense", answer[:80]
            async with AskedHome() as home:
                assert await prove(child, home) == "proved"

        self.play(scenario)

    def test_cancelled(self) -> None:
        async def scenario(child: ProofChild) -> None:
            for has_offer in (False, True):
                number = child.ask("A" * 26)
                if has_offer:
                    await child.offer(number)
                child.say(cancel=number)
                await child.ended(number)
                assert not [each for each in child.said[number] if {"proved", "failed"} & set(each)]

        self.play(scenario)

    def test_silence_and_garbage(self) -> None:
        """One says nothing; with another ICE comes up, and then anything but DTLS comes."""

        async def scenario(child: ProofChild) -> None:
            silent = child.ask("A" * 26)
            async with AskedHome() as home:
                number = child.ask(home.remote_id)
                offer = await child.offer(number)
                answer = await home.answer(offer)
                hostile = aioice.Connection(ice_controlling=False)
                await hostile.gather_candidates()
                child.say(answer=number, sdp=_with_ice_of(answer, hostile))
                await _connect(hostile, offer)
                for packet in (
                    b"",
                    b"\0",
                    b"\x16",
                    b"\x16\xfe\xfd" * 400,
                    b"\x80" * 1500,
                    b"\x17" * 1500,
                    b"\xff",
                ):
                    for _ in range(10):
                        await hostile.send(packet)
                assert await child.outcome(number) in ("no connection", "too slow: connecting")
                await hostile.close()
            assert await child.outcome(silent) == "too slow: waiting for an answer"
            async with AskedHome() as home:
                assert await prove(child, home) == "proved"

        self.play(scenario)


def _with_ice_of(sdp: str, connection: aioice.Connection) -> str:
    """Return a description with the ICE of another connection in it."""
    rest, _ = split_candidates(sdp)
    rest = re.sub(r"a=ice-ufrag:\S+", f"a=ice-ufrag:{connection.local_username}", rest)
    rest = re.sub(r"a=ice-pwd:\S+", f"a=ice-pwd:{connection.local_password}", rest)
    return rest + "".join(f"a=candidate:{each.to_sdp()}\r\n" for each in connection.local_candidates)


async def _connect(connection: aioice.Connection, sdp: str) -> None:
    """Connect by ICE to whoever has written a description."""
    connection.remote_username = re.findall(r"a=ice-ufrag:(\S+)", sdp)[0]
    connection.remote_password = re.findall(r"a=ice-pwd:(\S+)", sdp)[0]
    for text in re.findall(r"a=candidate:(.*?)\r?\n", sdp):
        await connection.add_remote_candidate(aioice.Candidate.from_sdp(text))
    await connection.add_remote_candidate(None)
    await connection.connect()


async def _pump(source: aioice.Connection, target: aioice.Connection) -> None:
    while True:
        await target.send(await source.recv())
