"""Answers as tables for a terminal, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

COLUMNS = 80

GAP = "  "

ELLIPSIS = "…"


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; if it would be too wide, the widest columns are cut."""
    cells = [[printable(each) for each in row] for row in (titles, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    room = COLUMNS - len(GAP) * (len(titles) - 1)
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    return "\n".join(
        GAP.join(_fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _fit(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else text[: width - 1] + ELLIPSIS


def facts(values: Mapping[str, object]) -> str:
    """Return a line for each name and value."""
    width = max(map(len, values))
    return "\n".join(
        f"{name:<{width}}{GAP}{_fit(printable(each), COLUMNS - width - len(GAP)).rstrip()}"
        for name, each in values.items()
    )


def printable(value: object) -> str:
    """Return a value without control characters, since some values come from strangers."""
    return "".join(
        each if each.isprintable() else ELLIPSIS for each in ("-" if value is None else str(value))
    )


def age(seconds: float | None) -> str:
    """Return seconds in a short form: ``12s``, ``5m``, ``3h20m``, ``9d``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f}s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours < 48 else f"{hours // 24}d"


def status(answer: Mapping[str, Any]) -> str:
    """Return the status of the server."""
    connections, sessions = answer["connections"], answer["sessions"]
    return facts(
        {
            "server": f"{answer['version']}, pid {answer['pid']}, up {age(answer['seconds'])}",
            "ready": "yes" if answer["ready"] else f"no: {answer['reason']}",
            "homes": answer["homes"],
            "sessions": f"{sessions['open']} open, {sessions['pending']} pending",
            "connections": ", ".join(f"{count} {role}" for role, count in connections.items()),
            "sockets": answer["sockets"],
            "contests": answer["contests"],
            "blocks, bans": f"{answer['blocks']}, {answer['bans']}",
            "loop lag": f"{answer['lagSeconds'] * 1000:.0f} ms",
            "unsent": f"{answer['unsentBytes'] / 1024:.0f} KiB",
            "memory": f"{answer['residentBytes'] / (1 << 20):.0f} MiB",
        }
    )


def homes(answer: Mapping[str, Any]) -> str:
    """Return a line for each home."""
    rows = [
        (
            each["remoteId"],
            each["state"],
            each["sessions"],
            age(each.get("seconds")),
            each.get("connection"),
            each.get("address"),
        )
        for each in answer["homes"]
    ]
    return table(("REMOTE ID", "STATE", "SESS", "AGE", "CONN", "ADDRESS"), rows)


def home(answer: Mapping[str, Any]) -> str:
    """Return a home, and its sessions."""
    text = homes({"homes": [answer]})
    if contest := answer.get("contest"):
        text += "\n\n" + contests({"contests": [contest]})
    if answer["sessionList"]:
        text += "\n\n" + sessions({"sessions": answer["sessionList"]})
    return text


def sessions(answer: Mapping[str, Any]) -> str:
    """Return a line for each session."""
    rows = [
        (each["id"], each["state"], each["negotiation"], age(each["seconds"]), each["address"])
        for each in answer["sessions"]
    ]
    return table(("SESSION", "STATE", "SDP", "AGE", "CLIENT"), rows)


def addresses(answer: Mapping[str, Any]) -> str:
    """Return a line for each address."""
    rows = [
        (
            each["address"],
            each["connections"],
            each["homes"],
            each["clients"],
            age(each["blockedSeconds"]) if each["blockedSeconds"] else None,
        )
        for each in answer["addresses"]
    ]
    return table(("ADDRESS", "CONNECTIONS", "HOMES", "CLIENTS", "BLOCKED"), rows)


def blocks(answer: Mapping[str, Any]) -> str:
    """Return a line for each block."""
    return table(
        ("ADDRESS", "ENDS IN"), [(each["address"], age(each["seconds"])) for each in answer["blocks"]]
    )


def bans(answer: Mapping[str, Any]) -> str:
    """Return a line for each ban."""
    rows = [
        (each["target"], age(each["seconds"]) if "seconds" in each else "never") for each in answer["bans"]
    ]
    text = table(("BANNED", "ENDS IN"), rows)
    return (
        text
        if answer["kept"]
        else text + "\n(until a restart: the server has not written them to a --state-directory)"
    )


def contests(answer: Mapping[str, Any]) -> str:
    """Return a line for each contest."""
    rows = [
        (each["remoteId"], each["phase"], each["holder"], ", ".join(each["newcomers"]))
        for each in answer["contests"]
    ]
    return table(("REMOTE ID", "ASKED", "HOLDER", "NEWCOMERS"), rows)


def event(answer: Mapping[str, Any], clock: str) -> str:
    """Return a line for an event, wrapped for a terminal; ``clock`` is its time."""
    rest = " ".join(f"{name}={each}" for name, each in answer.items() if name not in ("time", "event"))
    line = printable(f"{clock} {answer['event']}  {rest}")
    indent = " " * (len(clock) + 1)
    return fill(line, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
