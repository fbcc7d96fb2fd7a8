"""What goes on as it came: no two parsers may disagree about it, and none may choke on it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import messages, remote_id
from ma_signaling.core.access import parse_allowed, parse_denied
from ma_signaling.core.errors import BAD_MESSAGE, Refused
from tests.support.memory_hub import World, address

BAD = [{"type": "error", "error": "Invalid message format", "code": "bad-message"}]
FINGERPRINT = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HYPHENATED = "abcdefgh-IJKLM-nopqr-STUVWXYZ"


class DepthTest(SynchronousTestCase):
    """Nested deeper than 64 is a bad message, wherever, and however it is written."""

    def is_taken(self, payload: bytes) -> bool:
        try:
            messages.parse(payload)
        except Refused as refused:
            assert refused.error is BAD_MESSAGE
            return False
        return True

    def test_arrays_objects_and_both(self) -> None:
        for opening, inside, closing in ((b"[", b"", b"]"), (b'{"":', b"0", b"}"), (b'[{"a": ', b"1", b"}]")):
            levels = opening.count(b"[") + opening.count(b"{")
            for depth, is_taken in ((62, True), (63, True), (64, False), (65, False), (900, False)):
                nested = opening * (depth // levels) + inside + closing * (depth // levels)
                expected = is_taken or depth // levels * levels < 64
                assert self.is_taken(b'{"type":"offer","data":%b}' % (nested or b"0")) == expected, (
                    opening,
                    depth,
                )

    def test_what_a_second_key_hides(self) -> None:
        deep = b"[" * 64 + b"]" * 64
        assert not self.is_taken(b'{"type":"offer","data":%b,"data":0}' % deep)
        assert not self.is_taken(b'{"type":"offer","data":{"a":%b,"a":0}}' % deep)

    def test_brackets_in_strings_are_none(self) -> None:
        for text in (b"[" * 500, b"{" * 500, b'\\"[' * 500, b"\\\\" + b"[" * 500):
            assert self.is_taken(b'{"type":"offer","data":"%b"}' % text), text[:9]
        assert not self.is_taken(b'{"type":"offer","a":"\\\\","data":' + b"[" * 64 + b"]" * 64 + b"}")

    def test_wide_is_not_deep(self) -> None:
        assert self.is_taken(b'{"type":"offer","data":[%b]}' % b",".join([b'{"a":[]}'] * 5000))

    def test_no_session_is_harmed(self) -> None:
        world = World()
        home, client = world.home(), world.client()
        session_id = world.session(home, client)
        deep = b"[" * 100 + b"]" * 100
        client.say_bytes(b'{"type":"offer","data":%b}' % deep)
        assert client.forget() == BAD
        home.say_bytes(b'{"type":"answer","sessionId":"%b","data":%b}' % (session_id.encode(), deep))
        assert home.forget() == BAD
        assert client.heard == []

    @settings(max_examples=300)
    @given(
        st.recursive(
            st.just(0),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        )
    )
    def test_agrees_with_a_parser(self, value: Any) -> None:
        nested = value
        for _ in range(58):
            nested = [nested]
        payload = json.dumps({"type": "offer", "data": nested}, ensure_ascii=False).encode()
        if b"\\ud" not in json.dumps(value).encode():
            assert self.is_taken(payload) == (1 + depth_of(nested) <= messages.MAX_DEPTH)


def depth_of(value: Any) -> int:
    """Return how many levels of arrays and objects there are."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


