"""Whom the health check asks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.sources import load
from ma_signaling.healthcheck import health_url


class HealthCheckTest(SynchronousTestCase):
    """Whom it asks."""

    def url(self, **options: str) -> str | None:
        return health_url(load({name: [text] for name, text in options.items()}, {}).settings)

    def test_which_port(self) -> None:
        tls = {"tls_cert": "cert.pem", "tls_key": "key.pem"}
        assert self.url() == "http://127.0.0.1:8787/health"
        assert self.url(port="9000") == "http://127.0.0.1:9000/health"
        assert self.url(port="tcp:9000:interface=127.0.0.1") == "http://127.0.0.1:9000/health"
        assert self.url(port="9000", **tls) == "https://127.0.0.1:9000/health"
        acme = {"acme_domain": "signaling.example.org", "acme_agree_tos": "on", "state_directory": "state"}
        assert self.url(**acme) == "https://127.0.0.1:443/health"
        assert self.url(port="9000", http_port="9001", **tls) == "http://127.0.0.1:9001/health"
        assert self.url(port="haproxy:tcp:9000", http_port="9001") == "http://127.0.0.1:9001/health"
        assert self.url(port="unix:/run/x") is None

    def test_which_interface(self) -> None:
        for port, address in {
            "tcp:9000:interface=10.0.0.1": "10.0.0.1:9000",
            "tcp:port=9000:interface=10.0.0.1:backlog=100": "10.0.0.1:9000",
            "tcp:9000:interface=0.0.0.0": "127.0.0.1:9000",
            r"tcp:9000:interface=2001\:db8\:\:1": "[2001:db8::1]:9000",
            r"tcp:9000:interface=\:\:": "[::1]:9000",
            "tcp:9000:backlog=100": "127.0.0.1:9000",
        }.items():
            assert self.url(port=port) == f"http://{address}/health", port
        assert self.url(port="tcp:interface=10.0.0.1") is None
