"""Key updates after a TLS 1.3 handshake (RFC 8446 section 4.6.3), which pyOpenSSL can't send."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

CIPHER = b"TLS_AES_256_GCM_SHA384"
HANDSHAKE, DATA = 22, 23
KEY_UPDATE = 24


class NewKeys:
    """Makes a client's records after its handshake, instead of its OpenSSL, which must have sent none yet."""

    def __init__(self, context: SSL.Context) -> None:
        """``context`` is the one with which the client's connection will be made."""
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(CIPHER)
        context.set_keylog_callback(self._note)
        self._secret = b""
        self._count = 0

    def _note(self, tls: SSL.Connection, line: bytes) -> None:
        label, _, secret = line.split()
        if label == b"CLIENT_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode())

    def demand(self) -> bytes:
        """Return a record that demands new keys of the server; later records use this side's new keys."""
        return self.announce(is_demand=True)

    def announce(self, *, is_demand: bool = False) -> bytes:
        """Return a record that announces this side's new keys, which later records use."""
        record = self.record(HANDSHAKE, bytes([KEY_UPDATE, 0, 0, 1, is_demand]))
        self._secret = self._derive("traffic upd", 48)
        self._count = 0
        return record

    def record(self, kind: int, content: bytes) -> bytes:
        """Return a record."""
        head = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2)
        nonce = int.from_bytes(self._derive("iv", 12)) ^ self._count
        self._count += 1
        sealed = AESGCM(self._derive("key", 32)).encrypt(nonce.to_bytes(12), content + bytes([kind]), head)
        return head + sealed

    def _derive(self, label: str, size: int) -> bytes:
        named = b"tls13 " + label.encode()
        info = size.to_bytes(2) + bytes([len(named)]) + named + b"\0"
        return HKDFExpand(SHA384(), size, info).derive(self._secret)