KEYS = st.sampled_from(
    [
        *(b'"type"', b'"sessionId"', b'"data"', b'"x"'),
        *(b'"\\u0074ype"', b'"d\\u0061ta"', b'"session\\u0049d"'),
    ]
)
VALUES = st.sampled_from(
    [
        *(
            b'"offer"',
            b'"S"',
            b'"T"',
            b"1",
            b"{}",
            b"[]",
            b'{"type":"offer","sdp":"s"}',
            b'{"data":{"type":1}}',
        ),
        *(
            b'"{"',
            b'"}"',
            b'"}}"',
            b'"\\""',
            b'"type"',
            b'{"candidate":"c","sdpMid":"0"}',
            b'{"type":1,"type":2}',
        ),
        *(
            b'{"sdpMid":"0","sdpMid":"1"}',
            b'{"sdpMid":"0","sdpMLineIndex":null}',
            b'["sdpMid"]',
            b'{"sdpMid":"\\"sdpMid\\""}',
        ),
    ]
)
SPACE = st.sampled_from([b"", b"", b" ", b"\n\t"])
PAIRS = st.builds(
    lambda key, before, after, value: key + before + b":" + after + value, KEYS, SPACE, SPACE, VALUES
)
PAYLOADS = st.builds(
    lambda kind, pairs, end: (
        b"{" + b",".join([*pairs, b'"type":"%b"' % kind]) + b"}" + end
        if end
        else b"{" + b",".join([b'"type":"%b"' % kind, *pairs]) + b"}"
    ),
    st.sampled_from([b"offer", b"ice-candidate"]),
    st.lists(PAIRS, max_size=4),
    SPACE,
)


def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read an object as parsers do that prefer the first of equal keys."""
    return dict(reversed(pairs))


class KeysTest(SynchronousTestCase):
    """Each key that decides something is there once in what is sent, and says what this server took it for."""

    def check(self, sent: bytes, expected: dict[str, Any]) -> None:
        keys = [key for key, _ in json.loads(sent, object_pairs_hook=list)]
        for key in ("type", "sessionId", "data"):
            assert keys.count(key) == (key in expected), sent
        last, first = json.loads(sent), json.loads(sent, object_pairs_hook=first_of_each)
        assert {key: last[key] for key in keys} == expected, sent
        assert first["type"] == last["type"], sent
        if isinstance(last.get("sessionId"), str):
            assert first["sessionId"] == last["sessionId"], sent

    @settings(max_examples=500)
    @given(PAYLOADS)
    def test_any_message(self, payload: bytes) -> None:
        try:
            message = messages.parse(payload)
        except Refused:
            return
        expected = json.loads(payload)
        self.check(messages.with_session_id(message, payload, "S"), {**expected, "sessionId": "S"})
        data = expected.get("data")
        if (
            expected["type"] == "ice-candidate"
            and isinstance(data, dict)
            and isinstance(data.get("sdpMid"), str)
            and data.get("sdpMLineIndex") is None
        ):
            expected["data"] = {**data, "sdpMLineIndex": 0}
        self.check(messages.for_client(message, payload), expected)

    def test_usual_messages_keep_their_bytes(self) -> None:
        for payload in (
            b'{"type":"offer","sessionId":"S","data":{"sdp":"v=0\\r\\n","type":"offer"}}',
            b'{"type": "answer", "sessionId": "S", "data": {"sdp": "v=0\\r\\n", "type": "answer"}}',
            b'{"type":"ice-candidate","sessionId":"S","data":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}}',
            b'{"type":"ice-candidate","data":{"candidate":"{","sdpMid":"0","sdpMLineIndex":0},"sessionId":"S","x":1e400}',
        ):
            message = messages.parse(payload) if b"1e400" not in payload else {**json.loads(payload), "x": 1}
            assert messages.with_session_id(message, payload, "S") == payload
            assert messages.for_client(message, payload) == payload


class RepairTest(SynchronousTestCase):
    """Homes since 2.10 send candidates without ``sdpMLineIndex``, and the Kotlin client needs it."""

    def setUp(self) -> None:
        self.world = World()
        self.home, self.client = self.world.home(), self.world.client()
        self.session_id = self.world.session(self.home, self.client)

    def heard(self, kind: str, data: object) -> Any:
        """Return the data of a home's message as the client gets it."""
        self.home.say(kind, sessionId=self.session_id, data=data)
        (message,) = self.client.forget()
        return message["data"]

    def test_a_candidate_is_completed(self) -> None:
        for candidate in ("candidate:1 1 UDP 1 192.0.2.1 9 typ host", ""):
            data = {"candidate": candidate, "sdpMid": "0"}
            assert self.heard("ice-candidate", data) == {**data, "sdpMLineIndex": 0}
            assert self.heard("ice-candidate", {**data, "sdpMLineIndex": None}) == {
                **data,
                "sdpMLineIndex": 0,
            }

    def test_all_else_stays_as_it_is(self) -> None:
        for data in (
            {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 1},
            {"candidate": "c"},
            {"candidate": "c", "sdpMid": None},
            {"candidate": "c", "sdpMLineIndex": None},
            ["sdpMid"],
            None,
        ):
            assert self.heard("ice-candidate", data) == data
        assert self.heard("answer", {"sdpMid": "0"}) == {"sdpMid": "0"}

    def test_a_clients_candidate_stays_as_it_is(self) -> None:
        self.client.say("ice-candidate", data={"candidate": "c", "sdpMid": "0"})
        assert self.home.forget()[-1]["data"] == {"candidate": "c", "sdpMid": "0"}


