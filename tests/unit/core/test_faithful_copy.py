"""What is forwarded is the JSON value that was sent."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import messages
from tests.support.memory_hub import World

BAD_MESSAGE = [{"type": "error", "error": "Invalid message format", "code": "bad-message"}]


def forwarded(fields: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a client's message on its way to the home."""
    payload = json.dumps(fields).encode()
    result: dict[str, Any] = json.loads(messages.with_session_id(messages.parse(payload), payload, "S"))
    return result


class FaithfulCopyTest(SynchronousTestCase):
    """A forwarded message is the same JSON, but for its session ID."""

    json_values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ).filter(lambda value: "\\ud" not in json.dumps(value))

    @settings(max_examples=50)
    @given(
        st.dictionaries(st.text(), json_values, max_size=5),
        st.none() | st.sampled_from(["S", "T", 1, [], "sessionId"]),
    )
    def test_any_fields(self, fields: dict[str, Any], session_id: Any) -> None:
        message = {**fields, "type": "offer"}
        if session_id is not None:
            message["sessionId"] = session_id
        assert forwarded(message) == {**message, "sessionId": "S"}

    def test_second_session_id(self) -> None:
        for payload in (
            b'{"type":"offer","sessionId":"T","sessionId":"S"}',
            b'{"type":"offer","session\\u0049d":"S"}',
            b'{"type":"offer","sessionId":"S","session\\u0049d":"T"}',
            b'{"type":"offer","sessionId":"T","session\\u0049d":"S"}',
        ):
            sent = messages.with_session_id(messages.parse(payload), payload, "S")
            assert json.loads(sent, object_pairs_hook=list) == [("type", "offer"), ("sessionId", "S")], sent

    def test_second_key_where_braces_mislead(self) -> None:
        """Brackets in strings, before and after ``data``, hide no second key."""
        for payload in (
            b'{"data":{"a":""},"sessionId":"{","type":"offer","type":"y}"}',
            b'{"data":{"a":"}"},"sessionId":"S","type":"y","type":"offer"}',
            b'{"sessionId":"S","data":{"a":"}"},"data":{},"type":"offer"}',
            b'{"sessionId":"S","data":{},"type":"{","type":"offer"}',
            b'{"type":"}","data":{},"sessionId":"S","type":"offer"}',
        ):
            sent = messages.with_session_id(messages.parse(payload), payload, "S")
            keys = [key for key, _ in json.loads(sent, object_pairs_hook=list)]
            assert sorted(keys) == ["data", "sessionId", "type"], sent

    def test_numbers_beyond_a_double(self) -> None:
        numbers = (
            b"1234567890123456789012",
            b"-0.1e-7",
            b"-0",
            b"1e-400",
            b"12345678901234567890.5",
            b"1.0E+2",
            b"0.10",
        )
        for number in numbers:
            payload = b'{"type":"offer","sessionId":"T","data":[%b]}' % number
            sent = messages.with_session_id(messages.parse(payload), payload, "S")
            assert sent == b'{"type":"offer","sessionId":"S","data":[%b]}' % number
            payload = (
                b'{"sessionId":"S","type":"ice-candidate","data":{"n":%b,"sdpMid":"0","sdpMLineIndex":null}}'
                % number
            )
            sent = messages.for_client(messages.parse(payload), payload)
            assert b'"n":%b,' % number in sent
            assert json.loads(sent)["data"]["sdpMLineIndex"] == 0

    def test_what_cannot_be_copied_is_refused(self) -> None:
        world = World()
        home = world.home()
        client = world.client()
        world.session(home, client)
        for data in (b"1e999", b"1" * 5000):
            client.say_bytes(b'{"type":"offer","sessionId":"T","data":%b}' % data)
            assert client.forget() == BAD_MESSAGE, data[:10]
        assert home.heard == []
