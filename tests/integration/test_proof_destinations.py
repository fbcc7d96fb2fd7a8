"""Where a proof's packets go: a newcomer names the addresses, and real listeners see what comes to the wrong ones.

The proofs here may use 127.0.0.1 alone: to them every other address of this machine is as private as any.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
from functools import partial
from ipaddress import ip_network
from typing import Any

from aioice import stun

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.testing import eventually
from ma_signaling.webrtc.description import MAX_CANDIDATES
from ma_signaling.webrtc.guard import MAX_SENT
from ma_signaling.webrtc.means import Means, Turn
from tests.support.coturn_process import SECRET, allocate, coturn
from tests.support.proof_case import ProofTestCase, prove
from tests.support.proof_child import LOOPBACK, AskedHome, ProofChild
from tests.support.stun_server import PUBLIC_ADDRESS, start_stun

MDNS = ("224.0.0.251", 5353)
EVERYWHERE = "0.0.0.0"


class Listener(asyncio.DatagramProtocol):
    """A UDP socket that keeps what comes, and answers nothing."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self._transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append((data, addr))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._transport.get_extra_info("sockname")[1])

    def send(self, data: bytes, port: int) -> None:
        """Send something to a port of 127.0.0.1."""
        self._transport.sendto(data, ("127.0.0.1", port))

    def heard_of(self, kind: stun.Class) -> int:
        """Return how many STUN messages of a kind it has heard."""
        return sum(stun.parse_message(data).message_class is kind for data, _ in self.heard)

    def close(self) -> None:
        """Stop."""
        self._transport.close()


async def listen(address: str) -> Listener:
    """Listen at an address of this machine."""
    loop = asyncio.get_running_loop()
    return (await loop.create_datagram_endpoint(Listener, local_addr=(address, 0)))[1]


def join_mdns() -> socket.socket:
    """Return a socket that hears whoever asks for a name by mDNS."""
    ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    ears.bind(MDNS)
    ears.setblocking(False)
    for interface in ("127.0.0.1", EVERYWHERE):
        with contextlib.suppress(OSError):  # there may be no other interface, and no route for multicast
            membership = struct.pack("4s4s", socket.inet_aton(MDNS[0]), socket.inet_aton(interface))
            ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return ears


def candidate(address: str, port: int, transport: str = "udp", priority: int = 2130706431) -> str:
    """Return a candidate, as a peer trickles it; the usual ones come after it."""
    return f"candidate:1 1 {transport} {priority} {address} {port} typ host"


class CandidatesTest(ProofTestCase):
    """Candidates, in the answer and after it."""

    def test_internal_addresses(self) -> None:
        """What is not allowed hears nothing; by the time that the last candidate was tried, it would have."""

        async def scenario(child: ProofChild) -> None:
            addresses = ("127.0.0.2", "127.1.2.3", "127.255.255.254", "::1", EVERYWHERE)
            listeners = {address: await listen(address) for address in addresses}
            allowed = await listen("127.0.0.1")
            port = listeners[EVERYWHERE].port
            ears = join_mdns()
            hostile = [
                *(candidate(address, each.port) for address, each in listeners.items()),
                *(
                    candidate(address, port)
                    for address in ("127.0.0.2", "255.255.255.255", "::ffff:127.0.0.1")
                ),
                *(
                    candidate(address, port)
                    for address in ("2002:7f00:1::1", "64:ff9b::127.0.0.1", "localhost")
                ),
                *(candidate(address, 5353) for address in (MDNS[0], "ff02::fb")),
                candidate("3f7e2c1a-0000-4000-8000-000000000000.local", port),
                candidate("127.0.0.1", port, "tcp"),
                candidate("127.0.0.1", allowed.port, priority=1),
            ]
            assert len(hostile) == MAX_CANDIDATES
            for is_trickled in (False, True):
                allowed.heard.clear()
                number, sdp = await silent_home(child, LOOPBACK)
                in_answer = [] if is_trickled else hostile
                child.say(answer=number, sdp=sdp + "".join(f"a={each}\r\n" for each in in_answer))
                for text in hostile if is_trickled else []:
                    child.say(candidate=number, text=text)
                await eventually(lambda: allowed.heard, "a packet to where packets may go")
                child.say(cancel=number)
                await child.ended(number)
                for address, listener in listeners.items():
                    assert listener.heard == [], (address, is_trickled)
            with self.assertRaises(BlockingIOError):
                ears.recv(2000)
            ears.close()
            for listener in (*listeners.values(), allowed):
                listener.close()

        self.play(scenario)

    def test_other_networks(self) -> None:
        """The same listeners do hear something once a setting names their network."""

        async def scenario(child: ProofChild) -> None:
            listeners = [await listen("127.0.0.2"), await listen("127.1.2.3")]
            means = Means((ip_network("127.0.0.1/32"), ip_network("127.0.0.0/8")))
            number, sdp = await silent_home(child, means)
            child.say(answer=number, sdp=sdp)
            for listener, address in zip(listeners, ("127.0.0.2", "127.1.2.3"), strict=True):
                child.say(candidate=number, text=candidate(address, listener.port))
                await eventually(partial(bool, listener.heard), "a packet")
                listener.close()
            child.say(cancel=number)
            await child.ended(number)

        self.play(scenario)


