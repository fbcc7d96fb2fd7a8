"""Remote IDs and certificates, on their own: nothing here is shared with the server, which it is to be tested with."""

from __future__ import annotations

import base64
import re

import aiortc


class FingerprintError(Exception):
    """The certificate announced in an answer isn't the one that the Remote ID stands for."""


def remote_id_from_fingerprint(fingerprint: str) -> str:
    """Return the Remote ID that a SHA-256 fingerprint (`AB:CD:…`) stands for."""
    digest = bytes.fromhex(fingerprint.replace(":", ""))
    return base64.b32encode(digest[:16]).decode("ascii").rstrip("=").replace("2", "9")


def remote_id_of(certificate: aiortc.RTCCertificate) -> str:
    """Return the Remote ID of a home that owns `certificate`."""
    (fingerprint,) = (f.value for f in certificate.getFingerprints() if f.algorithm == "sha-256")
    return remote_id_from_fingerprint(fingerprint)


def check_fingerprint(sdp: str, remote_id: str) -> None:
    """Raise `FingerprintError` unless `sdp` has SHA-256 fingerprints and all belong to `remote_id`."""
    fingerprints = re.findall(r"^a=fingerprint:sha-256 +([0-9A-F:]+)\s*$", sdp, re.MULTILINE | re.IGNORECASE)
    found = {remote_id_from_fingerprint(fingerprint) for fingerprint in fingerprints}
    if found != {remote_id.upper()}:
        raise FingerprintError(f"the answer's certificate stands for {sorted(found)}, not for {remote_id}")
