"""Talks to a CA with certbot's library, which blocks, and so runs in a child process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from josepy import errors as jose_errors
from josepy import json_util, jwa, jwk

from ma_signaling import __version__
from ma_signaling.acme.problems import Failed
from ma_signaling.acme.self_signed import to_pem

REQUEST_SECONDS = 20
"""Timeout of one request to the CA."""

ORDER_SECONDS = 120.0
"""Time for the CA to validate, and again to issue."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The certificate to ask for, and the CA."""

    directory: str
    ca: str
    """A file with CA certificates that the CA's own certificate is checked against; empty: the usual ones."""
    email: str
    names: Sequence[str]
    challenges: Sequence[str]
    """Kinds of challenges, in order of preference."""
    account: dict[str, Any] | None
    """The account of an earlier run, as ``keep_account`` got it."""


Prove = Callable[[str, str, str, str], None]
"""Begins to answer a challenge, given its kind, name, token and key authorization."""


class _Network(client.ClientNetwork):
    """The library's network, which also keeps the Retry-After of a refusal."""

    retry_after: float | None = None

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        response = super()._send_request(method, url, *args, **kwargs)
        self.retry_after = None
        if not response.ok and "Retry-After" in response.headers:
            until = client.ClientV2.retry_after(response, 0)
            self.retry_after = max(0.0, (until - datetime.now()).total_seconds())  # noqa: DTZ005 - the library's
        return response


def usable_key(account: dict[str, Any] | None, directory: str) -> jwk.JWKEC | None:
    """Return the key of an earlier account with the CA, None if a new account is needed."""
    match account:
        case {"directory": str(known), "uri": str(), "key": dict(fields)} if known == directory:
            pass
        case _:
            return None
    try:
        key = jwk.JWK.from_json(fields)
        if not isinstance(key, jwk.JWKEC) or not isinstance(key.key.curve, ec.SECP256R1):
            return None
        # Fails for a key without its private part.
        jwa.ES256.sign(key.key, b"")
    except (jose_errors.Error, AttributeError, ValueError, KeyError, TypeError):
        return None
    return key


class Talk:
    """A conversation with a CA."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        key = usable_key(wanted.account, wanted.directory)
        self._account = None if key is None else wanted.account
        self._key = key or jwk.JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
        self._net = _Network(
            self._key,
            alg=jwa.ES256,
            verify_ssl=wanted.ca or True,  # type: ignore[arg-type] # requests takes a path as well
            user_agent=f"ma-signaling/{__version__}",
            timeout=REQUEST_SECONDS,
        )

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the CA wants to be asked again, if its refusal says so."""
        return self._net.retry_after

    def issue(self, prove: Prove, keep_account: Callable[[dict[str, Any]], None]) -> bytes:
        """Return a new key and certificate with its chain, in PEM. Raises exceptions for ``problems.explain``."""
        ca = client.ClientV2(client.ClientV2.get_directory(self._wanted.directory, self._net), self._net)
        key = to_pem(ec.generate_private_key(ec.SECP256R1()))
        order = self._order(ca, crypto_util.make_csr(key, list(self._wanted.names)), keep_account)
        answered = [
            (body, self._prove(body, authorization.body.identifier.value, prove))
            for authorization in order.authorizations
            if authorization.body.status != messages.STATUS_VALID
            for body in [self._choose(authorization.body)]
        ]
        for body, response in answered:
            ca.answer_challenge(body, response)
        deadline = datetime.now() + timedelta(seconds=ORDER_SECONDS)  # noqa: DTZ005 - as in the library
        order = ca.poll_authorizations(order, deadline)
        order = ca.finalize_order(order, deadline + timedelta(seconds=ORDER_SECONDS))
        return key + str(order.fullchain_pem).encode()

    def advise(self, certificate: bytes) -> tuple[float | None, float]:
        """Return when the CA wants a certificate (PEM) to be renewed, or None, and when to ask again, in Unix time."""
        ca = client.ClientV2(client.ClientV2.get_directory(self._wanted.directory, self._net), self._net)
        renew_at, ask_at = ca.renewal_time(certificate)
        return None if renew_at is None else renew_at.timestamp(), ask_at.timestamp()

    def _order(
        self, ca: client.ClientV2, csr: bytes, keep_account: Callable[[dict[str, Any]], None]
    ) -> messages.OrderResource:
        if self._account is not None:
            self._net.account = messages.RegistrationResource(
                body=messages.Registration(), uri=self._account["uri"]
            )
            try:
                return ca.new_order(csr)
            except messages.Error as problem:
                if problem.code != "accountDoesNotExist":
                    raise
                self._net.account = None
        # An email of None is left out.
        wish = messages.NewRegistration.from_data(
            email=self._wanted.email or None, terms_of_service_agreed=True
        )
        try:
            uri = ca.new_account(wish).uri
        except errors.ConflictError as known:
            uri = known.location
            self._net.account = messages.RegistrationResource(body=messages.Registration(), uri=uri)
        keep_account({"directory": self._wanted.directory, "uri": uri, "key": self._key.to_json()})
        return ca.new_order(csr)

    def _choose(self, authorization: messages.Authorization) -> messages.ChallengeBody:
        offered = {body.to_partial_json()["type"]: body for body in authorization.challenges}
        for kind in self._wanted.challenges:
            if kind in offered:
                return offered[kind]
        name = authorization.identifier.value
        raise Failed(f"for {name} the CA offers {', '.join(offered)}, and none of these can be answered here")

    def _prove(self, body: messages.ChallengeBody, name: str, prove: Prove) -> challenges.HTTP01Response:
        challenge = body.to_partial_json()
        thumbprint = json_util.encode_b64jose(self._key.thumbprint(hash_function=SHA256))
        authorization = f"{challenge['token']}.{thumbprint}"
        prove(challenge["type"], name, challenge["token"], authorization)
        # The response is an empty object for every kind of challenge (RFC 8555 section 7.5.1).
        return challenges.HTTP01Response(key_authorization=authorization)
