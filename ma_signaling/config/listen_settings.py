"""The settings of ports and their certificate. See ``settings`` for all others."""

from __future__ import annotations

from dataclasses import dataclass

from ma_signaling.config import values
from ma_signaling.config.declaration import STATE_VARIABLE, setting


@dataclass(kw_only=True)
class ListenSettings:
    """Where to listen, with which certificate, and where to keep state."""

    port: tuple[str, ...] = setting(
        "8787",
        values.port,
        "Where to listen: a port on every address, or a Twisted endpoint; repeatable",
        unit="port or endpoint",
        repeatable=True,
        also="PORT",
    )
    http_port: tuple[str, ...] = setting(
        "",
        values.port,
        "Where to listen without TLS when --port uses TLS; repeatable",
        unit="port or endpoint",
        repeatable=True,
    )
    reuse_port: bool = setting(
        "off",
        values.switch,
        "Share the TCP ports of --port and --http-port with other processes on this machine; needs --nats-url",
        unit="on or off",
    )
    tls_cert: str = setting(
        "", str, "TLS certificate for every --port, PEM, followed by its chain; empty: no TLS", unit="path"
    )
    tls_key: str = setting("", str, "Private key of the certificate, PEM, unencrypted", unit="path")
    acme_domain: tuple[str, ...] = setting(
        "",
        values.host_names,
        "Names of this server, for which it gets a certificate over ACME; --port is then 443 by default; repeatable",
        unit="host names",
        is_list=True,
    )
    acme_agree_tos: bool = setting(
        "off",
        values.switch,
        "Agree to the terms of service of the CA; the option takes no value",
        unit="on or off",
        is_flag=True,
    )
    acme_email: str = setting(
        "",
        str,
        "Your e-mail address, for notices from the CA, such as before a certificate expires",
        unit="address",
    )
    acme_directory: str = setting(
        "https://acme-v02.api.letsencrypt.org/directory",
        values.https_url,
        "ACME directory of the CA; by default that of Let's Encrypt",
        unit="URL",
    )
    acme_ca: str = setting(
        "",
        str,
        "CA certificates to check the ACME directory's own certificate against, PEM; empty: the usual ones",
        unit="path",
    )
    acme_http_port: str = setting(
        "80",
        values.port_unless_none,
        "Where to answer the CA without TLS, and redirect everybody else to https; none: the CA uses only --port",
        unit="port or endpoint, or none",
    )
    state_directory: str = setting(
        "",
        str,
        "Directory for data that outlives a restart: ACME certificates, bans; empty: a default, only for --acme-domain",
        unit="path",
        also=STATE_VARIABLE,
    )
    hsts: int = setting(
        "0",
        values.Whole(0),
        "max-age of the Strict-Transport-Security header in replies over TLS; 0: no header",
        unit="seconds",
        live=True,
    )

    @property
    def is_secure(self) -> bool:
        """Whether every ``port`` speaks TLS with this server's certificate."""
        return bool(self.tls_cert or self.acme_domain)
