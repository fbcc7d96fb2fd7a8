"""docs/openapi.yaml against the running server, so that neither can change without the other."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import requests
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi import checks
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.session_trace import End
from ma_signaling.core.session_verdict import VERDICTS
from tests import ROOT
from tests.support.cluster_peers import ask, home, meet, play
from tests.support.deaf_peer import Deaf
from tests.support.file_checkers import beside_python, read_yaml
from tests.support.memory_server import UPGRADE
from tests.support.nats_servers import NatsServer, node, wait_for_nodes
from tests.support.server_process import ServerProcess

DOCUMENT = ROOT / "docs" / "openapi.yaml"
UNLIMITED = [
    f"--{limit}=0"
    for limit in (
        "lookups-per-minute",
        "guesses-per-minute",
        "connections-per-minute",
        "silent-connections-per-address",
    )
]
EXAMPLES = 25
"""Requests made up for each method of each path."""

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


class DocumentTest(SynchronousTestCase):
    """The document by itself, and what it lists."""

    def test_valid(self) -> None:
        document = read_yaml(DOCUMENT)
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
        del document["paths"]["/health"]["get"]["responses"]
        document["info"]["licence"] = {}
        assert len(list(OpenAPIV31SpecValidator(document).iter_errors())) > 0

    def test_lists(self) -> None:
        schemas = read_yaml(DOCUMENT)["components"]["schemas"]
        trace = schemas["Trace"]["properties"]
        assert trace["verdict"]["properties"]["code"]["enum"] == list(VERDICTS)
        # The trace of a session that turns out to have no home is forgotten.
        assert trace["end"]["enum"] == [end.value for end in End if end is not End.UNKNOWN_HOME]
        assert set(trace["endedBy"]["enum"]) == {end.by for end in End}
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / "ma_signaling").rglob("*.py")]
        reasons = [
            reason for source in sources for reason in re.findall(r'readiness\.add\("([a-z-]+)"', source)
        ]
        assert reasons
        assert sorted(schemas["NotReady"]["anyOf"][0]["properties"]["reason"]["enum"]) == sorted(reasons)
        protocol = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
        said = protocol.partition("- `GET /ready`: ")[2].partition(", where R is ")[2].partition("(")[0]
        assert sorted(re.findall(r"`([a-z-]+)`", said)) == sorted(reasons)
        monitoring = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
        section = monitoring.partition("\n## Readiness\n")[2].partition("\n## ")[0]
        assert sorted(re.findall(r"(?m)^- `([a-z-]+)`: ", section)) == sorted(reasons)


class GeneratedTest(SynchronousTestCase):
    """Schemathesis makes requests up, good and bad ones, and looks at every reply."""

    def test_generated(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        command = [beside_python("schemathesis"), "run", str(DOCUMENT), "--checks=all", "--warnings=off"]
        # A reply of 101 leaves it with a connection that it can't use again: see WebSocketTest.
        command += [
            f"--max-examples={EXAMPLES}",
            "--exclude-path=/ws",
            "--exclude-tag=admin",
            "--continue-on-failure",
            "--no-color",
        ]
        with ServerProcess(*UNLIMITED) as server, tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [*command, f"--url={server.http}"],
                capture_output=True,
                text=True,
                check=False,
                cwd=directory,
                env=environment,
                timeout=240,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "24 passed" in done.stdout, done.stdout
            server.stop()


class RequestTestCase(SynchronousTestCase):
    """Single requests."""

    def setUp(self) -> None:
        self.schema = schemathesis.openapi.from_path(DOCUMENT)
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.enter = stack.enter_context
        self.session = self.enter(requests.Session())
        # A proxy named in the environment must not come between a test and its own machine.
        self.session.trust_env = False
        # Its own Accept and Connection would override a test's.
        self.session.headers.clear()

    def ask(
        self,
        server: ServerProcess,
        path: str,
        status: int,
        *,
        name: str = "",
        address: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> Any:
        """The JSON or text of a reply that must be as the document says, and have this status."""
        path, _, parameter = path.partition("{")
        operation = self.schema[path + ("{" + parameter if parameter else "")]["GET"]
        case = operation.Case(
            path_parameters={parameter.rstrip("}"): name} if parameter else {},
            headers={**(headers or {}), "X-Forwarded-For": address},
        )
        response = case.call(base_url=server.http, session=self.session, data=body)
        assert response.status_code == status, (path, response.status_code, response.text)
        case.validate_response(response, checks=CHECKS)
        return response.json() if "json" in response.headers.get("content-type", [""])[0] else response.text


CHECK, TRACE = "/api/check/{remoteId}", "/api/sessions/{sessionId}"


class TraceTest(RequestTestCase):
    """Sessions at each stage; generated requests know none."""

    def test_traces(self) -> None:
        server = self.enter(ServerProcess())

        def trace(session_id: str) -> Any:
            return self.ask(server, TRACE, 200, name=session_id)

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, server)
            client = await ask(stack, server)
            await client.send("ping")
            await client.answer("pong")
            (announced,) = owner.heard("client-connected")
            assert trace(announced["sessionId"])["verdict"]["code"] == "waiting"
            session_id = await meet(owner, client)
            assert trace(session_id)["ready"] is True
            candidate = "candidate:1 1 udp 1 abc.local 9 typ host"
            for text in (candidate, "nonsense", ""):
                await client.send("ice-candidate", data={"candidate": text})
            await client.send("offer", data={"sdp": f"a={candidate}\r\n"})
            await owner.answer("offer")
            await owner.send("answer", sessionId=session_id, data={"sdp": f"a={candidate}\r\n"})
            await client.answer("answer")
            told = trace(session_id)
            assert told["client"]["trickled"] == {"host/udp/mdns": 1, "other": 1, "end": 1}, told
            await client.stop()
            await owner.answer("client-disconnected")
            assert trace(session_id)["end"] == "client-left"

        play(scenario, [server])
        self.ask(server, TRACE, 404, name="unknown")


class PageTest(RequestTestCase):
    """What depends on who asks, and how."""

    def test_pages(self) -> None:
        server = self.enter(ServerProcess("--metrics-allow=127.0.0.1"))
        assert self.ask(server, "/", 200, headers={"Accept": "text/html"}).startswith("<!doctype html>")
        assert self.ask(server, "/", 200).startswith("Music Assistant Signaling Server")
        plain = {"Accept-Encoding": "identity"}
        etag = self.session.head(f"{server.http}/doctor", timeout=5, headers=plain).headers["ETag"]
        assert self.ask(server, "/doctor", 304, headers={**plain, "If-None-Match": etag}) == ""
        assert "<!doctype html>" in self.ask(server, "/sessions/{sessionId}", 200, name="any")
        assert "ma_signaling_" in self.ask(server, "/metrics", 200)
        self.ask(server, "/metrics", 404, address="192.0.2.1")

    def test_cluster(self) -> None:
        nats = self.enter(NatsServer())
        server = self.enter(node(nats.url))
        wait_for_nodes([server])
        assert self.ask(server, "/health", 200)["cluster"]["nodes"] == 1


class RefusalTest(RequestTestCase):
    """Those who are turned away, and how."""

    def test_limits_of_lookups(self) -> None:
        server = self.enter(
            ServerProcess("--lookups-per-minute=3", "--guesses-per-minute=2", "--start-grace=0")
        )
        self.ask(server, CHECK, 200, name="A")
        assert "retryAfter" not in self.ask(server, CHECK, 429, name="B")
        for path in (CHECK, TRACE):
            assert self.ask(server, path, 429, name="C")["error"] == "Rate limited"

    def test_banned(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            deny = Path(directory) / "deny"
            deny.write_text("192.0.2.1\n", encoding="utf-8")
            server = self.enter(ServerProcess(f"--deny={deny}"))
            for path in (CHECK, TRACE):
                self.ask(server, path, 403, name="A", address="192.0.2.1")
            self.ask(server, "/ws", 403, address="192.0.2.1", headers=HANDSHAKE)

    def test_before_the_path_is_looked_at(self) -> None:
        server = self.enter(ServerProcess())
        for path in ("/health", CHECK):
            self.ask(server, path, 413, name="A", body="x")
            self.ask(server, path, 431, name="A", headers={"X-Long": "x" * 20000})
            self.ask(server, path, 400, name="A", headers={"Content-Length": "nonsense"})

    def test_too_many_requests(self) -> None:
        server = self.enter(ServerProcess("--requests-per-minute=1"))
        self.ask(server, CHECK, 200, name="A", address="192.0.2.1")
        self.ask(server, CHECK, 429, name="A", address="192.0.2.1")
        for path in ("/health", "/ready"):
            self.ask(server, path, 200, address="192.0.2.1")
            self.ask(server, path, 413, address="192.0.2.1", body="x")

    def test_full(self) -> None:
        server = self.enter(ServerProcess("--max-connections=1"))
        self.hold_a_socket(server)
        for path in ("/ready", CHECK, "/ws"):
            self.ask(server, path, 503, name="A")

    def test_restarting(self) -> None:
        server = self.enter(ServerProcess())
        peer = self.enter(Deaf(server.port))
        os.kill(server.pid, signal.SIGTERM)
        assert peer.close_code() == 1012
        assert self.ask(server, "/ready", 503) == {"ready": False, "reason": "draining"}
        assert self.ask(server, "/ws", 503, headers=HANDSHAKE)["error"] == "Server is restarting"

    def hold_a_socket(self, server: ServerProcess) -> None:
        """Take one of the server's places for as long as the test lasts."""
        # Accepted before those that follow, which is all that matters.
        self.enter(socket.create_connection(("127.0.0.1", server.port), 5))


HANDSHAKE = dict(line.split(": ", 1) for line in UPGRADE.decode().split("\r\n")[2:-1])


class WebSocketTest(RequestTestCase):
    """``GET /ws``, up to the moment when it is a WebSocket, or isn't."""

    def test_handshake(self) -> None:
        server = self.enter(ServerProcess("--allowed-origins=https://app.example.org"))
        self.ask(server, "/ws", 101, headers=HANDSHAKE)
        self.session.close()
        self.ask(server, "/ws", 426)
        self.ask(server, "/ws", 426, headers={**HANDSHAKE, "Sec-WebSocket-Version": "12"})
        self.ask(server, "/ws", 400, headers={**HANDSHAKE, "Sec-WebSocket-Key": "short"})
        self.ask(server, "/ws", 403, headers={**HANDSHAKE, "Origin": "https://example.com"})

    def test_limited(self) -> None:
        server = self.enter(ServerProcess("--connections-per-minute=1"))
        self.ask(server, "/ws", 101, headers=HANDSHAKE)
        self.session.close()
        assert self.ask(server, "/ws", 429, headers=HANDSHAKE)["retryAfter"] > 50
