"""The doctor's modules that know nothing of the page, in a real browser."""

from __future__ import annotations

import re
from typing import Any

from tests import ROOT
from tests.support.browser_cases import DoctorTestCase
from tests.support.browser_thread import Visit
from tests.support.webrtc_peers import remote_id_from_fingerprint

DOCTOR = ROOT / "ma_signaling" / "http" / "pages" / "doctor"


class LogicTests(DoctorTestCase):
    """The modules that know nothing of the page."""

    def call(self, module: str, code: str, *arguments: object) -> Any:
        """Evaluate an expression of `m`, a module of the doctor, and `a`, the arguments."""

        def play(visit: Visit) -> Any:
            visit.page.goto(self.server.http + "/doctor")
            script = f"async (a) => {{ const m = await import('/assets/doctor/{module}'); return {code}; }}"
            return visit.page.evaluate(script, list(arguments))

        return self.visit(play)

    def test_remote_ids(self) -> None:
        """As the homes make them."""
        for number in (0, 1, 255):
            fingerprint = ":".join(f"{(number * each + each) % 256:02X}" for each in range(32))
            made = self.call("remote_id.js", "m.fromFingerprint(a[0])", fingerprint)
            assert made == remote_id_from_fingerprint(fingerprint), fingerprint

    def test_typed_remote_ids(self) -> None:
        cases = {
            " maik7 dnl3 ": "MAIK7DNL3",
            "ma-x7k9-p2m4": "MA-X7K9-P2M4",
            "AAAAAAAA-AAAAAAAA-AAAAAAAAAA": "A" * 26,
            "https://app.example/?remote_id=" + "a" * 26 + "&x=y": "A" * 26,
        }
        assert self.call("remote_id.js", "a[0].map(m.tidy)", list(cases)) == list(cases.values())

    def test_fingerprints_that_cannot_be_checked(self) -> None:
        """All that count must be SHA-256, at session level and below: a browser may prefer any of them."""
        right, wrong = ":".join(["AB"] * 32), ":".join(["CD"] * 32)
        lines = [("sha-512", wrong), ("SHA-256", right), ("sha-256", wrong)]
        sdp = "\r\n".join(["v=0", *(f"a=fingerprint:{hash} {value}" for hash, value in lines), "m=x"])
        found = self.call("remote_id.js", "m.inDescription(a[0])", sdp)
        assert found == [remote_id_from_fingerprint(each) for each in (right, wrong)]
        assert "sha-512" not in self.call("remote_id.js", "m.withoutOtherFingerprints(a[0])", sdp)

    def test_why_no_path(self) -> None:
        cases: list[tuple[str, str, str, bool, str]] = [
            ("", "host", "", False, "no-local-candidates"),
            ("", "host", "", True, "no-relay-given"),
            ("", "host", "relay", True, "relays-unreachable"),
            ("host", "", "", False, "no-remote-candidates"),
            ("host", "host", "", False, "only-local"),
            ("host", "host srflx", "", False, "no-public-here"),
            ("host srflx", "host", "", False, "no-public-there"),
            ("host srflx", "host srflx", "", False, "no-relay"),
            ("host srflx", "host srflx", "relay", False, "relays-unreachable"),
            ("host srflx relay", "host srflx", "relay", False, "relay-in-vain"),
            ("host srflx", "host srflx relay", "", False, "relay-in-vain"),
        ]
        given = [
            {
                "local": [{"type": each} for each in local.split()],
                "remote": [{"type": each} for each in remote.split()],
                "probes": [{"kind": each} for each in probes.split()],
                "relayOnly": relay_only,
            }
            for local, remote, probes, relay_only, _ in cases
        ]
        assert self.call("verdicts.js", "a[0].map(m.whyNoPath)", given) == [code for *_, code in cases]

    def test_every_code_has_its_sentences(self) -> None:
        sources = "".join(path.read_text() for path in DOCTOR.glob("*.js") if path.name != "sentences.js")
        codes = set(re.findall(r'new Stop\("([a-z-]+)"', sources))
        codes |= set(re.findall(r'_WITHIN, "([a-z-]+)"', sources))
        codes |= set(
            re.findall(
                r'(?:return|[?:]) "((?:no|only|relays?)-[a-z-]+)"', (DOCTOR / "verdicts.js").read_text()
            )
        )
        codes |= {"id-bad", "id-mistyped", "home-lost", "home-silent", "no-answer"}
        # The one that findPath turns into those of verdicts.js.
        codes -= {"no-path"}
        assert len(codes) > 25, codes
        details = {"seconds": 7, "code": 1012, "text": "Why."}
        said = self.call("sentences.js", "a[0].map((code) => m.explain(code, a[1]))", sorted(codes), details)
        for code, each in zip(sorted(codes), said, strict=True):
            assert code == "unexpected" or not each["text"].startswith("The check itself failed"), code
            assert each["text"].endswith("."), each
            assert each["advice"].endswith(".") or code == "stopped", each
            assert "undefined" not in str(each), each

    def test_shortened(self) -> None:
        cases = {
            "from 203.0.113.77:4000": "from 203.0.x.x:4000",
            "turn:[2001:db8:1::77]:3478": "turn:[2001:db8:…]:3478",
            "fe80::fc:ff:fe00:1 and ::1": "fe80::… and ::1",
            "home ABCDEFGH": "home ABCD…",
            "2026-11-23T12:34:56Z": "2026-11-23T12:34:56Z",
        }
        found = self.call("report.js", "a[0].map((text) => m.shorten(text, 'ABCDEFGH'))", list(cases))
        assert dict(zip(cases, found, strict=True)) == cases
