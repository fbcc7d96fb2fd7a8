"""ICE candidates as numbers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.candidate_counts import MAX_COUNT, MAX_IN_SDP, PLACES, count, named, places
from tests.support.sample_candidates import HOST, HOST_MDNS, HOST_TCP, PRFLX, RELAY, SRFLX, sdp


class CandidatesTest(SynchronousTestCase):
    """Counts by type, transport and family."""

    def counted(self, *candidates: Any) -> dict[str, int]:
        counts = bytearray(PLACES)
        for candidate in candidates:
            count(counts, places({"type": "ice-candidate", "data": {"candidate": candidate}}))
        return named(counts)

    def test_kinds(self) -> None:
        assert self.counted(HOST, HOST_MDNS, HOST_TCP, SRFLX, SRFLX, RELAY, PRFLX) == {
            "host/udp/ipv4": 1,
            "host/udp/mdns": 1,
            "host/tcp/ipv6": 1,
            "srflx/udp/ipv4": 2,
            "relay/udp/ipv4": 1,
            "prflx/udp/ipv6": 1,
        }
        assert self.counted("a=" + HOST, HOST.removeprefix("candidate:")) == {"host/udp/ipv4": 2}

    def test_others(self) -> None:
        assert self.counted("") == {"end": 1}
        odd: list[object] = [
            None,
            5,
            ["candidate"],
            {"a": 1},
            "x",
            "a b c d e f g h",
            HOST.replace("udp", "sctp"),
            " " * 99,
            HOST[:30],
        ]
        assert self.counted(*odd) == {"other": len(odd)}

    def test_counts_end_somewhere(self) -> None:
        assert self.counted(*[HOST] * (MAX_COUNT + 9)) == {"host/udp/ipv4": MAX_COUNT}

    def test_descriptions(self) -> None:
        def counted(data: Any) -> dict[str, int]:
            counts = bytearray(PLACES)
            count(counts, places({"type": "offer", "data": data}))
            return named(counts)

        assert counted(sdp(HOST, SRFLX)) == {"host/udp/ipv4": 1, "srflx/udp/ipv4": 1}
        assert counted({"sdp": f"v=0\na={HOST}"}) == {"host/udp/ipv4": 1}
        for end in ("", "\n", "\r\n", "\r\na=mid:0\r\n", "\nm=a b c d e f g"):
            for short in (" ".join(HOST.split(" ")[:8]), HOST + " x"):
                assert counted({"sdp": f"v=0\r\na={short}{end}"}) == {"host/udp/ipv4": 1}, (short, end)
        assert sum(counted(sdp(*[HOST] * (MAX_IN_SDP + 9))).values()) == MAX_IN_SDP
        odd: tuple[object, ...] = (
            None,
            5,
            "v=0",
            [],
            {},
            {"sdp": None},
            {"sdp": ""},
            {"sdp": "a=candidate:"},
        )
        for each in odd:
            assert counted(each) == {}, each
