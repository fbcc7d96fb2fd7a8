"""The parts of an endpoint's description."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import endpoints
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.endpoints import parse_endpoint


class EndpointTest(SynchronousTestCase):
    """As Twisted reads them."""

    def test_tcp(self) -> None:
        for text, port, host in (
            ("8787", 8787, "127.0.0.1"),
            ("tcp:8787", 8787, "127.0.0.1"),
            ("tcp:port=8787:interface=10.0.0.1:backlog=5", 8787, "10.0.0.1"),
            (r"tcp:8787:interface=2001\:db8\:\:1", 8787, "2001:db8::1"),
            (r"tcp:8787:interface=\:\:", 8787, "::1"),
            ("haproxy:tcp:8787:interface=0.0.0.0", 8787, "127.0.0.1"),
            ("ssl:8443:interface=10.0.0.1", 8443, "10.0.0.1"),
        ):
            endpoint = parse_endpoint(text)
            assert (endpoint.port, endpoint.host) == (port, host), text
            assert endpoint.path is None
            assert endpoint.is_proxied == text.startswith("haproxy:")

    def test_others(self) -> None:
        assert parse_endpoint("unix:/run/x:mode=660").path == "/run/x"
        assert parse_endpoint(r"haproxy:unix:address=/run/a\:b").path == "/run/a:b"
        for text in ("systemd:domain=INET:index=0", "nonsense:1", "tcp:", "unix:", "haproxy:", "tcp:x"):
            endpoint = parse_endpoint(text)
            assert (endpoint.port, endpoint.path) == (None, None), text
        assert parse_endpoint("haproxy:systemd:index=0").kind == "systemd"

    @given(st.from_regex(r"[a-b]{1,2}(:([ab:=]|\\[ab:=\\])*)?", fullmatch=True))
    def test_escapes(self, text: str) -> None:
        (kind, *arguments), named = endpoints._parse(text)
        assert parse_endpoint(text) == (kind, False, arguments, named)

    def test_who_excludes_whom(self) -> None:
        for one, other, excludes in (
            ("8787", "tcp:8787", True),
            ("8787", "ssl:8787:interface=10.0.0.1", True),
            ("tcp:8787:interface=10.0.0.2", "tcp:8787:interface=10.0.0.1", False),
            ("8787", "8788", False),
            ("0", "tcp:0", False),
            ("unix:/run/x", "haproxy:unix:/run/x", True),
            ("unix:/run/x", "unix:/run/y", False),
            ("unix:/run/x", "unix:/run//y/../x", True),
            ("unix:/run/x", "8787", False),
            ("systemd:index=0", "systemd:index=0", False),
        ):
            for first, second in permutations((one, other)):
                assert parse_endpoint(first).excludes(parse_endpoint(second)) == excludes, (one, other)
