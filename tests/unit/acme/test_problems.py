"""What an operator is told when no certificate is issued."""

from __future__ import annotations

import requests
from acme import errors, messages
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme.problems import Failed, explain

DIRECTORY = "https://ca.example.org/directory"


def failed_challenge(kind: str, code: str, detail: str) -> errors.ValidationError:
    """What the library makes of an authorization like this."""
    challenge = {
        "type": kind,
        "url": "https://ca.example.org/1",
        "token": "dG9rZW4tdG9rZW4tdG9rZW4",
        "status": "invalid",
        "error": {"type": f"urn:ietf:params:acme:error:{code}", "detail": detail},
    }
    body = messages.Authorization.from_json(
        {
            "identifier": {"type": "dns", "value": "a.example.org"},
            "status": "invalid",
            "challenges": [challenge],
        }
    )
    return errors.ValidationError([messages.AuthorizationResource(body=body, uri="https://ca.example.org/2")])


class ExplainTest(SynchronousTestCase):
    """Each line says what to do."""

    def assert_line(self, problem: Exception, *parts: str) -> None:
        line = explain(problem, DIRECTORY)
        assert "\n" not in line
        for part in parts:
            assert part in line, line

    def test_challenges(self) -> None:
        self.assert_line(
            failed_challenge("tls-alpn-01", "connection", "refused\nby 192.0.2.1"),
            "did not find this server at a.example.org, port 443: let the name",
            "(tls-alpn-01: refused by 192.0.2.1)",
        )
        self.assert_line(failed_challenge("http-01", "unauthorized", "404"), "port 80: let the name")
        self.assert_line(failed_challenge("http-01", "dns", "NXDOMAIN"), "has no address", "A or AAAA")
        self.assert_line(
            failed_challenge("http-01", "caa", "no"),
            "a CAA record of a.example.org forbids",
            "name the CA in it",
        )

    def test_refusals(self) -> None:
        for code, part in (
            ("rateLimited", "limits requests, and the limit is reached: wait, and keep the state directory"),
            ("rejectedIdentifier", "issues no certificate for a name of --acme-domain"),
            ("invalidContact", "refuses --acme-email"),
            ("externalAccountRequired", "doesn't support"),
            ("serverInternal", "refuses: too many certificates already issued (serverInternal)"),
        ):
            refusal = messages.Error.with_code(code, detail="too many certificates already issued")
            self.assert_line(refusal, "the CA at ca.example.org", part)
            self.assert_line(errors.IssuanceError(refusal), part)

    def test_troubles(self) -> None:
        self.assert_line(requests.exceptions.SSLError("self-signed"), "not trusted", "--acme-ca")
        self.assert_line(
            requests.exceptions.ReadTimeout("slow"),
            "the CA at ca.example.org can't be reached: let this machine connect",
            "(slow)",
        )
        self.assert_line(errors.TimeoutError(), "not decided in time")
        self.assert_line(KeyError("newNonce"), f"no ACME server answers at {DIRECTORY}")
        self.assert_line(Failed("no challenge"), "no challenge")
