"""A real ACME server: pebble, by Let's Encrypt, on loopback. It checks challenges at ports of the test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port

STARTS_WITHIN = 20.0


class Pebble:
    """A CA whose files are in ``directory``. ``start`` may follow ``stop``, after which it has forgotten everything."""

    def __init__(self, directory: Path, *, seconds: int, name_server: str) -> None:
        """Its certificates are valid for ``seconds``."""
        self._name_server = name_server
        self.port, self._management = free_port(), free_port()
        self.tls_port, self.http_port = free_port(), free_port()
        """The ports at which it checks challenges."""
        self.certificate = directory / "pebble.pem"
        key = directory / "pebble-key.pem"
        make_certificate(key, self.certificate)
        self.url = f"https://localhost:{self.port}/dir"
        self._log = directory / "pebble.log"
        self._configuration = directory / "pebble.json"
        self._settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self.certificate),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "certificateValidityPeriod": seconds,
            # The same for version 2.7 and later.
            "profiles": {"default": {"description": "", "validityPeriod": seconds}},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        program = shutil.which("pebble")
        assert program, "pebble is not installed: apt-get install pebble"
        self._configuration.write_text(json.dumps({"pebble": self._settings}), encoding="utf-8")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-config", str(self._configuration), "-dnsserver", self._name_server],
                stdout=log,
                stderr=subprocess.STDOUT,
                # By default it refuses one nonce in twenty, even that of a retry, for the tests of ACME clients.
                env={
                    **os.environ,
                    "PEBBLE_VA_NOSLEEP": "1",
                    "PEBBLE_AUTHZREUSE": "0",
                    "PEBBLE_WFE_NONCEREJECT": "0",
                },
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """Return its output."""
        return self._log.read_text(errors="replace")

    def root(self) -> str:
        """Return the root certificate, which a client must trust, in PEM."""
        trusting = ssl.create_default_context(cafile=str(self.certificate))
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))
        url = f"https://localhost:{self._management}/roots/0"
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as reply:
            pem: bytes = reply.read()
        return pem.decode()
