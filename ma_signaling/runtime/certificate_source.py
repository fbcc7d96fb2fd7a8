"""The source of the TLS certificate: two files of the operator, or a CA that is asked by ACME."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from ma_signaling.acme.challenges import Challenges
from ma_signaling.acme.service import Acme
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.endpoints import parse_endpoint
from ma_signaling.config.files import read_regular
from ma_signaling.config.settings import Settings
from ma_signaling.http.channel import HttpSite
from ma_signaling.http.redirect_site import RedirectSite, Root
from ma_signaling.runtime.certificates import Certificates
from ma_signaling.runtime.state_directory import StateDirectory
from ma_signaling.transport.child_process import Reactor
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.openssl_calls import RELEASE_SECONDS, calls
from ma_signaling.transport.timers import Periodic


class CertificateSource:
    """``certificates`` for TLS, and ``acme``, which has them issued; None if they are the operator's files."""

    certificates: Certificates
    acme: Acme | None = None

    def __init__(self, settings: Settings, state: StateDirectory | None, reactor: Reactor) -> None:
        self._settings = settings
        self.buffers = Periodic("TLS buffers", RELEASE_SECONDS, calls.release_all, reactor)
        self._challenges = Challenges()
        if settings.acme_domain:
            check_acme(settings)
            assert state is not None
            self.acme = Acme(settings, state.path / "acme", self._challenges, reactor, self._renewed)
            self.certificates = Certificates(
                self.acme.pair,
                self.acme.pair,
                reactor,
                find_challenge=self._challenges.context_for,
                stands_in=self._has_none,
            )
        else:
            self.certificates = Certificates(Path(settings.tls_cert), Path(settings.tls_key), reactor)

    def make_redirect(self, main: SignalingFactory) -> RedirectSite | None:
        """Return the site for the unencrypted port that the CA asks, None if there is none."""
        if self.acme is None or not self._settings.acme_http_port:
            return None
        names = self._settings.acme_domain
        port = next(filter(None, (parse_endpoint(each).port for each in self._settings.port)), 443)
        root = Root(names, port, self._challenges.authorization)
        return RedirectSite(root, main, cast("HttpSite", main.site).charge)

    def _renewed(self, pem: bytes) -> None:
        self.certificates.renewed(pem)

    def _has_none(self) -> bool:
        return self.acme is not None and not self.acme.is_issued


def check_acme(settings: Settings) -> None:
    """Raise ``CannotStart`` if the library for ACME, or the certificate in ``acme_ca``, can't be used."""
    if find_spec("acme") is None:
        raise CannotStart("--acme-domain needs the extra acme: pip install 'ma-signaling[acme]'")
    if settings.acme_ca:
        try:
            read_regular(Path(settings.acme_ca))
            ssl.create_default_context(cafile=settings.acme_ca)
        except ssl.SSLError:
            raise CannotStart(f"--acme-ca: {settings.acme_ca} is not a certificate") from None
        except OSError as problem:
            raise CannotStart(f"--acme-ca: {settings.acme_ca} cannot be read: {problem.strerror}") from None
