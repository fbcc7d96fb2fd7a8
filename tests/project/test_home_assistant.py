"""The add-ons for Home Assistant. Its Supervisor checks them by code of its own; this checks what that asks for."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

from ma_signaling import __version__, home_assistant
from ma_signaling.config.sources import load
from ma_signaling.home import command
from tests import ROOT
from tests.support.file_checkers import beside_python, complaints

FOLDER = ROOT / "contrib" / "home-assistant"
SCHEMA = re.compile(r"(bool|email|url|port|str|password|int(\(\d*,\d*\))?|list\([^()]+\))\??")


class AddOnTest(TestCase):
    def config(self, name: str) -> dict[str, Any]:
        """Return what an add-on's config.yaml says."""
        found: dict[str, Any] = YAML(typ="safe").load(FOLDER / name / "config.yaml")
        return found

    def names(self) -> list[str]:
        """Return the folders of the add-ons."""
        return sorted(path.parent.name for path in FOLDER.glob("*/config.yaml"))

    def test_layout(self) -> None:
        self.assertEqual(self.names(), ["ma_signaling", "ma_signaling_home"])
        self.assertIn("name", YAML(typ="safe").load(FOLDER / "repository.yaml"))
        for name in self.names():
            config = self.config(name)
            self.assertEqual(
                {path.name for path in (FOLDER / name).iterdir()}, {"config.yaml", "Dockerfile", "DOCS.md"}
            )
            self.assertEqual((config["slug"], config["version"]), (name, __version__))
            self.assertTrue(config["name"] and config["description"])
            self.assertLessEqual(set(config["arch"]), {"aarch64", "amd64"})
            self.assertLessEqual(set(config["options"]), set(config["schema"]))
            for option, listed in config["schema"].items():
                kind = listed[0] if isinstance(listed, list) else listed
                self.assertRegex(kind, SCHEMA)
                # The Supervisor starts no add-on that lacks an option; of a list, its element says whether it may be
                # missing.
                self.assertTrue(option in config["options"] or kind.endswith("?"), option)
            self.assertEqual(complaints(beside_python("hadolint"), str(FOLDER / name / "Dockerfile")), "")

    def test_the_programs_understand_the_options(self) -> None:
        known = set(load({}, {}).sources)
        server = self.config("ma_signaling")
        self.assertLessEqual(set(server["schema"]), known)
        given = {
            **server["options"],
            "acme_domain": "a.example",
            "acme_email": "a@a.example",
            "acme_agree_tos": True,
        }
        said = home_assistant.environment(
            {**given, "stun_urls": ["stun:a.example", "stun:b.example"]}, "MA_SIGNALING_"
        )
        settings = load({}, {**said, **self.fixed("ma_signaling")}).settings
        self.assertTrue(settings.web_app)
        # Whatever the schema offers can be set: what needs another option finds it there.
        values = {"bool": True, "email": "a@a.example", "str": "a.example"}
        everything = {
            "stun_urls": ["stun:a.example"],
            "turn_urls": ["turn:a.example"],
            **{name: values[str(kind)] for name, kind in server["schema"].items() if str(kind) in values},
            **{name: "/config/x" for name, kind in server["schema"].items() if kind == "str?"},
            "log_addresses": "full",
        }
        self.assertEqual(set(everything), set(server["schema"]))
        load({}, home_assistant.environment(everything, "MA_SIGNALING_"))
        self.assertIn({"type": "addon_config", "read_only": True}, server["map"])
        self.assertEqual(settings.stun_urls, ("stun:a.example", "stun:b.example"))

        home = self.config("ma_signaling_home")
        options = {
            **home["options"],
            "signaling": "wss://a.example/ws",
            "stun": ["stun:a", "stun:b"],
            "max_sessions": 5,
        }
        self.assertEqual(set(options), set(home["schema"]))
        said = home_assistant.environment(options, "MA_SIGNALING_HOME_")
        with mock.patch.dict(os.environ, {**said, **self.fixed("ma_signaling_home")}, clear=True):
            parsed = command._parse([])
        self.assertEqual((parsed.stun, parsed.max_sessions), (["stun:a", "stun:b"], 5))
        self.assertEqual(parsed.state_directory, Path("/data"))

    def fixed(self, name: str) -> dict[str, str]:
        """Return the environment that an add-on's Dockerfile sets."""
        with (FOLDER / name / "Dockerfile").open("rb") as file:
            found: dict[str, str] = DockerfileParser(fileobj=io.BytesIO(file.read())).envs
        return {variable: value for variable, value in found.items() if variable.startswith("MA_")}

    def test_it_becomes_the_program(self) -> None:
        with tempfile.TemporaryDirectory() as directory, mock.patch("os.execve") as become:
            path = Path(directory) / "options.json"
            path.write_text(json.dumps({"signaling": "wss://a.example/ws", "stun": [], "other": None}))
            with contextlib.suppress(SystemExit):
                home_assistant.main(["home"], path)
        (_, arguments, environment), _ = become.call_args
        self.assertEqual(arguments[1:], ["-m", "ma_signaling", "home"])
        self.assertEqual(environment["MA_SIGNALING_HOME_SIGNALING"], "wss://a.example/ws")
        self.assertNotIn("MA_SIGNALING_HOME_STUN", environment)
