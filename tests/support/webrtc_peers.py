"""The peers of ``ma_signaling.testing``, by the name that tests know."""

from ma_signaling.testing import (
    STEP_WITHIN,
    Client,
    FingerprintError,
    Home,
    Message,
    Peer,
    SignalingError,
    check_fingerprint,
    eventually,
    loopback_only,
    remote_id_from_fingerprint,
    remote_id_of,
    split_candidates,
)
from ma_signaling.testing.home import CERTIFICATES
from ma_signaling.testing.peer import NO_LINGERING

__all__ = [
    "CERTIFICATES",
    "NO_LINGERING",
    "STEP_WITHIN",
    "Client",
    "FingerprintError",
    "Home",
    "Message",
    "Peer",
    "SignalingError",
    "check_fingerprint",
    "eventually",
    "loopback_only",
    "remote_id_from_fingerprint",
    "remote_id_of",
    "split_candidates",
]
