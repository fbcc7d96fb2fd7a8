"""The effects of settings on a server in memory: each function shows the value of one setting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import ISSLTransport
from zope.interface import directlyProvides

from ma_signaling.runtime.prover import ChildProver
from ma_signaling.runtime.shutdown import Connections
from tests.support.fake_process import FakeReactor
from tests.support.fake_prover import FakeAsked
from tests.support.memory_server import TEXT, UPGRADE, Server, Socket, frame

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
LONGEST = 100.0


def status(server: Server, path: bytes, headers: bytes = b"", host: str = "192.0.2.1") -> bytes:
    """Return the status of one GET."""
    client = server.accept(host)
    client.send(GET % (path, headers))
    code = client.read_head()[9:12]
    client.lose(clean=True)
    return code


def upgrade(server: Server, headers: bytes = b"", host: str = "192.0.2.1") -> bytes:
    """Return the status of the answer to one upgrade request."""
    client = server.accept(host)
    client.send(UPGRADE + headers + b"\r\n")
    return client.read_head()[9:12]


def seconds_until(server: Server, happened: Callable[[], object]) -> float:
    """Return how many seconds pass until something has happened."""
    begun = server.clock.seconds()
    while not happened():
        assert server.clock.seconds() - begun < LONGEST, "it never happens"
        server.clock.advance(0.5)
    return server.clock.seconds() - begun


def heard(peer: Socket, type: str) -> Callable[[], bool]:
    """Return a function that tells whether a peer has got a message of this type since its last call."""
    return lambda: type in [message["type"] for message in peer.heard()]


def forwarded(server: Server, *sizes: int, wait: float = 0.0) -> int:
    """Return how many candidates of these sizes arrive, if sent ``wait`` seconds apart."""
    first = server.home()
    second, _ = server.session(first)
    for size in sizes:
        server.clock.advance(wait)
        second.say(type="ice-candidate", data="x" * size)
    return sum(message["type"] == "ice-candidate" for message in first.heard())


def pongs(server: Server, count: int, wait: float = 0.0) -> int:
    """Return how many pings are answered, if sent ``wait`` seconds apart."""
    peer = server.connect()
    for _ in range(count):
        server.clock.advance(wait)
        peer.say(type="ping")
    return sum(message["type"] == "pong" for message in peer.heard())


def requests(server: Server) -> list[str]:
    """Return what a home is sent when five clients of one address ask for it."""
    first = server.home()
    for _ in range(5):
        server.connect("198.51.100.1").say(type="connect-request", remoteId="HOME")
    return [message["type"] for message in first.heard()]


def hsts(server: Server) -> bool:
    client = server.accept()
    directlyProvides(client.transport, ISSLTransport)
    client.send(GET % (b"/health", b""))
    return b"Strict-Transport-Security: max-age=60" in client.read_head()


def seen_as(server: Server, headers: bytes) -> list[str]:
    """Return the addresses that a connection of 192.0.2.1 with these headers counts for."""
    server.connect("192.0.2.1", headers)
    return list(server.hub._silent._by_key)


def asked(server: Server, count: int) -> list[str]:
    """Return the codes of so many requests for a home that nobody knows, from one address."""
    client = server.connect()
    for _ in range(count):
        client.say(type="connect-request", remoteId="NOBODY")
    return [message["code"] for message in client.heard()]


def silent_connections(server: Server) -> list[Socket]:
    """Return which of ten connections that say nothing stay."""
    return [client for client in [server.connect() for _ in range(10)] if client.close_code() is None]


def open_sockets(server: Server) -> int:
    """Return how many of ten neighbours can open a socket."""
    answers = [server.accept(f"192.0.2.{number}").read_head()[9:12] for number in range(10)]
    return answers.count(b"")


def held_back(server: Server) -> int:
    """Return how much may wait for a client that doesn't read, before its home is told."""
    first = server.home()
    second, _ = server.session(first)
    second.protocol.pauseProducing()
    session_id = server.hub.sessions.all()[0].id
    for _ in range(20):
        first.say(type="ice-candidate", sessionId=session_id, data="x" * 10_000)
    return sum(message["type"] == "ice-candidate" for message in second.heard())


def largest(server: Server) -> bool:
    peer = server.connect()
    peer.send(frame(TEXT, b'{"type":"ping","x":"%b"}' % (b"x" * 2000)))
    return heard(peer, "pong")()


def ready(server: Server) -> float:
    server.home()
    client = server.connect("198.51.100.1")
    client.say(type="connect-request", remoteId="HOME")
    return seconds_until(server, heard(client, "connected"))


def takeover(server: Server) -> float:
    server.home()
    stranger = server.connect("198.51.100.1")
    stranger.say(type="register-server", remoteId="HOME")
    return seconds_until(server, heard(stranger, "registered"))


def proofs(server: Server) -> int:
    """Return how many homes are asked for proof, of ten whose Remote IDs newcomers want."""
    asked = 0
    for number in range(10):
        remote_id = number * "A" + "B" * (26 - number)
        holder = server.home(remote_id)
        server.connect("198.51.100.1").say(type="register-server", remoteId=remote_id)
        asked += heard(holder, "client-connected")()
    return asked


def grace(server: Server) -> float:
    first = server.home()
    second, _ = server.session(first)
    first.lose()
    return seconds_until(server, heard(second, "peer-disconnected"))


def park(server: Server) -> float:
    server.home().lose()
    client = server.connect("198.51.100.1")
    client.say(type="connect-request", remoteId="HOME")
    return seconds_until(server, heard(client, "error"))


def drained(server: Server) -> int:
    """Return how many of 200 peers are closed immediately when the server stops."""
    peers = [server.connect(f"192.0.2.{number}") for number in range(200)]
    reactor: Any = server.clock
    Connections(server.hub, server.factory, server.settings, reactor).stopService()
    return sum(peer.close_code() is not None for peer in peers)


RELAY = {"turn_urls": ("turn:relay.example.org",)}


def ice_servers(server: Server) -> list[str]:
    """Return the kinds of ICE servers that a client gets, and for how long they are valid."""
    first, second = server.home(), server.connect("198.51.100.1")
    second.say(type="connect-request", remoteId="HOME")
    first.say(type="session-ready", sessionId=first.heard()[-1]["sessionId"])
    servers = second.heard()[-1].get("iceServers", [])
    now = int(time.time())
    return [
        f"{each['urls']} {int(each.get('username', '0').partition(':')[0]) > now + 1800}" for each in servers
    ]


def relays(server: Server) -> int:
    """Return how many of five clients of one address get a TURN server."""
    first, given = server.home(), 0
    for _ in range(5):
        client = server.connect("198.51.100.1")
        client.say(type="connect-request", remoteId="HOME")
        first.say(type="session-ready", sessionId=first.heard()[-1]["sessionId"])
        given += "iceServers" in client.heard()[-1]
    return given


def most(answer: bytes, ask: Callable[[int], bytes]) -> int:
    """Return how many of ten requests get this answer."""
    return [ask(number) for number in range(10)].count(answer)


def means(server: Server) -> object:
    """Return what a proof may use."""
    reactor: Any = FakeReactor()
    ChildProver(server.settings, lambda: server.hub.ice_servers, reactor).ask("A" * 26, FakeAsked())
    return reactor.children[0].heard[0]["means"]
