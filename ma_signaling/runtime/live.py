"""Settings that change while the server runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.logger import Logger

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings
from ma_signaling.config.toml_file import as_toml
from ma_signaling.core.hub import Hub
from ma_signaling.transport.factory import SignalingFactory

_log = Logger(namespace="ma_signaling")


class LiveSettings:
    """Lets other settings take effect in a running server, as far as they can, and logs what has changed.

    What looks into ``settings`` whenever it needs a value is served by that alone; what keeps a copy is told here.
    """

    def __init__(self, settings: Settings, hub: Hub, factory: SignalingFactory) -> None:
        self._settings = settings
        self._hub = hub
        self._factory = factory

    def reread(self, read: Callable[[], Settings]) -> None:
        """Adopt what ``read`` returns, or nothing where it raises ``SettingError``."""
        try:
            newer = read()
        except SettingError as problem:
            _log.error("Settings unchanged: {problem}", problem=problem)
        else:
            self.adopt(newer)

    def adopt(self, newer: Settings) -> None:
        """Go on with ``newer``, but for what takes a restart."""
        before = replace(self._settings)
        changed = self._settings.adopt(newer)
        self._pass_on()
        for setting in changed:
            _log.info(
                "{name} changed from {old} to {new}"
                if setting.live
                else "{name} stays {old}; {new} takes effect after a restart",
                name=setting.name,
                old=as_toml(getattr(before, setting.name)),
                new=as_toml(getattr(newer, setting.name)),
            )
        if not changed:
            _log.info("No setting has changed")

    def _pass_on(self) -> None:
        self._hub.reconfigure()
        self._factory.reconfigure()
