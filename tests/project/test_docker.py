"""The Dockerfile, carried out without an engine, and the compose files, as far as can be told without one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from unittest import mock

from ruamel.yaml import YAML
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.sources import load
from ma_signaling.home import command
from tests import ROOT
from tests.support.dockerfile_run import Image
from tests.support.file_checkers import beside_python, complaints
from tests.support.free_ports import free_port
from tests.support.proxy_processes import replaced
from tests.support.server_process import STARTS_WITHIN, STOPS_WITHIN

COMPOSE = [ROOT / "docker-compose.yml", *sorted((ROOT / "contrib" / "compose").glob("*.yml"))]


class DockerfileTest(SynchronousTestCase):
    """All that it does, except being a container."""

    def test_lint(self) -> None:
        assert complaints(beside_python("hadolint"), "Dockerfile") == ""

    def test_build_and_run(self) -> None:
        """The image that comes out starts by PORT, is healthy, writes nothing, and stops when it is told to."""
        with tempfile.TemporaryDirectory() as directory:
            image = Image(ROOT, Path(directory))
            image.build()
            assert image.commands_run >= 2
            before = snapshot(image.root)
            port = free_port()
            with self.container(image, image.root, PORT=str(port)) as process:
                self.wait_until_healthy(image, process, PORT=str(port))
                assert self.health(image, PORT=str(free_port())).returncode == 1
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOPS_WITHIN) == 0
            assert self.health(image, PORT=str(port)).returncode == 1
            # A read-only root file system will do, with the volume.
            assert snapshot(image.root) == before
            # Twisted's list of plugins was made in the build: an image's user can't write it.
            assert any(path.name == "dropin.cache" for path in before)
            assert not (image.root / "src").exists()
            assert not list(image.root.rglob("pip"))

    @contextmanager
    def container(self, image: Image, directory: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """The image's process."""
        process = subprocess.Popen(
            image.entry_point,
            cwd=directory,
            env=image.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def health(self, image: Image, **variables: str) -> subprocess.CompletedProcess[str]:
        """One run of the health check."""
        return subprocess.run(
            image.health_check,
            env=image.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=STARTS_WITHIN,
        )

    def wait_until_healthy(self, image: Image, process: subprocess.Popen[bytes], **variables: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while (done := self.health(image, **variables)).returncode != 0:
            assert process.poll() is None
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)


def snapshot(root: Path) -> Mapping[Path, tuple[int, int]]:
    """Every file below ``root``, with its size and when it was written."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if not path.is_relative_to(root / "var")
    }


class ComposeTest(SynchronousTestCase):
    """The compose files."""

    def services(self, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        content = YAML(typ="safe").load(path)
        return content["services"], content.get("networks", {})

    def test_schema(self) -> None:
        assert len(COMPOSE) == 6
        check = (beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec")
        assert complaints(*check, *map(str, COMPOSE)) == ""

    def environment(self, path: Path, service: str, **given: str) -> dict[str, str]:
        """What a service's environment is where a person has said these values."""

        def fill(match: re.Match[str]) -> str:
            return given.get(match[1]) or (match[3] if match[2] == ":-" else "")

        said = self.services(path)[0].get(service, {}).get("environment", {})
        return {name: re.sub(r"\$\{(\w+)(:.)?([^}]*)\}", fill, value) for name, value in said.items()}

    def test_settings_are_understood(self) -> None:
        """What they say to the server is what it takes."""
        for path in COMPOSE:
            environment = self.environment(
                path, "signaling", SITE="signaling.example.org", EMAIL="you@example.org"
            )
            known = {f"MA_SIGNALING_{name.upper()}" for name in load({}, {}).sources} | {"PORT"}
            assert set(environment) <= known, path
            load({}, environment)

    def test_each_is_looked_after(self) -> None:
        """Each service of the image has a health check, which not every format keeps, and no needless rights."""
        found = 0
        for path in COMPOSE:
            for name, service in self.services(path)[0].items():
                if service.get("image") == "ma-signaling":
                    assert "healthcheck" in service, (path.name, name)
                    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), (path.name, name)
                    found += 1
        assert found == 5

    def test_secrets_reach_their_services(self) -> None:
        """Compose mounts a file; from elsewhere it writes into the container, which a read-only one refuses."""
        found = 0
        for path in COMPOSE:
            content = YAML(typ="safe").load(path)
            for name, service in content["services"].items():
                for secret in service.get("secrets", ()):
                    found += 1
                    is_mounted = "file" in content["secrets"][secret]
                    assert is_mounted or not service.get("read_only"), (path.name, name)
        assert found == 4

    def test_an_example_for_each_variable(self) -> None:
        example = (ROOT / "contrib" / "compose" / "env.example").read_text(encoding="utf-8")
        said = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
        used: set[str] = set()
        for path in COMPOSE:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
        assert used == said

    def test_the_home_understands_its_own(self) -> None:
        path = ROOT / "contrib" / "compose" / "own-remote-access-home.yml"
        with mock.patch.dict(
            os.environ, self.environment(path, "home", SITE="signaling.example.org"), clear=True
        ):
            given = command._parse([])
        assert given.signaling == "wss://signaling.example.org/ws"
        assert given.stun == ["stun:signaling.example.org:3478"]
        assert str(given.music_assistant) == "http://127.0.0.1:8095"
        assert self.services(path)[0]["home"]["command"] == ["home"]

    def test_relays_are_the_same(self) -> None:
        """The one of the whole installation is the one that is tested below."""
        whole, alone = (
            self.services(ROOT / "contrib" / "compose" / name)[0]["coturn"]
            for name in ("own-remote-access.yml", "coturn.yml")
        )
        assert {**whole, "environment": None} == {**alone, "environment": None}

    def test_proxy_is_trusted_and_nobody_else(self) -> None:
        services, networks = self.services(ROOT / "contrib" / "compose" / "caddy.yml")
        network = services["caddy"]["networks"]["front"]
        addresses = {network["ipv4_address"], network["ipv6_address"]}
        assert (
            set(services["signaling"]["environment"]["MA_SIGNALING_TRUSTED_PROXIES"].split(",")) == addresses
        )
        subnets = [ip_network(each["subnet"]) for each in networks["front"]["ipam"]["config"]]
        for address in map(ip_address, addresses):
            assert any(address in subnet for subnet in subnets)
        assert "ports" not in services["signaling"]
        alone, _ = self.services(ROOT / "docker-compose.yml")
        assert alone["signaling"]["environment"]["MA_SIGNALING_TRUSTED_PROXIES"] == "none"

    def test_files_are_there(self) -> None:
        """What is mounted, but for the secret, comes with this repository."""
        for path in COMPOSE:
            for service in self.services(path)[0].values():
                for volume in service.get("volumes", ()):
                    source = volume.partition(":")[0]
                    assert "/" not in source or (path.parent / source).is_file(), (path, source)


