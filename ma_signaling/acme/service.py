"""Keeps a CA's certificate in the state directory up to date while the server runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ma_signaling.acme.challenges import Challenges
from ma_signaling.acme.process import Conversation
from ma_signaling.acme.renewal import DAY, LOOK_SECONDS, Held, Record, Step, due_at, next_step
from ma_signaling.acme.self_signed import PLACEHOLDER, make_placeholder
from ma_signaling.acme.store import Store
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import write_private
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.metric import Metric, gauge
from ma_signaling.transport.child_process import Reactor

_log = Logger(namespace="ma_signaling")


class Acme(Service):
    """Has certificates issued and renewed for ``settings.acme_domain``; ``renewed`` gets each, with its key (PEM).

    ``pair`` is the file with both. Until the first is issued it holds a placeholder that no client accepts, so that the
    server can listen and answer challenges. Start this before anything that reads the file.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        challenges: Challenges,
        reactor: Reactor,
        renewed: Callable[[bytes], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = Store(directory)
        self.pair = self._store.pair
        self._settings = settings
        self._names = settings.acme_domain
        self._challenges = challenges
        self._reactor = reactor
        self._renewed = renewed
        self._wall = wall
        self._record = Record()
        self._account: dict[str, Any] | None = None
        self._held: Held | None = None
        self._pem = b""
        """The current certificate with its key."""
        self._is_failing = False
        self._conversation: Conversation | None = None
        self._timer: IDelayedCall | None = None

    @property
    def is_issued(self) -> bool:
        """Whether there is a certificate of the CA."""
        return self._held is not None

    def metrics(self) -> Iterator[Metric]:
        """Yield the number of failures."""
        yield gauge("acme_failures", "Attempts to get a certificate since the last success", self._failures())

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._pem = self._store.read(self.pair) or b""
        self._held = _parse(self._pem)
        self._account = self._read_account()
        self._record = self._read_record()
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
        self._look_in(0)

    def stopService(self) -> None:
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._conversation is not None:
            self._conversation.stop()
            self._conversation = None
            self._store.release()

    def reload(self) -> None:
        """Try again immediately, unless the CA said when: the operator may have fixed the problem."""
        self._record.retry_now()
        self._look()
        if not self._store.is_written(self.pair):
            # Readers of the file have just loaded the certificate before this one.
            self._renewed(self._pem)

    # Of ``process.Listener``

    def account_made(self, account: dict[str, Any]) -> None:
        """Store an account."""
        self._account = account
        self._store.write(self._store.account, orjson.dumps(account, option=orjson.OPT_APPEND_NEWLINE))

    def challenged(self, kind: str, name: str, token: str, authorization: str) -> None:
        """Answer a challenge of the CA."""
        self._challenges.take(kind, name, token, authorization)

    def ended(self, result: dict[str, Any]) -> None:
        """Handle the result of a conversation."""
        self._conversation = None
        try:
            self._challenges.clear()
            self._store.release()
            match result:
                case {"issued": str(pem)}:
                    self._issued(pem.encode())
                case {"renewAt": float() | None as renew_at, "askAt": float(ask_at)} if (
                    self._held is not None
                ):
                    self._record.advise(self._wall(), self._held.id, renew_at, ask_at)
                case {"failed": str(why), "retryAfter": float() | None as retry_after}:
                    self._failed(why, retry_after)
            self._write_record()
        finally:
            self._look()

    # Internals

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(seconds, self._look)

    def _look(self) -> None:
        """Do what is due now, and schedule the next look, whatever fails."""
        if not self.running:
            return
        self._look_in(LOOK_SECONDS)
        try:
            self._write_again()
            if self._conversation is None:
                self._act()
            self._is_failing = False
        except Exception:  # noqa: BLE001 - whatever it is, a certificate must be renewed in time
            if not self._is_failing:
                _log.failure("ACME: failed; trying again every {seconds} s", seconds=LOOK_SECONDS)
            self._is_failing = True

    def _act(self) -> None:
        now = self._wall()
        step, seconds = next_step(self._held, self._names, self._record, now)
        if step is Step.WAIT:
            self._look_in(max(0.1, seconds))
        elif step is Step.ISSUE:
            if not self._store.reserve():
                return
            _log.info("ACME: asking for a certificate for {names}", names=self._list())
            self._record.begin(now)
            if self._write_record():
                self._talk("issue")
        else:
            assert self._held is not None
            # The next request is in an hour if this one fails.
            self._record.advise(now, self._held.id, self._renewal_advice(), now + 3600)
            self._talk("advise", certificate=_without_key(self._pem).decode())

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
            "account": self._account,
            **more,
        }
        try:
            self._conversation = Conversation(self._reactor, self, wish)
        except OSError as problem:
            self._store.release()
            self._failed(f"no process can be started: {problem}", None)

    def _issued(self, pem: bytes) -> None:
        held = _parse(pem)
        if held is None:
            self._failed("the CA has issued what can't be read as a certificate", None)
            return
        self._held, self._pem = held, pem
        now, due = self._wall(), due_at(held, self._names, self._record)
        if self._store.write(self.pair, pem):
            self._record.succeeded(now, due)
        else:
            # A restart would lose the certificate, and a CA issues only five a week.
            self._record.refused(now, DAY)
        end = f"{datetime.fromtimestamp(held.end, UTC):%Y-%m-%d %H:%M} UTC"
        _log.info(
            "ACME: a certificate was issued for {names}, valid until {end}", names=self._list(), end=end
        )
        if due <= now:
            _log.error(
                "ACME: the new certificate is not what was asked for (it is for {held}, until {end:%Y-%m-%d %H:%M:%S}"
                " UTC), or this machine's clock is wrong. The next attempt is in an hour, or on reload",
                held=", ".join(sorted(held.names)),
                end=datetime.fromtimestamp(held.end, UTC),
            )
        self._renewed(pem)

    def _failed(self, why: str, retry_after: float | None) -> None:
        now = self._wall()
        if due_at(self._held, self._names, self._record) > now:
            # Only advice failed, which does no harm.
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

    def _read_account(self) -> dict[str, Any] | None:
        try:
            account = orjson.loads(self._store.read(self._store.account) or b"")
        except ValueError:
            return None
        return account if isinstance(account, dict) else None

    def _read_record(self) -> Record:
        try:
            record = Record.parse(self._store.read(self._store.record) or b"")
        except ValueError:
            record = Record()
        return record if record.wanted == self._wanted() else Record(wanted=self._wanted())

    def _write_record(self) -> bool:
        return self._store.write(self._store.record, self._record.as_json())

    def _write_again(self) -> None:
        """Retry failed writes; use the certificate if it was among them."""
        was_written = self._store.is_written(self.pair)
        self._store.retry()
        if not was_written and self._held is not None and self._store.is_written(self.pair):
            self._record.succeeded(self._wall(), due_at(self._held, self._names, self._record))
            self._write_record()
            self._renewed(self._pem)


def _without_key(pem: bytes) -> bytes:
    return pem[pem.index(b"-----BEGIN CERTIFICATE") :]


def _parse(pem: bytes) -> Held | None:
    """Return the certificate in ``pem``, None if it and its key are unusable, or a placeholder."""
    try:
        certificate = x509.load_pem_x509_certificate(_without_key(pem))
        if load_pem_private_key(pem, None).public_key() != certificate.public_key():
            return None
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