class ForgedSourceTest(ProofTestCase):
    """Peers are learned from the source of their checks (RFC 8445 section 7.3.1.3), which can be forged."""

    def test_from_an_internal_address(self) -> None:
        """It hears neither an answer nor a check, before our peer has answered and after it."""

        async def scenario(child: ProofChild) -> None:
            forbidden, allowed = await listen("127.0.0.2"), await listen("127.0.0.1")
            number, sdp = await silent_home(child, LOOPBACK)
            offer = await child.offer(number)
            for is_answered in (False, True):
                for listener in (forbidden, allowed):
                    listener.send(check(offer, sdp), port_of(offer))
                await eventually(lambda: allowed.heard_of(stun.Class.RESPONSE), "a response")
                if not is_answered:
                    child.say(answer=number, sdp=sdp)
                    await eventually(lambda: allowed.heard_of(stun.Class.REQUEST), "a check of ours")
                assert forbidden.heard == []
                allowed.heard.clear()
            child.say(cancel=number)
            await child.ended(number)
            for listener in (forbidden, allowed):
                listener.close()

        self.play(scenario)

    def test_packets_without_end(self) -> None:
        """Each check that is answered costs a packet; there are only so many."""

        async def scenario(child: ProofChild) -> None:
            victim = await listen("127.0.0.1")
            number, sdp = await silent_home(child, LOOPBACK)
            offer = await child.offer(number)
            child.say(answer=number, sdp=sdp)
            while not {"failed", "ended"} & {key for message in child.said[number] for key in message}:
                victim.send(check(offer, sdp), port_of(offer))
                await asyncio.sleep(0)
            assert await child.outcome(number) == "too many packets"
            async with asyncio.timeout(10):
                while len(victim.heard) <= MAX_SENT / 2:  # noqa: ASYNC110 - what it was sent is still to be read
                    await asyncio.sleep(0.01)
            assert len(victim.heard) <= MAX_SENT
            victim.close()

        self.play(scenario)


class ServersTest(ProofTestCase):
    """Our own STUN server and relay."""

    def test_what_stun_says(self) -> None:
        """An address that is not allowed is not shown, whoever says that it is ours; nor is the one behind it."""

        async def scenario(child: ProofChild) -> None:
            url, close = await start_stun()
            means = LOOPBACK._replace(stun=("localhost", int(url.rpartition(":")[2])))
            offer = await child.offer(child.ask("A" * 26, means))
            assert PUBLIC_ADDRESS not in offer
            means = means._replace(networks=(*means.networks, ip_network(f"{PUBLIC_ADDRESS}/32")))
            offer = await child.offer(child.ask("A" * 26, means))
            reflexive = re.findall(r"a=candidate:.* (\S+) \d+ typ srflx (.*?)\r", offer)
            assert set(reflexive) == {(PUBLIC_ADDRESS, "raddr 0.0.0.0 rport 9")}
            await close()

        self.play(scenario)

    def test_by_relay_alone(self) -> None:
        """The relay is asked to send to where packets may go, and nowhere else."""

        async def scenario(child: ProofChild, port: int) -> None:
            username, credential = IceServers(Settings(turn_urls=("turn:x",)), SECRET).credentials(
                time.time()
            )
            await allocate(port, {"username": username, "credential": credential})
            means = LOOPBACK._replace(
                is_relay_only=True, turn=Turn(("127.0.0.1", port), username, credential)
            )
            async with AskedHome() as home:
                assert await prove(child, home, means=means) == "proved"
            forbidden, allowed = await listen("127.0.0.2"), await listen("127.0.0.1")
            number, sdp = await silent_home(child, means)
            assert re.findall(r"typ (\w+)", await child.offer(number)) == ["relay"]
            child.say(answer=number, sdp=sdp)
            child.say(candidate=number, text=candidate("127.0.0.2", forbidden.port))
            child.say(candidate=number, text=candidate("127.0.0.1", allowed.port, priority=1))
            await eventually(lambda: allowed.heard, "a packet by the relay")
            assert forbidden.heard == []
            child.say(cancel=number)
            await child.ended(number)
            for listener in (forbidden, allowed):
                listener.close()

        with coturn() as (port, _):
            self.play(lambda child: scenario(child, port))

    def test_no_such_server(self) -> None:
        async def scenario(child: ProofChild) -> None:
            means = LOOPBACK._replace(stun=("nothing.invalid", 3478))
            number = child.ask("A" * 26, means)
            assert await child.outcome(number) == "our STUN or TURN server has no address"

        self.play(scenario)

    def test_a_relay_that_is_down(self) -> None:
        async def scenario(child: ProofChild) -> None:
            means = LOOPBACK._replace(is_relay_only=True, turn=Turn(("127.0.0.1", 9), "u", "c"))
            assert await child.outcome(child.ask("A" * 26, means)) == "no public UDP address was found"

        self.play(scenario)


async def silent_home(child: ProofChild, means: Means) -> tuple[int, str]:
    """Begin a proof with a home that answers, but for its candidates, and is never heard of again."""
    async with AskedHome() as home:
        number = child.ask(home.remote_id, means)
        sdp, _ = await home.trickled(await child.offer(number))
    return number, sdp


def port_of(offer: str) -> int:
    """Return the port of our candidate in an offer."""
    (port,) = re.findall(r" 127\.0\.0\.1 (\d+) typ host", offer)
    return int(port)


def check(offer: str, answer: str) -> bytes:
    """Return a check of ICE as the peer would send it that has written the answer."""
    (ours,), (theirs,) = (re.findall(r"a=ice-ufrag:(\S+)", sdp) for sdp in (offer, answer))
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{ours}:{theirs}"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLED"] = 1
    request.add_message_integrity(re.findall(r"a=ice-pwd:(\S+)", offer)[0].encode())
    return bytes(request)
