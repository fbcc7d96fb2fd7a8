"""docs/asyncapi.yaml and docs/protocol.md against the code and the running server, so that none can change alone."""

from __future__ import annotations

import asyncio
import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import errors, messages
from ma_signaling.core.errors import CloseCode, WireError
from tests import ROOT
from tests.support.conversations import Contract, Stage
from tests.support.file_checkers import beside_python, complaints, read_yaml
from tests.support.markdown_parts import documented_errors
from tests.support.memory_hub import World
from tests.support.server_process import ServerProcess

DOCUMENT = ROOT / "docs" / "asyncapi.yaml"
SCHEMA = ROOT / "tests" / "support" / "schemas" / "asyncapi-3.0.0.json"
"""AsyncAPI's own, from github.com/asyncapi/spec-json-schemas (Apache-2.0), without the ``$id``s, as it publishes it."""

OF_RFC_6455 = {1002, 1007, 1009, 1011}
"""Close codes that Autobahn sends, or ``websocket.py`` for a bug."""


def wire_errors() -> Iterator[WireError]:
    """Every error that a WebSocket may hear, with T for a type and 7 for a number in those that are made.

    The others are answered before the upgrade.
    """
    for value in vars(errors).values():
        if isinstance(value, WireError) and value not in (errors.RESTARTING, errors.FULL):
            yield value
        elif inspect.isfunction(value) and inspect.signature(value).return_annotation == "WireError":
            make: Callable[..., WireError] = value
            (parameter,) = inspect.signature(value).parameters.values()
            yield make("T" if parameter.annotation == "str" else 7)


class AsyncApiTestCase(SynchronousTestCase):
    """The document, read."""

    def setUp(self) -> None:
        self.document = read_yaml(DOCUMENT)
        self.contract = Contract(self.document)
        self.conversations = self.document["x-conversations"]


class DocumentTest(AsyncApiTestCase):
    """The document by itself."""

    def test_valid(self) -> None:
        check = (beside_python("check-jsonschema"), "--schemafile", str(SCHEMA))
        assert complaints(*check, str(DOCUMENT)) == ""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "asyncapi.yaml"
            path.write_text(DOCUMENT.read_text(encoding="utf-8").replace("action: send", "action: sing"))
            assert "sing" in complaints(*check, str(path))

    def test_examples(self) -> None:
        """Each is what its own schema allows; and every message is one that somebody may say."""
        used = self.contract.messages(*self.document["operations"])
        for name, message in self.document["components"]["messages"].items():
            assert message in used, name
            assert message["examples"], name
            for example in message["examples"]:
                assert example["payload"]["type"] == message["name"], name
                assert self.contract.faults(example["payload"], message["payload"]) == [], name


class CodeTest(AsyncApiTestCase):
    """The document lists what the code has, and nothing else."""

    def test_messages(self) -> None:
        heard = {message["name"] for message in self.contract.messages("hearHome", "hearClient")}
        assert heard == {type for type, _ in World().hub.traffic()} - {"other"}
        said = {message["name"] for message in self.contract.messages("tellHome", "tellClient")}
        own = set(re.findall(r'"type": ?"([a-z-]+)"', inspect.getsource(messages)))
        assert own >= {"registered", "ping", "error"}
        assert said == own | {"offer", "answer", "ice-candidate"}

    def test_errors(self) -> None:
        alternatives = self.document["components"]["schemas"]["Error"]["oneOf"]
        left = list(alternatives)
        for error in wire_errors():
            message: dict[str, object] = {"type": "error", "error": error.text, "code": error.code}
            if error.retry_after is not None:
                message["retryAfter"] = error.retry_after
            (meant,) = [each for each in alternatives if not self.contract.faults(message, each)]
            assert self.contract.faults(message, {"$ref": "#/components/schemas/Error"}) == []
            asks_to_wait = "allOf" in meant
            assert asks_to_wait == (error.retry_after is not None), error
            left.remove(meant)
        assert left == []

    def test_close_codes(self) -> None:
        assert set(self.contract.close_codes) == {code.value for code in CloseCode} | OF_RFC_6455


class ProtocolTest(SynchronousTestCase):
    """The lists for people name the same."""

    def setUp(self) -> None:
        self.text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")

    def test_errors(self) -> None:
        listed = [(text, code) for code, text in documented_errors()]
        assert sorted(listed) == sorted((error.text.replace("7", "N"), error.code) for error in wire_errors())

    def test_close_codes(self) -> None:
        rows = re.findall(r"^- ([\d, ]{4,}):", self.text, re.MULTILINE)
        codes = [int(code) for row in rows for code in row.split(",")]
        assert sorted(codes) == sorted({code.value for code in CloseCode} | OF_RFC_6455)


class ConversationTest(AsyncApiTestCase):
    """The running server says what the document says it does."""

    def test_all_is_heard(self) -> None:
        """No error, close code or message of the server's is without a conversation in which it is heard."""
        steps = [step for conversation in self.conversations for step in conversation["steps"]]
        heard = [step["hears"] for step in steps if "hears" in step]
        assert {each.get("code") for each in heard} - {None} == {error.code for error in wire_errors()}
        closed = {step["hearsClose"] for step in steps if "hearsClose" in step}
        assert closed == set(CloseCode) - {CloseCode.INTERNAL_ERROR}, "no peer can cause an internal error"
        said = self.contract.messages("tellHome", "tellClient")
        assert {each["type"] for each in heard} == {message["name"] for message in said}

    def test_conversations(self) -> None:
        with ServerProcess("--start-grace", "0") as usual:
            for conversation in self.conversations:
                if "settings" not in conversation:
                    self.play(conversation, usual)

    def test_conversations_with_settings(self) -> None:
        for conversation in self.conversations:
            if "settings" not in conversation:
                continue
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "file"
                path.write_text(conversation.get("file", ""), encoding="utf-8")
                settings = {"start-grace": "0"} | {
                    name: str(value) for name, value in conversation["settings"].items()
                }
                options = [
                    f"--{name}={value.replace('{file}', str(path))}" for name, value in settings.items()
                ]
                with ServerProcess(*options) as server:
                    self.play(conversation, server)

    def play(self, conversation: Any, server: ServerProcess) -> None:
        """One conversation, from beginning to end."""
        try:
            asyncio.run(Stage(server, self.contract, conversation).play())
        except AssertionError as error:
            raise self.failureException(f"{conversation['name']}: {error}\n{server.log()}") from error
