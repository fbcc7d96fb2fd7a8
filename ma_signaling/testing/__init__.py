"""A home and a client for tests of whoever speaks this protocol: real WebRTC, real sockets, and faults on request.

They do on the wire what Music Assistant's own do, and share no code with the server::

    async with Home(url) as home, Client(url, home.remote_id, faults={ClientFault.NONSENSE}) as client:
        await home.start()
        await client.connect()
        assert await client.ask("hello") == "home heard: hello"

What they heard is in ``received``, what went wrong while they handled it in ``errors``. A step that takes too long
raises ``AssertionError``; an ``error`` from the server, or a lost connection, ``SignalingError``. Needs the extra
``home``. See docs/testing-kit.md.
"""

from ma_signaling.testing.client import Client
from ma_signaling.testing.faults import ClientFault, HomeFault
from ma_signaling.testing.fingerprints import (
    FingerprintError,
    check_fingerprint,
    remote_id_from_fingerprint,
    remote_id_of,
)
from ma_signaling.testing.home import Home
from ma_signaling.testing.peer import Message, Peer, SignalingError, split_candidates
from ma_signaling.testing.waiting import STEP_WITHIN, eventually, loopback_only

__all__ = [
    "STEP_WITHIN",
    "Client",
    "ClientFault",
    "FingerprintError",
    "Home",
    "HomeFault",
    "Message",
    "Peer",
    "SignalingError",
    "check_fingerprint",
    "eventually",
    "loopback_only",
    "remote_id_from_fingerprint",
    "remote_id_of",
    "split_candidates",
]
