"""Answers to a CA that validates this server's names, by TLS (RFC 8737) or HTTP (RFC 8555)."""

from __future__ import annotations

from OpenSSL import SSL

from ma_signaling.acme.self_signed import answer_challenge


class Challenges:
    """The challenges of the current attempt; most of the time there are none."""

    def __init__(self) -> None:
        self._by_token: dict[str, str] = {}
        self._by_name: dict[bytes, SSL.Context] = {}

    def take(self, kind: str, name: str, token: str, authorization: str) -> None:
        """Answer a challenge from now on. Raises ValueError for an unknown kind."""
        if kind == "http-01":
            self._by_token[token] = authorization
        elif kind == "tls-alpn-01":
            certificate, key = answer_challenge(name, authorization)
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.use_certificate(certificate)
            context.use_privatekey(key)
            self._by_name[name.encode("ascii")] = context
        else:
            raise ValueError(kind)

    def clear(self) -> None:
        """Stop answering all challenges."""
        self._by_token.clear()
        self._by_name.clear()

    def authorization(self, token: str) -> str | None:
        """Return the content of ``/.well-known/acme-challenge/TOKEN``, None if the token is unknown."""
        return self._by_token.get(token)

    def context_for(self, name: bytes | None) -> SSL.Context | None:
        """Return the TLS context for a handshake with ``acme-tls/1`` and this server name, None if it is unknown."""
        return self._by_name.get((name or b"").lower())