class HyphensTest(SynchronousTestCase):
    """Music Assistant's settings page copies a Remote ID as 8-5-5-8 characters."""

    def test_stripped_where_todays_form_remains(self) -> None:
        assert remote_id.wanted(HYPHENATED) == FINGERPRINT
        assert remote_id.wanted(" " + FINGERPRINT.lower()) == FINGERPRINT
        for other in ("MA-X7K9-P2M4", HYPHENATED[:-1], HYPHENATED + "A", HYPHENATED.replace("a", "2"), "A-B"):
            assert remote_id.wanted(other) == other.upper()

    def test_a_client_finds_the_home(self) -> None:
        world = World()
        home = world.home(FINGERPRINT)
        world.client(HYPHENATED)
        assert home.heard[-1]["type"] == "client-connected"

    def test_a_home_keeps_the_name_that_it_gives_itself(self) -> None:
        world = World()
        world.home("MA-X7K9-P2M4")
        peer = world.connect()
        for _ in range(2):
            peer.say("register-server", remoteId=HYPHENATED)
            assert peer.forget() == [{"type": "registered", "remoteId": HYPHENATED.upper()}]
        for name in (HYPHENATED, FINGERPRINT):
            world.client(name)
            assert peer.forget()[-1]["type"] == "client-connected"
            assert world.is_online(address("198.51.100.1"), remote_id.wanted(name))
        peer.say("register-server", remoteId="OTHER")
        assert peer.heard[-1] == {"type": "registered", "remoteId": "OTHER"}

    def test_one_home_however_it_is_written(self) -> None:
        """Or who asks with hyphens would find somebody else, who need not prove anything."""
        world = World()
        home = world.home(FINGERPRINT)
        stranger = world.connect("203.0.113.1")
        stranger.say("register-server", remoteId=HYPHENATED)
        assert stranger.heard == []
        home.pong()
        assert stranger.codes() == ["remote-id-taken"]
        home.goodbye()
        world.home(HYPHENATED, "203.0.113.2")
        assert world.hub.counts()["servers"] == 1

    def test_lists(self) -> None:
        """What they name is meant in either form."""
        for entry in (HYPHENATED, FINGERPRINT):
            for name in (HYPHENATED, FINGERPRINT):
                world = World()
                world.hub.access.allowed = parse_allowed(entry)
                peer = world.connect()
                peer.say("register-server", remoteId=name)
                assert peer.types() == ["registered"]
                world.hub.access.allowed = None
                world.hub.access.denied = parse_denied(entry)
                for _ in world.hub.enforce_access():
                    pass
                assert peer.codes() == ["not-allowed"]
