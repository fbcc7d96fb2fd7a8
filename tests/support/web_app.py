"""A home for tests whose API suffices for the web app to show its login form."""

from __future__ import annotations

import json
from typing import Any

import aiortc

from ma_signaling.testing import Home, Message
from tests.support.music_assistant_stand_in import PROVIDERS, SERVER_INFO


class MusicAssistant(Home):
    """A home whose channel ``ma-api`` greets clients as Music Assistant's API does."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.commands: list[Message] = []
        """The commands that clients have sent to the API."""

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
