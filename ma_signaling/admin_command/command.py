"""The command line of ``ma-signaling admin``. Exit status: 0; 1 with one line on standard error; 2 from argparse."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ma_signaling.admin_command import tables
from ma_signaling.admin_command.unix_http import Failed, Server
from ma_signaling.config.declaration import ENVIRONMENT_PREFIX, said_in

SOCKET_VARIABLE = ENVIRONMENT_PREFIX + "ADMIN_SOCKET"

DEFAULT_SOCKET = "/run/ma-signaling/admin.sock"

WATCH_SECONDS = 2.0

CLEAR = "\x1b[H\x1b[2J"
"""The sequence that clears a terminal."""

Run = Callable[[Server, argparse.Namespace], dict[str, Any]]
Show = Callable[[Any], str]


def main(arguments: Sequence[str]) -> int:
    """Run a command, and return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        _do(given)
    except Failed as problem:
        return _failed(problem)
    except KeyboardInterrupt:
        return 0
    except _NotWritten as problem:
        if sys.stdout is not None:
            # Otherwise Python would report the error again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A broken pipe is no error to report: the reader has enough.
        return 1 if isinstance(problem.__cause__, BrokenPipeError) else _failed(problem)
    except (LookupError, TypeError, ValueError):
        return _failed(Failed("what answers there is not a ma-signaling of this version"))
    return 0


class _NotWritten(Exception):
    """Raised if standard output can't be written; the text says why."""


def _failed(problem: Exception) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"ma-signaling admin: {tables.printable(problem)}\n")
    return 1


def _do(given: argparse.Namespace) -> None:
    server = Server(given.socket)
    if given.command == "trace":
        for event in server.lines("trace", given.target):
            clock = time.strftime("%H:%M:%S", time.localtime(event["time"]))
            _print(json.dumps(event) if given.json else tables.event(event, clock))
        return
    while True:
        answer = given.run(server, given)
        text = json.dumps(answer) if given.json else given.show(answer)
        if not getattr(given, "watch", False):
            _print(text)
            return
        _print((CLEAR if sys.stdout.isatty() and not given.json else "") + text)
        time.sleep(WATCH_SECONDS)


def _print(text: str) -> None:
    if sys.stdout is None:
        raise _NotWritten("standard output is closed")
    # The terminal's encoding may lack characters.
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write((text + "\n").encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except OSError as problem:
        raise _NotWritten(f"standard output: {problem.strerror}") from problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ma-signaling admin",
        description="Inspect and control a running server over its admin socket.",
    )
    parser.add_argument(
        "--socket",
        default=said_in(SOCKET_VARIABLE) or DEFAULT_SOCKET,
        help=f"the server's --admin-socket [default: ${SOCKET_VARIABLE}, or {DEFAULT_SOCKET}]",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, help: str, run: Run | None = None, show: Show | None = None
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        command.add_argument("--json", action="store_true", help="print the answer as JSON, on one line")
        command.set_defaults(run=run, show=show)
        return command

    watched = add(
        "status", "The server's state", lambda server, _: server.ask("GET", "status"), tables.status
    )
    watched.add_argument("--watch", action="store_true", help="repeat every two seconds, until Ctrl-C")
    for name, what, all_of, one_of in (
        ("homes", "ID", tables.homes, tables.home),
        ("sessions", "ID", tables.sessions, lambda one: tables.sessions({"sessions": [one]})),
        ("contests", "ID", tables.contests, lambda one: tables.contests({"contests": [one]})),
    ):
        command = add(
            name, f"All {name} of this node, or one", _one_or_all(name), _shown(name, all_of, one_of)
        )
        command.add_argument("target", nargs="?", metavar=what)
    add("addresses", "The addresses with most connections", _addresses, tables.addresses).add_argument(
        "--limit", type=int, default=20
    )
    add(
        "blocks",
        "Addresses whose lookups are blocked",
        lambda server, _: server.pages("blocks"),
        tables.blocks,
    )
    _add_target(add("unblock", "End the block of an address", _unblock, _done), "ADDRESS")
    _add_target(add("kick", "Close connections; the peers may come back", _kick, _closed), "ID|ADDRESS")
    ban = add("ban", "Refuse an address, a network or a Remote ID", _ban, _banned)
    _add_target(ban, "ADDRESS|NETWORK|ID")
    ban.add_argument(
        "--for", dest="duration", metavar="TIME", help="such as 15m, 1h or 7d; by default for good"
    )
    add("bans", "The bans given by command", lambda server, _: server.pages("bans"), tables.bans)
    _add_target(add("unban", "End a ban", _unban, _done), "ADDRESS|NETWORK|ID")
    level = add(
        "log-level",
        "Show the log's level, or set it until a restart",
        _log_level,
        lambda one: tables.printable(one["level"]),
    )
    level.add_argument("level", nargs="?", choices=("debug", "info", "warn", "error"))
    drain = add("drain", "Stop the server politely, as SIGTERM does", _drain, _drained)
    drain.add_argument("--over", metavar="TIME", help="close thousands of peers over this time, such as 5m")
    _add_target(
        add("trace", "Follow the events of a home, session or address, until Ctrl-C"), "ID|SESSION|ADDRESS"
    )
    return parser


def _add_target(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("target", metavar=what)


def _one_or_all(name: str) -> Run:
    def run(server: Server, given: argparse.Namespace) -> dict[str, Any]:
        return server.ask("GET", name, given.target) if given.target else server.pages(name)

    return run


def _shown(name: str, all_of: Show, one_of: Show) -> Show:
    def show(answer: dict[str, Any]) -> str:
        return all_of(answer) if name in answer else one_of(answer)

    return show


def _addresses(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("GET", "addresses", limit=given.limit)


def _unblock(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("DELETE", "blocks", given.target)


def _kick(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("POST", "kick", target=given.target)


def _ban(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    parameters = {"target": given.target, "for": given.duration}
    return server.ask("POST", "bans", **parameters)


def _unban(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("DELETE", "bans", given.target)


def _log_level(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("PUT" if given.level else "GET", "log-level", level=given.level)


def _drain(server: Server, given: argparse.Namespace) -> dict[str, Any]:
    return server.ask("POST", "drain", over=given.over)


def _done(answer: dict[str, Any]) -> str:
    return tables.printable(" ".join(f"{name}: {each}" for name, each in answer.items()))


def _closed(answer: dict[str, Any]) -> str:
    return f"connections closed: {answer['closed']}"


def _banned(answer: dict[str, Any]) -> str:
    kept = (
        "" if answer["kept"] else " (until a restart: the server has not written it to a --state-directory)"
    )
    return f"banned: {tables.printable(answer['banned'])}; connections closed: {answer['closed']}{kept}"


def _drained(answer: dict[str, Any]) -> str:
    return f"the server stops, over up to {answer['drainSeconds']:g} s"
