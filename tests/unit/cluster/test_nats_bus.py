"""How a node gets into NATS, and what stops a server that cannot."""

from __future__ import annotations

import asyncio
import contextlib
from importlib.util import find_spec, module_from_spec
from typing import Any
from unittest import mock

from nats.aio.client import Client
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster import nats_client
from ma_signaling.cluster.messages.nodes import Bye
from ma_signaling.cluster.messages.packing import pack, pack_batch, unpack, unpack_batch
from ma_signaling.cluster.messages.proofs import ToProver
from ma_signaling.cluster.messages.sessions import Undeliverable
from ma_signaling.cluster.nats_bus import MAX_BATCH_BYTES, NatsBus
from ma_signaling.cluster.nats_options import Credentials
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.core.errors import Refused
from ma_signaling.core.messages import parse
from tests.support.nats_identity import operator_mode


class CredentialsTest(SynchronousTestCase):
    """What a file must hold."""

    def test_incomplete(self) -> None:
        _, whole = operator_mode()
        assert Credentials(whole).jwt().count(b".") == 2
        jwt, _, seed = whole.partition("\n\n")
        for text, problem in (
            (jwt, "it has no USER NKEY SEED"),
            (seed, "it has no NATS USER JWT"),
            (whole.replace("\nSU", "\nSA"), "its seed is not a user's"),
        ):
            with self.assertRaisesRegex(ValueError, problem):
                Credentials(text)


class WireTest(SynchronousTestCase):
    """What nodes say to each other, as bytes."""

    def test_many_at_once(self) -> None:
        """Whatever is in them, line feeds too, comes out as it went in."""
        strange = Undeliverable(sender="n1", remote_id="A\nB\x1e\x1f", connection="c1")
        payloads = [
            pack(strange, [b"one\ntwo", b"three"]),
            pack(Bye(sender="n1")),
            pack(strange, [b"\n\n"]),
        ]
        assert unpack_batch(pack_batch(payloads)) == payloads
        assert unpack_batch(payloads[0]) == [payloads[0]]
        assert unpack(payloads[0]) == (strange, [b"one\ntwo", b"three"])

    def test_what_peers_send_has_no_separators(self) -> None:
        """Nothing that is forwarded can be taken for several messages, or parts of one."""
        for separator in (b"\x1e", b"\x1f"):
            for text in (b'{"type":"offer","data":"%b"}', b'{"type":"offer"%b}', b'{"type":"offer"}%b'):
                with self.assertRaises(Refused):
                    parse(text % separator)
            kept = parse(b'{"type":"offer","data":"\\u00%b"}' % separator.hex().encode())
            message = ToProver(asking=1, what="candidate", data=kept["data"])
            assert unpack(pack(message)) == (message, [])
            assert message.data == separator.decode()

    def test_nonsense(self) -> None:
        for payload in (b"", b"{}", b"[]\n", b'["op",1]', b"\xff"):
            with self.assertRaises(ValueError):
                unpack(payload)


class _Listener:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def received(self, payload: bytes) -> None:
        self.heard.append(payload)
        raise KeyError(payload)

    def no_subscribers(self, reply: str) -> None:
        raise AssertionError(reply)

    def up(self) -> None: ...

    def down(self) -> None: ...


class UnknownVersionTest(SynchronousTestCase):
    """What nodes use of nats-py within must be there, as it is known."""

    def test_another_one(self) -> None:
        spec = find_spec(nats_client.__name__)
        assert spec is not None
        assert spec.loader is not None
        for name in nats_client._KNOWN:
            known: dict[str, Any] = {each: vars(Client)[each] for each in nats_client._KNOWN}
            for changed in (lambda *others: None, None):
                other = type("Client", (), {**known, name: changed})
                with mock.patch("nats.aio.client.Client", other), self.assertRaisesRegex(CannotStart, name):
                    spec.loader.exec_module(module_from_spec(spec))

    def test_another_object(self) -> None:
        spec = find_spec(nats_client.__name__)
        assert spec is not None
        assert spec.loader is not None
        known: dict[str, Any] = {each: vars(Client)[each] for each in nats_client._KNOWN}
        for name in ("_pending", "_pending_data_size", "_ps", "_transport"):
            kept = {"_pending": [], "_pending_data_size": 0, "_ps": None, "_transport": None}
            del kept[name]
            other = type("Client", (), {**known, **kept})
            with mock.patch("nats.aio.client.Client", other), self.assertRaisesRegex(CannotStart, name + " "):
                spec.loader.exec_module(module_from_spec(spec))


class StuckClient:
    """A client of a server that stands still, with more to write than may wait: as nats-py's, it can't be cancelled."""

    connected_url = None
    max_payload = 1 << 20

    def __init__(self) -> None:
        self.asked = 0

    async def listen(self, subject: str) -> int:
        self.asked += 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return self.asked

    async def flush(self, seconds: float) -> None:
        raise TimeoutError

    async def send_on(self) -> None: ...


class StandstillTest(SynchronousTestCase):
    """A connection that fails is given up at once, however much is still to be said by it."""

    def test_given_up(self) -> None:
        async def scenario() -> int:
            bus = NatsBus(Settings())
            bus.listener = _Listener()
            client: Any = StuckClient()
            closed = asyncio.Event()
            for number in range(1000):
                bus.subscribe(f"home {number}")
            serving = asyncio.ensure_future(bus._serve(client, closed))
            await asyncio.sleep(0.01)
            closed.set()
            await asyncio.wait_for(serving, 5)
            asked: int = client.asked
            return asked

        assert asyncio.run(scenario()) <= 2


class RoomTest(SynchronousTestCase):
    """Several messages go as one only if NATS takes it."""

    def test_max_payload(self) -> None:
        async def scenario(max_payload: int) -> int:
            bus = NatsBus(Settings())
            bus.listener = _Listener()
            client: Any = StuckClient()
            client.max_payload = max_payload
            serving = asyncio.ensure_future(bus._serve(client, asyncio.Event()))
            await asyncio.sleep(0)
            serving.cancel()
            return bus.max_batch_bytes

        assert asyncio.run(scenario(16 * 1024)) == 16 * 1024
        assert asyncio.run(scenario(1 << 30)) == MAX_BATCH_BYTES


class NonsenseTest(SynchronousTestCase):
    """Nothing that a node says makes another one stop reading."""

    def test_what_is_no_message(self) -> None:
        async def scenario() -> list[bytes]:
            bus = NatsBus(Settings())
            bus.listener = listener = _Listener()
            client: Any = object()
            bus._client = client
            for data in (
                b"{",
                b'["bye"',
                b'["bye","n1"]x',
                b'["bye",1]\x1fabc',
                b"{}",
            ):
                bus._take(client, b"s", data, None)
            return listener.heard

        assert asyncio.run(scenario())[-1] == b"{}"
        assert len(self.flushLoggedErrors()) >= 4
