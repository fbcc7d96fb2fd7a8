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
        assert self.url(port="9000", http_port="9001", **tls) == "http://127.0.0.1:9001/health"
        assert self.url(port="haproxy:tcp:9000", http_port="9001") == "http://127.0.0.1:9001/health"
        assert self.url(port="unix:/run/x") is None
