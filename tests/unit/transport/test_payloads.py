"""Payloads are unmasked and validated as Autobahn's own code does it, however they are cut."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any
from unittest import mock

from autobahn.websocket.utf8validator import Utf8Validator
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport import payloads
from ma_signaling.transport.payloads import Unmasking, Utf8Validation
from tests.support.memory_server import TEXT, Server, frame

PIECES = st.lists(st.one_of(st.text(max_size=3).map(str.encode), st.binary(max_size=3)), max_size=8)
"""Characters, some of them cut, and now and then something else."""


class Utf8Test(SynchronousTestCase):
    """Text in pieces."""

    @given(PIECES)
    @example([b"\xf0\x9f", b"\x98", b"\x80"])
    @example([b"\xed", b"\xa0", b"\x80"])
    @example([b"ab\xed\xbf"])
    @example([b"\xed\x9f", b"\xbf"])
    @example([b"\xf4", b"\x90\x80\x80"])
    @example([b"\xc0\xaf"])
    def test_the_same_verdict(self, pieces: list[bytes]) -> None:
        ours, theirs = Utf8Validation(), Utf8Validator()
        for piece in pieces:
            said, expected = ours.validate(piece), theirs.validate(piece)
            self.assertEqual(said[0], expected[0])
            if not said[0]:
                break
            self.assertEqual(said, expected)

    def test_where_it_ceases_to_be_valid(self) -> None:
        validation = Utf8Validation()
        self.assertEqual(validation.validate(b"ab\xe2\x82"), (True, False, 4, 4))
        self.assertEqual(validation.validate(b"\xacc"), (True, True, 2, 6))
        self.assertEqual(validation.validate(b"d\xff"), (False, False, 1, 7))

    def test_a_new_message(self) -> None:
        validation = Utf8Validation()
        validation.validate(b"a\xe2")
        validation.reset()
        self.assertEqual(validation.validate(b"b"), (True, True, 1, 1))


class MaskTest(SynchronousTestCase):
    """Frames in pieces, and whole."""

    @given(st.binary(min_size=4, max_size=4), st.lists(st.binary(max_size=9), max_size=6))
    def test_the_same_bytes(self, mask: bytes, pieces: list[bytes]) -> None:
        unmasking, masked = Unmasking(mask), b"".join(pieces)
        unmasked = b"".join(map(unmasking.process, pieces))
        self.assertEqual(unmasked, bytes(octet ^ mask[at % 4] for at, octet in enumerate(masked)))
        self.assertEqual(unmasking.pointer(), len(masked))

    def test_without_the_extension(self) -> None:
        spec = find_spec(payloads.__name__)
        assert spec is not None
        assert spec.loader is not None
        without = module_from_spec(spec)
        with mock.patch.dict(sys.modules, {"websockets.speedups": None}):
            spec.loader.exec_module(without)
        for module in (payloads, without):
            self.assertEqual(module.apply_mask(b"abcdef", b"\0\0\0 "), b"abcDef")
        self.assertEqual(without.apply_mask.__module__, "websockets.utils")


class UsedTest(SynchronousTestCase):
    """Autobahn uses these, with the fast path and without."""

    def test_both_ways(self) -> None:
        for is_fast in (True, False):
            connection = Server(fast_path=is_fast).connect()
            connection.send(frame(TEXT, "\u20ac".encode()[:2], fin=False)[:-1])
            protocol: Any = connection.transport.protocol
            self.assertIsInstance(protocol.current_frame_masker, Unmasking)
            self.assertIsInstance(protocol.utf8validator, Utf8Validation)
