"""The command line of ``ma-signaling check``."""

from __future__ import annotations

import argparse
import math
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ma_signaling.check.address import websocket_urls
from ma_signaling.check.outcome import unknown
from ma_signaling.config.declaration import CHECK_URL_VARIABLE, said_in
from ma_signaling.config.files import read_regular

OFFICIAL_URL = "wss://signaling.music-assistant.io/ws"


@dataclass(frozen=True, slots=True)
class Given:
    """The parsed arguments."""

    remote_id: str
    urls: Sequence[str]
    trust: ssl.SSLContext
    timeout: float
    warning: float
    webrtc: bool
    json: bool
    each_address: bool
    watch: float | None
    """Seconds between two rounds; None for one round."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether JSON is wanted, even if other arguments are invalid."""
    return "--json" in arguments


def parse(arguments: Sequence[str]) -> Given:
    """Return the parsed arguments. Raises ``Stop`` with UNKNOWN for a mistake, which says nothing about the home."""
    given = _parser().parse_args(arguments)
    return Given(
        given.remote_id,
        given.url,
        _trust(given.ca, is_insecure=given.insecure),
        given.timeout,
        given.warning,
        given.webrtc,
        given.json,
        given.each_address,
        given.watch,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        unknown(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ma-signaling check",
        description="Try to reach a home as the app does. Exit status: 0 OK, 1 warning, 2 critical, 3 unknown.",
    )
    parser.add_argument(
        "remote_id", metavar="REMOTE-ID", help="Remote ID of the home, with or without hyphens"
    )
    parser.add_argument(
        "--url",
        type=_urls,
        default=said_in(CHECK_URL_VARIABLE) or OFFICIAL_URL,
        help=f"the signaling server that the home uses [default: ${CHECK_URL_VARIABLE}, or {OFFICIAL_URL}]",
    )
    parser.add_argument(
        "--webrtc", action="store_true", help="go all the way, until Music Assistant itself answers"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each check, on a line")
    parser.add_argument(
        "--warning",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="warn if the home takes longer to get ready [default: 5]",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="limit for each step [default: 30]"
    )
    parser.add_argument(
        "--ca", metavar="FILE", default="", help="certificates (PEM) to trust besides the system's"
    )
    parser.add_argument("--insecure", action="store_true", help="accept any certificate of the server")
    parser.add_argument(
        "--each-address",
        action="store_true",
        help="check each IP address of the server, one after the other",
    )
    parser.add_argument(
        "--watch",
        type=_seconds,
        nargs="?",
        const=60.0,
        metavar="SECONDS",
        help="repeat the check until stopped, with a line for each [default: every 60 s]",
    )
    return parser


def _trust(ca: str, *, is_insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        try:
            # PEM is ASCII; text around it may not be.
            context.load_verify_locations(cadata=read_regular(Path(ca)).decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            unknown(f"--ca: {ca}: it contains no certificate (PEM)")
        except OSError as problem:
            unknown(f"--ca: {ca}: {problem.strerror}")
    if is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _urls(text: str) -> list[str]:
    try:
        return websocket_urls(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("it must be a number of seconds up to 3600")
    return value
