"""Keeps a certificate of a CA in the state directory, for as long as the server runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ma_signaling.acme.challenges import Challenges
from ma_signaling.acme.process import Reactor, Talking
from ma_signaling.acme.renewal import Held, Record, Step, due_at, next_step
from ma_signaling.acme.self_signed import PLACEHOLDER, make_placeholder
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import read_regular, write_private
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.metric import Metric, gauge

_log = Logger(namespace="ma_signaling")


class Acme(Service):
    """Has a certificate issued, and renewed, for ``settings.acme_domain``; ``renewed`` is called after each.

    ``pair`` is the file with key and certificate. Until the first is issued it holds one that no client accepts, so
    that the server listens, and can be asked for a challenge. It is to start before whoever reads the file.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        challenges: Challenges,
        reactor: Reactor,
        renewed: Callable[[], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.pair = directory / "certificate.pem"
        self._account = directory / "account.json"
        self._record_file = directory / "record.json"
        self._settings = settings
        self._names = settings.acme_domain
        self._challenges = challenges
        self._reactor = reactor
        self._renewed = renewed
        self._wall = wall
        self._record = Record()
        self._held: Held | None = None
        self._talking: Talking | None = None
        self._timer: IDelayedCall | None = None

    @property
    def is_issued(self) -> bool:
        """Whether there is a certificate of the CA."""
        return self._held is not None

    def metrics(self) -> Iterator[Metric]:
        """What an operator wants to see of it."""
        yield gauge("acme_failures", "Attempts to get a certificate since the last success", self._failures())

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._held = self._read_held()
        if self._held is None:
            try:
                self.pair.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_private(self.pair, make_placeholder(self._names))
            except OSError as problem:
                raise CannotStart(f"{self.pair} can't be written: {problem.strerror}") from None
            _log.info(
                "ACME: until a certificate is issued for {names}, clients can't connect", names=self._list()
            )

    def startService(self) -> None:
        super().startService()
        self._record = self._read_record()
        self._timer = self._reactor.callLater(0, self._look)

    def stopService(self) -> None:
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._talking is not None:
            self._talking.stop()
            self._talking = None

    def reload(self) -> None:
        """Somebody may have mended what was wrong: try at once, unless the CA has said when."""
        self._record.retry_now()
        if self._talking is None:
            self._look()

    # As process.Listener

    def account_made(self, account: dict[str, Any]) -> None:
        """Keep an account."""
        self._write(self._account, orjson.dumps(account, option=orjson.OPT_APPEND_NEWLINE))

    def challenged(self, kind: str, name: str, token: str, authorization: str) -> None:
        """Be ready for the CA to look."""
        self._challenges.take(kind, name, token, authorization)

    def ended(self, result: dict[str, Any]) -> None:
        """Take what came of a talk."""
        self._talking = None
        self._challenges.clear()
        match result:
            case {"issued": str(pem)}:
                self._issued(pem.encode())
            case {"renewAt": float() | None as renew_at, "askAt": float(ask_at)}:
                assert self._held is not None
                self._record.advise(self._wall(), self._held.id, renew_at, ask_at)
            case {"failed": str(why), "retryAfter": float() | None as retry_after}:
                self._failed(why, retry_after)
        self._write_record()
        self._look()

    # Within

    def _look(self) -> None:
        """Do what is to be done now, and look again when something may be."""
        if not self.running or self._talking is not None:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        now = self._wall()
        step, seconds = next_step(self._held, self._names, self._record, now)
        if step is Step.WAIT:
            self._timer = self._reactor.callLater(max(0.1, seconds), self._look)
        elif step is Step.ISSUE:
            _log.info("ACME: asking for a certificate for {names}", names=self._list())
            self._record.begin(now)
            self._write_record()
            self._talk("issue")
        else:
            assert self._held is not None
            # Asked again in an hour, whatever comes of it.
            self._record.advise(now, self._held.id, self._renewal_advice(), now + 3600)
            self._talk("advise", certificate=self._certificate().decode())

    def _talk(self, task: str, **more: object) -> None:
        settings = self._settings
        kinds = [each for each in self._record.challenges() if settings.acme_http_port or each != "http-01"]
        wish = {
            "task": task,
            "directory": settings.acme_directory,
            "ca": settings.acme_ca,
            "email": settings.acme_email,
            "names": self._names,
            "challenges": kinds,
            "account": self._read_account(),
            **more,
        }
        try:
            self._talking = Talking(self._reactor, self, wish)
        except OSError as problem:
            self._failed(f"no process can be started: {problem}", None)
            self._timer = self._reactor.callLater(60, self._look)

    def _issued(self, pem: bytes) -> None:
        held = _parse(pem)
        if held is None:
            self._failed("the CA has issued what can't be read as a certificate", None)
            return
        if not self._write(self.pair, pem):
            return
        self._held = held
        now = self._wall()
        due = due_at(held, self._names, self._record)
        self._record.succeeded(now, due)
        end = f"{datetime.fromtimestamp(held.end, UTC):%Y-%m-%d %H:%M} UTC"
        _log.info(
            "ACME: a certificate was issued for {names}, valid until {end}", names=self._list(), end=end
        )
        if due <= now:
            _log.error(
                "ACME: the new certificate is for {held}, until {end:%Y-%m-%d %H:%M:%S} UTC, which is not what was"
                " asked for; or this machine's clock is wrong. The next attempt is in an hour, or on reload",
                held=", ".join(sorted(held.names)),
                end=datetime.fromtimestamp(held.end, UTC),
            )
        self._renewed()

    def _failed(self, why: str, retry_after: float | None) -> None:
        now = self._wall()
        if self._held is not None and self._record.failures == 0:
            # No advice is no harm.
            _log.info("ACME: {why}", why=why)
            return
        self._record.refused(now, retry_after)
        at = datetime.fromtimestamp(self._record.waits_until(now), UTC)
        _log.error(
            "ACME: no certificate for {names}: {why}. The next attempt is at {at} UTC, or on reload",
            names=self._list(),
            why=why,
            at=f"{at:%Y-%m-%d %H:%M:%S}",
        )

    def _renewal_advice(self) -> float | None:
        assert self._held is not None
        return self._record.renew_at if self._record.advised_for == self._held.id else None

    def _failures(self) -> int:
        return self._record.failures

    def _list(self) -> str:
        return ", ".join(self._names)

    def _wanted(self) -> str:
        return " ".join((self._settings.acme_directory, *sorted(self._names)))

    def _certificate(self) -> bytes:
        return _without_key(read_regular(self.pair))

    def _read_held(self) -> Held | None:
        try:
            return _parse(read_regular(self.pair))
        except OSError:
            return None

    def _read_account(self) -> dict[str, Any] | None:
        try:
            account = orjson.loads(read_regular(self._account))
        except (OSError, ValueError):
            return None
        return account if isinstance(account, dict) else None

    def _read_record(self) -> Record:
        try:
            record = Record.parse(read_regular(self._record_file))
        except (OSError, ValueError):
            record = Record()
        return record if record.wanted == self._wanted() else Record(wanted=self._wanted())

    def _write_record(self) -> None:
        self._write(self._record_file, self._record.as_json())

    @staticmethod
    def _write(path: Path, content: bytes) -> bool:
        try:
            write_private(path, content)
        except OSError as problem:
            _log.error("ACME: {path} can't be written: {problem}", path=path, problem=problem.strerror)
            return False
        return True


def _without_key(pem: bytes) -> bytes:
    return pem[pem.index(b"-----BEGIN CERTIFICATE") :]


def _parse(pem: bytes) -> Held | None:
    """Return what is known of the certificate in there; None where there is none, or one that stands in."""
    try:
        certificate = x509.load_pem_x509_certificate(_without_key(pem))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if PLACEHOLDER in certificate.subject.rfc4514_string():
            return None
        return Held(
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            frozenset(names.get_values_for_type(x509.DNSName)),
            f"{certificate.serial_number:x}",
        )
    except Exception:  # noqa: BLE001 - the library has many exceptions for what is no certificate
        return None
