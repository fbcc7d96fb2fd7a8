"""The doctor's modules that know nothing of the page, in a real browser."""

from __future__ import annotations

from ma_signaling.testing import remote_id_from_fingerprint
from tests.support.browser_cases import DoctorTestCase


class LogicTests(DoctorTestCase):
    """The modules that know nothing of the page."""

    def test_remote_ids(self) -> None:
        """As the homes make them."""
        for number in (0, 1, 255):
            fingerprint = ":".join(f"{(number * each + each) % 256:02X}" for each in range(32))
            made = self.call("remote_id.js", "m.fromFingerprint(a[0])", fingerprint)
            assert made == remote_id_from_fingerprint(fingerprint), fingerprint

    def test_typed_remote_ids(self) -> None:
        cases = {
            " maik7 dnl3 ": "MAIK7DNL3",
            "\u201caaaaaaaa\u2011aaaaa\u2013aaaaa-aaaaaaa\u200ba\u201d": "A" * 26,
            "https://app.music-assistant.io/?join=x&remote_id=aaaaaaaa%2Daaaaaaaa%2Daaaaaaaaaa#/guest": "A"
            * 26,
            "https://signaling.example/doctor#MA-X7K9-P2M4": "MA-X7K9-P2M4",
            "%E0%A4%A": "%E0%A4%A",
            "AAAAAAAA-AAAAA-AAAAA-AAAAAAA0": "A" * 25 + "0",
            "ma-x7k9-p2m4": "MA-X7K9-P2M4",
            "AAAAAAAA-AAAAAAAA-AAAAAAAAAA": "A" * 26,
            "https://app.example/?remote_id=" + "a" * 26 + "&x=y": "A" * 26,
            "https://signaling-home-example-server.org/app/?remote_id=MA-X7K9-P2M4": "MA-X7K9-P2M4",
            f"Remote ID: {'A' * 26}": "A" * 26,
            f"Remote ID: {'A' * 26}\nLink: https://a.example/app/?remote_id={'A' * 26}&remote=1": "A" * 26,
            f"It is ({'a' * 26}).": "A" * 26,
            f"a.example/doctor#{'A' * 26}": "A" * 26,
            "a.example/doctor#MA-X7K9-P2M4": "MA-X7K9-P2M4",
            f"{'A' * 26} or {'B' * 26}": f"{'A' * 26}OR{'B' * 26}",
            "AAAAAAAA AAAAA AAAAA AAAAAAAA": "A" * 26,
        }
        assert self.call("remote_id.js", "a[0].map(m.tidy)", list(cases)) == list(cases.values())

    def test_web_app(self) -> None:
        """The public one is for the public server alone."""
        cases = {
            ("", "https://signaling.music-assistant.io/", "A"): "https://app.music-assistant.io/?remote_id=A",
            ("", "https://signaling.example.org/doctor", "A"): None,
            (
                "/app/",
                "https://signaling.example.org/doctor",
                "A",
            ): "https://signaling.example.org/app/?remote_id=A",
            ("/app/", "https://signaling.example.org/", ""): "https://signaling.example.org/app/",
        }
        found = self.call(
            "../app.js", "a[0].map(([own, place, id]) => m.appLink(own, new URL(place), id))", [*cases]
        )
        assert found == [*cases.values()]

    def test_fingerprints_that_cannot_be_checked(self) -> None:
        """All that count must be SHA-256, at session level and below: a browser may prefer any of them."""
        right, wrong = ":".join(["AB"] * 32), ":".join(["CD"] * 32)
        lines = [("sha-512", wrong), ("SHA-256", right), ("sha-256", wrong)]
        sdp = "\r\n".join(["v=0", *(f"a=fingerprint:{hash} {value}" for hash, value in lines), "m=x"])
        found = self.call("remote_id.js", "m.inDescription(a[0])", sdp)
        assert found == [remote_id_from_fingerprint(each) for each in (right, wrong)]
        assert "sha-512" not in self.call("remote_id.js", "m.withoutOtherFingerprints(a[0])", sdp)

    def test_why_no_path(self) -> None:

        def candidate(kind: str) -> dict[str, str]:
            """A ``public`` one is a machine's own."""
            address = "192.168.1.2" if kind == "host" else "203.0.113.7"
            return {"type": "host" if kind == "public" else kind, "address": address}

        cases: list[tuple[str, str, str, bool, str]] = [
            ("", "host", "", False, "no-local-candidates"),
            ("", "host", "", True, "no-relay-given"),
            ("", "host", "relay", True, "relays-unreachable"),
            ("", "host", "relay=refused", True, "relay-refused"),
            ("", "host", "relay=refused relay=unreachable", True, "relays-unreachable"),
            ("host", "", "", False, "no-remote-candidates"),
            ("host", "host", "", False, "only-local"),
            ("host", "host srflx", "", False, "no-public-here"),
            ("host srflx", "host", "", False, "no-public-there"),
            ("host srflx", "host srflx", "", False, "no-relay"),
            ("host public", "host", "", False, "no-public-there"),
            ("host", "host public", "", False, "no-public-here"),
            ("host srflx", "host srflx", "relay", False, "relays-unreachable"),
            ("host srflx", "host srflx", "relay=refused", False, "relay-refused"),
            ("host srflx relay", "host srflx", "relay", False, "relay-in-vain"),
            ("host srflx", "host srflx relay", "", False, "relay-in-vain"),
        ]
        given = [
            {
                "local": [candidate(each) for each in local.split()],
                "remote": [candidate(each) for each in remote.split()],
                "probes": [
                    dict(zip(("kind", "outcome"), each.split("="), strict=False)) for each in probes.split()
                ],
                "only": "relay" if relay_only else "any",
            }
            for local, remote, probes, relay_only, _ in cases
        ]
        assert self.call("verdicts.js", "a[0].map(m.whyNoPath)", given) == [code for *_, code in cases]

    def test_why_no_ipv6(self) -> None:
        cases = [
            ("", "ipv4", "no-ipv6-there"),
            ("ipv4", "ipv6", "no-ipv6-here"),
            ("ipv6", "ipv6", "ipv6-blocked"),
        ]
        given = [
            {"only": "ipv6", "local": [{"family": local}], "remote": [{"family": remote}]}
            for local, remote, _ in cases
        ]
        assert self.call("verdicts.js", "a[0].map(m.whyNoPath)", given) == [code for *_, code in cases]

    def test_local_and_public_addresses(self) -> None:
        """A peer-reflexive address is as public as it is, and no more."""
        local = ["127.0.0.1", "::1", "[::1]", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.0.1"]
        local += ["100.64.0.1", "fe80::1", "fd00::1", "localhost", "nas.local", "8f.local"]
        local += ["nas", "music.lan", "ma.home.arpa", "ha.internal", "a.localhost"]
        public = [
            "203.0.113.7",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8::1",
            "example.org",
            "10.example.org",
            "lan.example",
        ]
        found = self.call("candidates.js", "a[0].map(m.isLocal)", [*local, *public])
        assert found == [True] * len(local) + [False] * len(public)
        ends = [
            {"candidateType": "prflx", "protocol": "udp", "address": "127.0.0.1"},
            {"candidateType": "prflx", "protocol": "udp", "address": "203.0.113.7"},
            {"candidateType": "relay", "protocol": "udp", "address": "203.0.113.7", "relayProtocol": "tls"},
            {"candidateType": "host", "protocol": "udp"},
        ]
        assert self.call("candidates.js", "a[0].map(m.describeEnd)", ends) == [
            "prflx/udp/ipv4, local",
            "prflx/udp/ipv4, public",
            "relay/udp/ipv4, public, relay by tls",
            "host/udp",
        ]

    def test_unencrypted(self) -> None:
        """No tick for an unencrypted connection to a server elsewhere."""
        cases = {
            "https://signaling.example.org/doctor": {"found": "encrypted"},
            "http://signaling.example.org/doctor": {"warning": "unencrypted"},
            "http://203.0.113.7:8787/doctor": {"warning": "unencrypted"},
            "http://192.168.1.2:8787/doctor": {"found": "local"},
            "http://[::1]:8787/doctor": {"found": "local"},
        }
        opened = """await (async () => {
            globalThis.WebSocket = class extends EventTarget {
                constructor() { super(); setTimeout(() => this.dispatchEvent(new Event("open"))); }
            };
            const { signal } = new AbortController();
            return Promise.all(a[0].map((href) => m.openWebSocket({ place: { href }, signal })));
        })()"""
        assert self.call("signaling_steps.js", opened, list(cases)) == [*cases.values()]

    def test_relays_by_udp_alone(self) -> None:
        cases = {
            "turn:a": True,
            "turn:a?transport=udp stun:b": True,
            "turn:a turn:a?transport=tcp": False,
            "turns:a": False,
            "stun:a": False,
        }
        given = [[{"url": url} for url in urls.split()] for urls in cases]
        assert self.call("ice_servers.js", "a[0].map(m.relaysNeedUdp)", given) == [*cases.values()]
        found = self.call(
            "connection_steps.js", "[0, 1, 2].map((good) => m.warningsOf(a[0], good))", given[1]
        )
        assert found == [[kind, "relays-udp-only"] for kind in ("dead-ice-servers", "some-ice-servers")] + [
            ["relays-udp-only"]
        ]

    def test_durations(self) -> None:
        """Nothing takes 0 ms."""
        found = self.call("report.js", "a[0].map(m.duration)", [0, 0.4, 1, 999, 1500])
        assert found == ["< 1 ms", "< 1 ms", "1 ms", "999 ms", "1.5 s"]

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
        others = {"A": "[FAIL]", "ÄÖÜÄÖÜÄÖÜ": "xäöüäöüäöüx", "A.*B(C[D": "A.*B(C[D or AxxB"}
        found = self.call("report.js", "a[0].map(([id, text]) => m.shorten(text, id))", [*others.items()])
        assert found == ["[FAIL]", "xÄÖÜÄ…x", "A.*B… or AxxB"]

    def test_report_names_no_whole_remote_id(self) -> None:
        """Whatever was pasted."""
        report = """a[0].map((id) => m.report({
            id, only: "any", where: "host", when: "now", browser: "", link: "",
            steps: [["id", { status: "fail", failure: "id-bad" }]],
            result: { failure: { code: "id-bad" }, remarks: [] },
        }))"""
        cases = {
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ": "home ABCD…",
            "REMOTEID:TQBZ7777777777777777777777QCNM": "home of 39 characters",
            "ÄÖÜ": "home of 3 characters",
            "A": "home A…",
        }
        for found, (given, wanted) in zip(
            self.call("report.js", report, [*cases]), cases.items(), strict=True
        ):
            assert f"now, host, {wanted}\n\n[FAIL] id id-bad" in found, found
            assert given not in found or len(given) < 4, found
