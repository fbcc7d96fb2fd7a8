"""The TLS context that connections share: protocol versions, ciphers, ALPN, and a certificate that was tried."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from OpenSSL import SSL, crypto

from ma_signaling.runtime.key_pair import BadPair, KeyPair

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Ciphers for TLS 1.2: only ephemeral keys and authenticated encryption. TLS 1.3 has no others."""

HTTP = b"http/1.1"

ACME = b"acme-tls/1"
"""The ALPN protocol by which a CA validates that this server has a name (RFC 8737)."""

FindContext = Callable[[bytes | None], SSL.Context | None]
"""Returns the TLS context for a CA that validates this server name, None if no validation is due."""

ROUND_TRIPS = 3
"""More round trips than a handshake takes."""

MAX_FLIGHT_BYTES = 1 << 20
"""More bytes than any certificate chain has."""


def make_context(pair: KeyPair, find_challenge: FindContext = lambda _: None) -> SSL.Context:
    """Return the context, with a new session ticket key, for connections that use this certificate.

    It is much like Twisted's CertificateOptions, which can't answer clients that don't offer HTTP/1.1. Raises
    ``BadPair`` if OpenSSL refuses the pair, or no client could complete a handshake with it.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Nearly all connections are idle and need no buffers.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Clients keep the sessions, in tickets.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_select_callback(partial(_select_protocol, find_challenge))
    try:
        context.use_certificate(pair.chain[0])
        context.use_privatekey(pair.key)  # type: ignore[arg-type] # OpenSSL itself knows which keys will do
        for certificate in pair.chain[1:]:
            context.add_extra_chain_cert(certificate)
        # Last, because pyOpenSSL tests it on a connection, and allows no changes after that.
        context.set_cipher_list(CIPHERS)
    except (SSL.Error, crypto.Error) as problem:
        raise BadPair(f"OpenSSL refuses the certificate or its key: {_reasons(problem)}") from None
    try:
        _shake_hands(context)
    except SSL.Error as problem:
        raise BadPair(f"with this certificate, every handshake would fail: {_reasons(problem)}") from None
    return context


def _reasons(problem: SSL.Error | crypto.Error) -> str:
    return ", ".join(reason for _, _, reason in problem.args[0])


def _select_protocol(find_challenge: FindContext, connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """Select HTTP/1.1 by ALPN (RFC 7301 section 3.2), or refuse with an alert if it isn't offered."""
    if HTTP in offered:
        return HTTP
    # In TLS 1.2 OpenSSL has chosen the certificate already; in 1.3, which every CA speaks, not yet.
    if ACME in offered and connection.get_protocol_version() == SSL.TLS1_3_VERSION:
        context = find_challenge(connection.get_servername())
        if context is not None:
            connection.set_context(context)
            return ACME
    # An exception in this callback ends the handshake with no_application_protocol, and is then raised by pyOpenSSL's
    # call, where Twisted expects this class and shape.
    raise SSL.Error([("", "", "no application protocol")])


def _shake_hands(context: SSL.Context) -> None:
    """Raise ``SSL.Error`` unless an OpenSSL client with its defaults completes a handshake."""
    server, client = SSL.Connection(context), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    server.set_accept_state()
    client.set_connect_state()
    for sender, receiver in ((client, server), (server, client)) * ROUND_TRIPS:
        with suppress(SSL.WantReadError):
            sender.do_handshake()
        with suppress(SSL.WantReadError):
            receiver.bio_write(sender.bio_read(MAX_FLIGHT_BYTES))
    # Both are done, or these raise what is missing.
    client.do_handshake()
    server.do_handshake()
