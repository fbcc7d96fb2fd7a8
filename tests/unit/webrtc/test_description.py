"""Session descriptions: what is taken from those of peers, and what is written."""

from __future__ import annotations

from ipaddress import ip_address
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from ma_signaling.core.remote_id import from_fingerprint
from ma_signaling.webrtc.description import MAX_BYTES, MAX_LINES, Candidate, Description

FINGERPRINT = ":".join(f"{byte:02X}" for byte in range(32))
OTHER = ":".join(f"{byte:02X}" for byte in range(32, 64))

# As libdatachannel writes it, which puts much into the session's part.
ANSWER = f"""v=0
o=rtc 2302514554 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
a=ice-options:ice2 trickle
a=fingerprint:sha-256 {FINGERPRINT}
m=application 44197 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:262144
a=setup:active
a=ice-ufrag:o55Y
a=ice-pwd:nlfu25l/j5oljWKju3tguQ
a=candidate:2 1 UDP 2116026111 2001:db8::2 44197 typ host
a=candidate:1 1 UDP 2114977791 192.0.2.2 44197 typ srflx raddr 10.0.0.1 rport 9
a=end-of-candidates
"""


class AnswerTest(TestCase):
    """What counts in an answer."""

    def test_all_of_it(self) -> None:
        for text in (ANSWER, ANSWER.replace("\n", "\r\n")):
            found = Description.parse(text)
            assert (found.ufrag, found.password) == ("o55Y", "nlfu25l/j5oljWKju3tguQ")
            assert found.fingerprints == (FINGERPRINT,)
            assert (found.setup, found.sctp_port, found.max_message_size) == ("active", 5000, 262144)
            assert found.candidates == (
                Candidate(ip_address("2001:db8::2"), 44197, "host", 2116026111),
                Candidate(ip_address("192.0.2.2"), 44197, "srflx", 2114977791),
            )

    def test_what_may_be_missing(self) -> None:
        lines = [
            line
            for line in ANSWER.splitlines()
            if not line.startswith(("a=sctp-port", "a=max-m", "a=candidate"))
        ]
        found = Description.parse("\n".join(lines))
        assert (found.sctp_port, found.max_message_size, found.candidates) == (5000, 65536, ())

    def test_what_may_not(self) -> None:
        for what in ("ice-ufrag", "ice-pwd", "fingerprint", "setup"):
            lines = [line for line in ANSWER.splitlines() if not line.startswith(f"a={what}")]
            with self.assertRaises(ValueError):
                Description.parse("\n".join(lines))

    def test_nonsense(self) -> None:
        for text in (
            "",
            "v=0",
            ANSWER + "m=audio 9 UDP/TLS/RTP/SAVPF 0\n",
            ANSWER + "a=ice-ufrag:other\n",
            ANSWER.replace("active", "holdconn"),
            ANSWER.replace("sctp-port:5000", "sctp-port:0"),
            ANSWER.replace("sctp-port:5000", "sctp-port:65536"),
            ANSWER.replace("sha-256", "sha-512"),
            ANSWER.replace(FINGERPRINT, FINGERPRINT[:-3]),
            ANSWER + "x" * MAX_BYTES,
            ANSWER + "\n" * MAX_LINES,
        ):
            with self.assertRaises(ValueError):
                Description.parse(text)

    def test_nothing_else_is_written(self) -> None:
        """Whatever else a peer says ends here."""
        hostile = ANSWER + "a=ice-lite\na=remote-candidates:1 10.0.0.1 53\na=x-evil:1\n"
        written = str(Description.parse(hostile))
        assert written == str(Description.parse(ANSWER))
        for word in ("lite", "evil", "10.0.0.1", "IP4 192.0.2.2", "44197 UDP/DTLS", "rtc "):
            assert word not in written, word

    def test_written_and_read_again(self) -> None:
        found = Description.parse(ANSWER)
        assert Description.parse(str(found)) == found

    @given(st.text() | st.lists(st.sampled_from(ANSWER.splitlines())).map("\n".join))
    def test_anything(self, text: str) -> None:
        try:
            found = Description.parse(text)
        except ValueError:
            return
        assert Description.parse(str(found)) == found


class FingerprintTest(TestCase):
    """Whose certificate it is."""

    def test_of_the_home(self) -> None:
        name = from_fingerprint(FINGERPRINT)
        both = ANSWER + f"a=fingerprint:SHA-256 {OTHER.lower()}\na=fingerprint:sha-512 AB:CD\n"
        found = Description.parse(both)
        assert found.fingerprints == (FINGERPRINT, OTHER)
        assert found.of_home(name).fingerprints == (FINGERPRINT,)
        assert found.of_home(from_fingerprint(OTHER)).fingerprints == (OTHER,)
        assert "sha-512" not in str(found)

    def test_of_another(self) -> None:
        for name in (from_fingerprint(OTHER), from_fingerprint(FINGERPRINT)[:25], "MA-X7K9-P2M4"):
            with self.assertRaises(ValueError):
                Description.parse(ANSWER).of_home(name)


class CandidateTest(TestCase):
    """What a candidate may be."""

    def test_read(self) -> None:
        expected = Candidate(ip_address("192.0.2.1"), 5000, "host", 7)
        for text in (
            "candidate:a+/9 1 udp 7 192.0.2.1 5000 typ host",
            "a=candidate:1 1 UDP 7 192.0.2.1 5000 typ HOST generation 0 ufrag abcd",
            "candidate:1 1 udp 7 192.0.2.1 5000 typ host\r\n",
        ):
            assert Candidate.parse(text) == expected, text

    def test_not_for_us(self) -> None:
        for text in (
            "",
            "candidate:",
            "1 1 udp 7 192.0.2.1 5000 typ host",
            "candidate:1 1 tcp 7 192.0.2.1 5000 typ host tcptype passive",
            "candidate:1 2 udp 7 192.0.2.1 5000 typ host",
            "candidate:1 1 udp 7 192.0.2.1 5000 typ prflx",
            "candidate:1 1 udp 7 4f5b2c1e-0000-4000-8000-000000000000.local 5000 typ host",
            "candidate:1 1 udp 7 localhost 5000 typ host",
            "candidate:1 1 udp 7 fe80::1%eth0 5000 typ host",
            "candidate:1 1 udp 7 127.1 5000 typ host",
            "candidate:1 1 udp 7 2130706433 5000 typ host",
            "candidate:1 1 udp 7 0x7f.0.0.1 5000 typ host",
            "candidate:1 1 udp 7 192.0.2.01 5000 typ host",
            "candidate:1 1 udp 7 ::ffff:192.0.2.1:5000 5000 typ host",
            "candidate:1 1 udp -7 192.0.2.1 5000 typ host",
            "candidate:1 1 udp 7 192.0.2.1 500000 typ host",
            "candidate:1 1 udp 7 192.0.2.1 \u0665\u0660\u0660\u0660 typ host",
            "candidate:1 1 udp 7 192.0.2.1 5000 typ host\na=ice-lite",
        ):
            assert Candidate.parse(text) is None, text

    def test_written(self) -> None:
        assert " typ host" in str(Candidate(ip_address("192.0.2.1"), 5000, "host", 7))
        for type in ("srflx", "relay"):
            for address, hidden in (("192.0.2.1", "0.0.0.0"), ("2001:db8::1", "::")):
                text = str(Candidate(ip_address(address), 5000, type, 7))
                assert text.endswith(f"{address} 5000 typ {type} raddr {hidden} rport 9"), text
                assert Candidate.parse(text) == Candidate(ip_address(address), 5000, type, 7)
