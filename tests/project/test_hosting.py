"""Files for services that build, publish and host: as far as they can be checked from here."""

from __future__ import annotations

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.sources import load
from ma_signaling.core.events import Event
from ma_signaling.transport.client_address import ClientAddresses
from tests import ROOT
from tests.support.file_checkers import beside_python, complaints, read_yaml

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


class WorkflowTest(SynchronousTestCase):
    """GitHub's."""

    def test_schema(self) -> None:
        assert [path.stem for path in WORKFLOWS] == ["publish", "test"]
        check = (beside_python("check-jsonschema"), "--builtin-schema")
        assert complaints(*check, "vendor.github-workflows", *map(str, WORKFLOWS)) == ""
        assert complaints(*check, "vendor.dependabot", ".github/dependabot.yml") == ""

    def test_every_action_is_pinned(self) -> None:
        for path in WORKFLOWS:
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
            assert lines
            for line in lines:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line

    def test_rights(self) -> None:
        """No job may do more than it needs."""
        for path in WORKFLOWS:
            workflow = read_yaml(path)
            assert workflow["permissions"] == {"contents": "read"}
            written = {
                (name, right)
                for name, job in workflow["jobs"].items()
                for right, kind in job.get("permissions", {}).items()
                if kind == "write"
            }
            expected = {("wheel", "id-token"), ("image", "packages")} if path.stem == "publish" else set()
            assert written == expected

    def test_version_is_found(self) -> None:
        """By the command that compares it with a release's tag."""
        steps = read_yaml(ROOT / ".github" / "workflows" / "publish.yml")["jobs"]["build"]["steps"]
        (command,) = [step["run"] for step in steps if "TAG" in step.get("env", {})]
        version = complaints(
            "python3", "-c", "from ma_signaling import __version__ as v; raise SystemExit(v)"
        ).strip()
        for tag, status in ((f"v{version}", 0), (version, 1), ("v0.0.0", 1)):
            done = subprocess.run(
                ["sh", "-c", command], cwd=ROOT, env={"TAG": tag, "PATH": "/usr/bin:/bin"}, check=False
            )
            assert done.returncode == status, (tag, command)


class CloudflareTest(SynchronousTestCase):
    """contrib/cloudflare.toml, and what render.yaml makes of the same networks."""

    def addresses(self, **environment: str) -> tuple[ClientAddresses, list[Event]]:
        events: list[Event] = []

        def report(event: Event, /, **details: object) -> None:
            events.append(event)

        file = None if environment else ROOT / "contrib" / "cloudflare.toml"
        return ClientAddresses(load({}, environment, file).settings, report), events

    def test_client_address(self) -> None:
        addresses, events = self.addresses()
        headers = {b"cf-connecting-ip": [b"198.51.100.1"], b"x-forwarded-for": [b"203.0.113.9"]}
        for neighbour in ("173.245.48.5", "2606:4700::1"):
            assert addresses.of(neighbour, lambda name: headers.get(name, ())).key == "198.51.100.1"
        assert events == []
        # Somebody who comes past it.
        assert addresses.of("192.0.2.1", lambda name: headers.get(name, ())).key == "192.0.2.1"

    def test_render(self) -> None:
        (service,) = read_yaml(ROOT / "render.yaml")["services"]
        variables = {each["key"]: each["value"] for each in service["envVars"]}
        here = load({}, variables).settings.trusted_proxies
        there = load({}, {}, ROOT / "contrib" / "cloudflare.toml").settings.trusted_proxies
        assert set(map(str, here)) == {*map(str, there), "10.0.0.0/8"}
        addresses, _ = self.addresses(**variables)
        chain = {b"x-forwarded-for": [b"203.0.113.9, 198.51.100.1, 104.22.17.40"]}
        assert addresses.of("10.21.157.68", lambda name: chain.get(name, ())).key == "198.51.100.1"
