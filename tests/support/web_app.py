"""A home of the tests whose API is enough for the web app to come to its login form."""

from __future__ import annotations

import json
from typing import Any

import aiortc

from ma_signaling.testing import Home, Message
from tests.support.music_assistant_stand_in import PROVIDERS, SERVER_INFO


class MusicAssistant(Home):
    """A home whose channel ``ma-api`` says what Music Assistant's own API says to whoever connects."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.commands: list[Message] = []
        """What clients have asked of the API."""

    def _create_session(self, session_id: str) -> None:
        super()._create_session(session_id)
        connection = self.sessions[session_id]
        connection.remove_all_listeners("datachannel")

        def bridge(channel: aiortc.RTCDataChannel) -> None:
            if channel.label == "ma-api":
                channel.add_listener("message", lambda text: self._command(channel, text))
                self._greet(channel)

        connection.add_listener("datachannel", bridge)

    def _greet(self, channel: aiortc.RTCDataChannel) -> None:
        channel.send(json.dumps(SERVER_INFO))

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        command = json.loads(text)
        self.commands.append(command)
        if command.get("command") == "auth/providers":
            channel.send(json.dumps({"message_id": command["message_id"], "result": PROVIDERS}))
