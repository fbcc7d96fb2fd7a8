"""What is said to a CA, as far as that needs none."""

from __future__ import annotations

import io
import json
import signal
import sys
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from josepy import jwk
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme import child
from ma_signaling.acme.client import usable_key

DIRECTORY = "https://ca.example.org/directory"


def make_account(curve: ec.EllipticCurve, **changes: Any) -> dict[str, Any]:
    """Return an account as it is kept."""
    key = jwk.JWKEC(key=ec.generate_private_key(curve)).to_json()
    return {"directory": DIRECTORY, "uri": "https://ca.example.org/1", "key": key, **changes}


class AccountTest(SynchronousTestCase):
    """Which account is used again."""

    def test_usable(self) -> None:
        account = make_account(ec.SECP256R1())
        key = usable_key(account, DIRECTORY)
        assert key is not None
        assert key.to_json() == account["key"]

    def test_unusable(self) -> None:
        """Another one is made."""
        good = make_account(ec.SECP256R1())
        public = {name: value for name, value in good["key"].items() if name != "d"}
        for account in (
            None,
            {},
            {"directory": DIRECTORY, "uri": "u"},
            {"directory": DIRECTORY, "key": good["key"]},
            good | {"directory": "https://other.example.org"},
            good | {"uri": None},
            *(
                good | {"key": key}
                for key in (None, {}, "k", {"kty": "oct", "k": "aa"}, {"kty": "EC"}, public)
            ),
            *(
                good | {"key": good["key"] | {name: value}}
                for name in ("x", "d", "crv")
                for value in (7, "", "!")
            ),
            make_account(ec.SECP384R1()),
        ):
            assert usable_key(account, DIRECTORY) is None, account


class ChildTest(SynchronousTestCase):
    """The process, within this one."""

    def test_no_talk(self) -> None:
        """Its last line is the reason, whatever goes wrong first."""

        def fail(wanted: object) -> None:
            raise ValueError("no talk")

        wish = {"task": "issue", "directory": DIRECTORY, "ca": "", "email": "", "names": [], "challenges": []}
        output = io.BytesIO()
        self.patch(child, "Talk", fail)
        self.patch(
            sys, "stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(wish | {"account": None}).encode()))
        )
        self.patch(sys, "stdout", SimpleNamespace(buffer=output))
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        child.main()
        said = json.loads(output.getvalue())
        assert said["failed"].endswith("no talk"), said
        assert said["retryAfter"] is None
