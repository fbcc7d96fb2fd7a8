"""What a proof may use, on its way to the child process; and which of our servers it can use."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from unittest import TestCase

from ma_signaling.webrtc.means import Means, Turn, first_by_udp


class MeansTest(TestCase):
    """Means, and the URLs of servers."""

    def test_over_the_pipe(self) -> None:
        for means in (
            Means(),
            Means(
                (ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
                ip_address("198.51.100.7"),
                is_relay_only=True,
                stun=("stun.example.org", 3478),
                turn=Turn(("turn.example.org", 5000), "1:a", "secret"),
            ),
        ):
            assert Means.from_json(json.loads(json.dumps(means.as_json()))) == means

    def test_servers(self) -> None:
        for urls, expected in (
            ((), None),
            (("stun:stun.example.org",), ("stun.example.org", 3478)),
            (("stuns:a", "stun:192.0.2.1:5000"), ("192.0.2.1", 5000)),
            (("turn:a?transport=tcp", "turns:b", "turn:c:1?transport=udp"), ("c", 1)),
            (("turn:a", "turn:b"), ("a", 3478)),
            (("turns:a:443?transport=tcp",), None),
        ):
            assert first_by_udp(urls) == expected, urls
