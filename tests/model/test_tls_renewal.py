"""How the server takes a renewed certificate into use."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from ma_signaling.runtime import certificates as certificates_module
from ma_signaling.runtime import key_pair
from ma_signaling.runtime.certificates import DAY, POLL_SECONDS, Certificates
from tests.support.tls_handshake import AUTHORITY, Handshake, TlsTestCase, trusting

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class RenewalTest(TlsTestCase):
    """New files are used within ten seconds, or immediately on request; bad ones change nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.client = trusting(AUTHORITY.root)
        # Until the end of the test.
        captured = capturedLogs()
        self.logged: Any = captured.__enter__()
        self.addCleanup(captured.__exit__, None, None, None)

    def shown(self, certificates: Certificates) -> int:
        """Return the serial number that a new client sees."""
        return Handshake(certificates, self.client).serial

    def lines(self, level: LogLevel) -> list[str]:
        """Return the lines logged since the last call."""
        lines = [formatEvent(event) for event in self.logged if event["log_level"] == level]
        self.logged[:] = [event for event in self.logged if event["log_level"] != level]
        return lines

    def turn(self, times: int = 1) -> None:
        """Let the server check the files."""
        for _ in range(times):
            self.clock.advance(POLL_SECONDS)

    def test_replaced_files(self) -> None:
        certificates = self.start()
        old = Handshake(certificates, self.client)
        serial = AUTHORITY.issue(self.certificate, self.key)
        assert self.shown(certificates) == self.serial
        self.turn()
        assert self.shown(certificates) == serial
        assert old.ask(b"still there?") == b"still there?"
        old.say(b"yes")
        assert old.client.read() == b"yes"

    def test_on_request(self) -> None:
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)
        certificates.reload()
        assert self.shown(certificates) == serial

    def test_replaced_links(self) -> None:
        """As certbot does: the names are links, which are replaced one after the other."""
        links = [self.directory / "live-cert.pem", self.directory / "live-key.pem"]
        for link, target in zip(links, (self.certificate, self.key), strict=True):
            link.symlink_to(target)
        certificates = self.start(*links)
        newer = [self.directory / "fullchain2.pem", self.directory / "privkey2.pem"]
        serial = AUTHORITY.issue(*newer)
        for link, target in zip(links, newer, strict=True):
            link.unlink()
            link.symlink_to(target)
            self.turn()
        assert self.shown(certificates) == serial

    def test_replaced_directory(self) -> None:
        """As Kubernetes does: the names are links through a link to a directory, which alone is replaced."""
        for generation in ("1", "2"):
            (self.directory / generation).mkdir()
        names = ("tls.crt", "tls.key")
        AUTHORITY.issue(*(self.directory / "1" / name for name in names))
        serial = AUTHORITY.issue(*(self.directory / "2" / name for name in names))
        data = self.directory / "..data"
        data.symlink_to("1")
        links = [self.directory / name for name in names]
        for link in links:
            link.symlink_to(Path("..data") / link.name)
        certificates = self.start(*links)
        assert self.shown(certificates) != serial
        (self.directory / "..data_tmp").symlink_to("2")
        (self.directory / "..data_tmp").replace(data)
        self.turn()
        assert self.shown(certificates) == serial

    def test_bad_files_change_nothing_and_are_reported_once(self) -> None:
        certificates = self.start()
        key = self.key.read_bytes()
        for bad in (b"garbage", b"other garbage", None):
            if bad is None:
                self.key.unlink()
            else:
                self.key.write_bytes(bad)
            self.turn(5)
            (line,) = self.lines(LogLevel.error)
            assert line.startswith(f"TLS: {self.key} "), line
            assert line.endswith("; the previous certificate stays in use"), line
            assert self.shown(certificates) == self.serial
        certificates.reload()
        assert len(self.lines(LogLevel.error)) == 1, "asked for, so it is said again"
        self.key.write_bytes(key)
        self.turn()
        assert self.shown(certificates) == self.serial
        assert not self.lines(LogLevel.error)

    def test_half_of_a_renewal(self) -> None:
        """A new certificate is not used before its key is there."""
        certificates = self.start()
        new_key = self.directory / "new.pem"
        serial = AUTHORITY.issue(self.certificate, new_key)
        self.turn(3)
        assert self.shown(certificates) == self.serial
        assert len(self.lines(LogLevel.error)) == 1
        new_key.replace(self.key)
        self.turn()
        assert self.shown(certificates) == serial

    def test_a_failure_of_our_own_passes(self) -> None:
        """Files that could not be read, though they have not changed since, are tried again."""
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)

        def no_descriptors(path: Path) -> bytes:
            raise OSError(24, "Too many open files")

        patch = self.patch(key_pair, "read_regular", no_descriptors)
        self.turn(3)
        (line,) = self.lines(LogLevel.error)
        assert "Too many open files" in line
        patch.restore()
        self.turn()
        assert self.shown(certificates) == serial

    def test_the_unforeseen_does_not_end_the_looking(self) -> None:
        certificates = self.start()
        serial = AUTHORITY.issue(self.certificate, self.key)
        patch = self.patch(certificates_module, "read_pair", lambda *_: None)
        self.turn(3)
        (line,) = self.lines(LogLevel.error)
        assert "unforeseen: AttributeError" in line, line
        patch.restore()
        self.turn()
        assert self.shown(certificates) == serial

    def test_end(self) -> None:
        """The end of validity is a number for the metrics, and the log warns of it from some day on."""
        certificates = self.start()
        assert certificates.not_after == self.began + 90 * DAY
        ends, warns = certificates.metrics()
        assert ends.samples == {(): self.began + 90 * DAY}
        assert warns.samples == {(): self.began + 76 * DAY}
        AUTHORITY.issue(self.certificate, self.key, days=50)
        self.turn()
        assert abs(certificates.not_after - (self.began + 50 * DAY)) < 100

    def test_warnings(self) -> None:
        """The log warns from 14 days before the end on, once a day, and whenever the certificate is read."""
        AUTHORITY.issue(self.certificate, self.key, days=14.5)
        certificates = self.start()
        assert not self.lines(LogLevel.warn)
        self.clock.pump([POLL_SECONDS] * int(DAY / POLL_SECONDS))
        (line,) = self.lines(LogLevel.warn)
        assert line.startswith("TLS: the certificate expires in 13 days, on "), line
        certificates.reload()
        assert len(self.lines(LogLevel.warn)) == 1
        self.clock.pump([POLL_SECONDS] * int(20 * DAY / POLL_SECONDS))
        lines = self.lines(LogLevel.warn)
        assert len(lines) == 20
        assert lines[12].startswith("TLS: the certificate expires in 0 days, on "), lines
        assert lines[13].startswith("TLS: the certificate expired on "), lines
        AUTHORITY.issue(self.certificate, self.key, days=90)
        self.turn()
        assert not self.lines(LogLevel.warn)

    def test_warning_at_the_start(self) -> None:
        AUTHORITY.issue(self.certificate, self.key, days=13.9)
        self.start()
        assert self.lines(LogLevel.warn)[0].startswith("TLS: the certificate expires in 13 days, on ")

    def test_warning_of_one_that_does_not_live_long(self) -> None:
        """Some CAs issue certificates for days; they are renewed before a quarter of that time is left."""
        AUTHORITY.issue(self.certificate, self.key, days=6, begins=0)
        certificates = self.start()
        self.began -= 200 * DAY
        self.lines(LogLevel.warn)
        certificates.reload()
        self.clock.pump([DAY / 2] * 8)
        assert not self.lines(LogLevel.warn)
        self.clock.pump([DAY / 2] * 2)
        (line,) = self.lines(LogLevel.warn)
        assert line.startswith("TLS: the certificate expires in "), line

    def test_one_that_stands_in(self) -> None:
        """No client accepts a stand-in, and it ends soon; another line of the log says what it is for."""
        AUTHORITY.issue(self.certificate, self.key, days=1)
        is_over: list[bool] = []
        certificates = self.start(stands_in=lambda: not is_over)
        self.clock.pump([POLL_SECONDS] * int(2 * DAY / POLL_SECONDS))
        assert not [*self.lines(LogLevel.warn), *self.lines(LogLevel.info)]
        is_over.append(True)
        AUTHORITY.issue(self.certificate, self.key, days=90)
        certificates.renewed(self.key.read_bytes() + self.certificate.read_bytes())
        assert not [*self.lines(LogLevel.warn), *self.lines(LogLevel.info)]
        certificates.reload()
        (line,) = self.lines(LogLevel.info)
        assert "is valid until" in line

    def test_warning_of_one_that_is_not_valid_yet(self) -> None:
        """A certificate that isn't valid yet is taken if the one before it has expired."""
        self.start()
        self.clock.advance(91 * DAY)
        self.lines(LogLevel.warn)
        AUTHORITY.issue(self.certificate, self.key, begins=95, days=120)
        self.turn()
        (line,) = self.lines(LogLevel.warn)
        assert line.startswith("TLS: the certificate is not valid before 20"), line
        assert line.endswith(" UTC: clients refuse it until then"), line

    def test_one_that_is_not_valid_now_does_not_replace_one_that_is(self) -> None:
        """No client could use it; it is taken as soon as one could, or if the other is no better."""
        certificates = self.start()
        for begins, days, why in (
            (-9, -2, "expired on 20"),
            (2, 50, "is not valid before 20"),
        ):
            AUTHORITY.issue(self.certificate, self.key, begins=begins, days=days)
            self.turn(2)
            (line,) = self.lines(LogLevel.error)
            assert line.startswith(f"TLS: the certificate {why}"), line
            assert line.endswith("; the previous certificate stays in use"), line
            assert self.shown(certificates) == self.serial
        self.clock.advance(2 * DAY + 100)
        assert abs(certificates.not_after - (self.began + 50 * DAY)) < 100
