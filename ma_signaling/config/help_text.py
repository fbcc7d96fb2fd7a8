"""The text of ``--help``: the commands, then every setting, in groups."""

from __future__ import annotations

import re
from textwrap import TextWrapper

from ma_signaling.config.declaration import Declaration
from ma_signaling.config.groups import groups
from ma_signaling.config.values import range_of

WIDTH = 80

COMMANDS = {
    "check REMOTE-ID": "Try to reach a home as the app does, and say what is wrong",
    "admin COMMAND": "Inspect and control a running server: kick, ban, drain …",
    "home": "Connect Music Assistant at home to a server of your own",
}
"""The commands. Each has its own --help."""

GENERAL = {
    "--config PATH": "Settings file, TOML; the command line and the environment override it",
    "--check-config": "Print every setting and its source, or the first mistake, and exit",
    "--version": "Print the version and exit",
    "--help": "Print this help and exit",
}

_ABOUT = (
    "Every setting is also an environment variable, and a key in the file that --config names: --some-option is"
    " MA_SIGNALING_SOME_OPTION and some_option."
)

_PARAGRAPH = TextWrapper(WIDTH, break_on_hyphens=False, break_long_words=False)
_INDENTED = TextWrapper(
    WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False, break_long_words=False
)


def help_text(synopsis: str) -> str:
    """Return the whole text; ``synopsis`` is its first line."""
    lines = [synopsis, "", "Commands, each with its own --help:"]
    lines += (f"  {name:<18}{about}" for name, about in COMMANDS.items())
    lines += ["", *_PARAGRAPH.wrap(_ABOUT), "", "General:"]
    for name, about in GENERAL.items():
        lines += [f"  {name}", *_INDENTED.wrap(about)]
    for title, settings in groups():
        lines += ["", f"{title}:"]
        for each in settings:
            lines += _entry(each)
    return "\n".join(lines)


def _entry(setting: Declaration) -> list[str]:
    # "full, network or none" is <full|network|none>.
    value = re.sub("(?:,? or|,) ", "|", setting.unit or "text").replace(" ", "-")
    name = f"  --{setting.option}" + ("" if setting.is_flag else f" <{value}>")
    facts = "; ".join(
        filter(None, (range_of(setting.parse), setting.default and f"default: {setting.default}"))
    )
    return [name, *_INDENTED.wrap(f"{setting.help} [{facts}]" if facts else setting.help)]
