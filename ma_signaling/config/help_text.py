"""The text of ``--help``: the commands, then every setting, in groups."""

from __future__ import annotations

from textwrap import TextWrapper

from ma_signaling.config.declaration import Declaration
from ma_signaling.config.groups import groups
from ma_signaling.config.values import range_of

WIDTH = 80

COMMANDS = {
    "check REMOTE-ID": "Reach for a home as the app does, and say what is wrong",
    "admin COMMAND": "See what a running server does, and act: kick, ban, drain …",
    "home": "Give Music Assistant a Remote ID at a server of your own",
}
"""The commands. Each has its own --help."""

GENERAL = {
    "--config PATH": "File of settings, TOML; the command line and the environment override it",
    "--check-config": "Print every setting and its source, or the first mistake, and exit",
    "--version": "Print the version and exit",
    "--help": "Print this text and exit",
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
    value = "" if setting.is_flag else f" {setting.unit or 'text'}".replace(", or none", "").replace(" ", "-")
    name = f"  --{setting.option}" + (f" <{value.lstrip('-')}>" if value else "")
    facts = "; ".join(
        filter(None, (range_of(setting.parse), setting.default and f"default: {setting.default}"))
    )
    return [name, *_INDENTED.wrap(f"{setting.help} [{facts}]" if facts else setting.help)]