class RelayTest(SynchronousTestCase):
    """contrib/turnserver.conf leads to nobody but the internet."""

    def test_private_networks_are_denied(self) -> None:
        text = (ROOT / "contrib" / "turnserver.conf").read_text(encoding="utf-8")
        denied = [
            tuple(map(ip_address, each.split("-")))
            for each in re.findall(r"^denied-peer-ip=(.*)$", text, re.MULTILINE)
        ]

        def is_denied(address: str) -> bool:
            it = ip_address(address)
            return any(
                each[0].version == it.version and int(each[0]) <= int(it) <= int(each[-1]) for each in denied
            )

        private = "0.0.0.1 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.31.255.255 192.168.1.1 224.0.0.1"
        private += (
            " 255.255.255.255 :: ::1 ::10.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:a00:1:: fd00::1 fe80::1"
        )
        private += " fec0::1 ff02::1 2001:db8::1"
        for address in private.split():
            assert is_denied(address), address
        for address in ("9.9.9.9", "172.15.0.1", "172.32.0.1", "193.0.0.1", "2620:fe::fe", "2a00::1"):
            assert not is_denied(address), address

    def test_secret_goes_by_a_file(self) -> None:
        """The command of the compose file, with coturn's place taken by one that shows what it is given."""
        coturn = YAML(typ="safe").load(ROOT / "contrib" / "compose" / "coturn.yml")["services"]["coturn"]
        (script,) = coturn["command"]
        with tempfile.TemporaryDirectory() as directory:
            at = Path(directory)
            shutil.copy(ROOT / "contrib" / "turnserver.conf", at / "recipe.conf")
            (at / "secret").write_text("0123abcd\n", encoding="utf-8")
            (at / "turnserver").write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
            (at / "turnserver").chmod(0o755)
            places = {"/tmp/": f"{at}/", "/etc/coturn/": f"{at}/", "/run/secrets/turn": f"{at}/secret"}
            script = replaced(script, places)
            done = subprocess.run(
                [*coturn["entrypoint"], script.replace("$$", "$")],
                env={"PATH": f"{at}:/usr/bin:/bin", "SITE": "signaling.example.org"},
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout == f"-c {at}/turnserver.conf\n"
            *_, realm, secret = (at / "turnserver.conf").read_text(encoding="utf-8").splitlines()
            assert (realm, secret) == ("realm=signaling.example.org", "static-auth-secret=0123abcd")
            assert (at / "turnserver.conf").stat().st_mode & 0o777 == 0o600
