"""Real proxies as processes of their own: the files of contrib/proxies, on free ports and in temporary directories."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import ROOT
from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.server_process import STARTS_WITHIN, STOPS_WITHIN

FILES = ROOT / "contrib" / "proxies"
HOST = "signaling.example.org"


def executable(name: str) -> str:
    """Return the path of a program that isn't a Python package. Raises ``RuntimeError`` if it isn't installed."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if path is None:
        raise RuntimeError(f"{name} is not installed; .ci/run installs all that the tests need")
    return path


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Return ``text`` with these changes; each must have something to change."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not there any more"
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy from ``port``, with TLS, to the server's port ``upstream``. Changes to contrib's files are made here.

    ``idle`` is how long it leaves a silent WebSocket open, in seconds; Caddy has no such limit.
    """

    directory: Path
    certificate: Path

    def __init__(self, kind: str, upstream: int, idle: int, changes: Mapping[str, str] | None = None) -> None:
        """``changes`` are a test's own changes to contrib's file."""
        self.port = free_port()
        self._changes = changes or {}
        self._kind = kind
        self._upstream = upstream
        self._idle = idle
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Proxy:
        self.directory = Path(tempfile.mkdtemp(prefix=f"ma-signaling-{self._kind}-"))
        self.certificate = self.directory / "cert.pem"
        self._key = self.directory / "key.pem"
        self._log_path = self.directory / "proxy.log"
        try:
            make_certificate(self._key, self.certificate)
            kinds: dict[str, Callable[[], list[str]]] = {
                "nginx": self._nginx,
                "haproxy": self._haproxy,
                "caddy": self._caddy,
            }
            self._start(kinds[self._kind]())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """Return its output so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def _start(self, command: list[str]) -> None:
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, "HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command} does not listen\n{self.log()}") from None
            time.sleep(0.05)

    def _nginx(self) -> list[str]:
        changes = {
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            f"/etc/letsencrypt/live/{HOST}/fullchain.pem": str(self.certificate),
            f"/etc/letsencrypt/live/{HOST}/privkey.pem": str(self._key),
            "127.0.0.1:8787": f"127.0.0.1:{self._upstream}",
            "proxy_read_timeout 75s;": f"proxy_read_timeout {self._idle}s;",
            "proxy_send_timeout 75s;": f"proxy_send_timeout {self._idle}s;",
            "pid /run/nginx.pid;": f"pid {self.directory}/nginx.pid;",
            "error_log /var/log/nginx/error.log;": "error_log stderr;",
            "worker_rlimit_nofile 65536;": "",
            "worker_connections 32768;": "worker_connections 256;",
            "worker_processes auto;": "worker_processes 1;",
        }
        # Directories for data that it can't keep in memory; only root may write to the packaged paths.
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self.directory}/{kind}; " for kind in kinds)
        changes["http {"] = "http { " + temporary
        if os.geteuid() != 0:
            changes["user www-data;"] = ""
        path = self._write("nginx.conf", changes)
        return [executable("nginx"), "-p", str(self.directory), "-c", str(path), "-g", "daemon off;"]

    def _haproxy(self) -> list[str]:
        both = self.directory / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self._key.read_bytes())
        changes = {
            "bind :::80 v4v6": f"bind 127.0.0.1:{free_port()}",
            "bind :::443 v4v6": f"bind 127.0.0.1:{self.port}",
            f"/etc/haproxy/{HOST}.pem": str(both),
            "127.0.0.1:8787": f"127.0.0.1:{self._upstream}",
            "timeout tunnel 75s": f"timeout tunnel {self._idle}s",
            "log /dev/log local0": "log stderr local0",
            "maxconn 32768": "maxconn 256",
        }
        if os.geteuid() != 0:
            changes |= {"chroot /var/lib/haproxy": "", "user haproxy": "", "group haproxy": ""}
        return [executable("haproxy"), "-db", "-f", str(self._write("haproxy.cfg", changes))]

    def _caddy(self) -> list[str]:
        changes = {
            "{$SITE:signaling.example.org} {": "{\n\tadmin off\n\tauto_https disable_redirects\n}\n\n"
            f"https://localhost:{self.port} {{\n\tbind 127.0.0.1\n\ttls {self.certificate} {self._key}\n",
            "{$UPSTREAM:127.0.0.1:8787}": f"127.0.0.1:{self._upstream}",
        }
        path = self._write("Caddyfile", changes)
        return [executable("caddy"), "run", "--adapter", "caddyfile", "--config", str(path)]

    def _write(self, name: str, changes: Mapping[str, str]) -> Path:
        path = self.directory / name
        text = replaced((FILES / name).read_text(encoding="utf-8"), {**changes, **self._changes})
        path.write_text(text, encoding="utf-8")
        return path


def proxy_v1(address: str) -> bytes:
    """Return a PROXY header of version 1 (text)."""
    return f"PROXY TCP4 {address} 127.0.0.1 4711 443\r\n".encode()


def proxy_v2(address: str) -> bytes:
    """Return a PROXY header of version 2 (binary): TCP over IPv4, both addresses and both ports."""
    ends = socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 443)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(ends)) + ends
