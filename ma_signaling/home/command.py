"""The command line of ``ma-signaling home``, and its output for the person who starts it."""

from __future__ import annotations

import argparse
import asyncio
import io
import ipaddress
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aioice.ice
import segno

from ma_signaling.check.address import websocket_urls
from ma_signaling.check.outcome import printable
from ma_signaling.config.declaration import HOME_VARIABLES, SettingError, said_in
from ma_signaling.config.environment import check_home_environment
from ma_signaling.config.values import Whole, is_ice_url
from ma_signaling.home.agent import Agent
from ma_signaling.home.identity import Identity, IdentityError, load_or_create
from ma_signaling.home.limits import Limits
from ma_signaling.home.music_assistant import MusicAssistant, local_url
from ma_signaling.webrtc.local_addresses import is_own

DEFAULT_STUN = "stun:stun.cloudflare.com:3478"
NO_STUN = "none"
_LINK = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")


def main(arguments: Sequence[str]) -> int:
    """Run until SIGINT or SIGTERM, and return the exit status."""
    given = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.ERROR)
    foreign = [address for address in given.address if not is_own(ipaddress.ip_address(address))]
    if foreign:
        return _refuse(f"--address: this machine has no address {', '.join(foreign)}")
    try:
        identity = load_or_create(given.state_directory)
    except IdentityError as problem:
        return _refuse(problem)
    sys.stdout.write(introduction(identity, given.link or app_url(given.signaling)))
    sys.stdout.flush()
    if given.address:
        _use_addresses(given.address)
    asyncio.run(_run(given, identity))
    return 0


def _refuse(problem: object) -> int:
    sys.stderr.write(f"ma-signaling home: {problem}\n")
    return 1


def app_url(signaling: str) -> str:
    """Return the URL at which the signaling server serves the web app."""
    parts = urlsplit(signaling)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return f"{scheme}://{parts.netloc}/app/"


def introduction(identity: Identity, app: str) -> str:
    """Return Remote ID and link, with a QR code if the home is new."""
    link = f"{app}?{urlencode({'remote_id': identity.remote_id, 'remote': '1'})}"
    lines = [f"Remote ID: {identity.remote_id}", f"Link: {link}"]
    if identity.is_new:
        code = io.StringIO()
        segno.make(link, error="m", micro=False).terminal(code, border=2, compact=True)
        lines += ["", "Point your phone's camera at this to open the web app:", "", code.getvalue()]
    return "\n".join([*lines, ""])


async def _run(given: Any, identity: Identity) -> None:
    limits = Limits(sessions=given.max_sessions)
    stun = [] if given.stun == [NO_STUN] else given.stun or [DEFAULT_STUN]
    async with MusicAssistant(given.music_assistant, limits) as music_assistant:
        agent = asyncio.create_task(Agent(given.signaling, identity, music_assistant, limits, stun).run())
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_failed)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, agent.cancel)
        try:
            await agent
        except asyncio.CancelledError:
            logging.getLogger(__name__).info("Stopped")


def _failed(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log in one line an exception that nobody handles: one in aiortc, caused by a client's input."""
    problem = context.get("exception") or context.get("message")
    logging.getLogger(__name__).warning("A connection failed: %s", printable(repr(problem))[:200])


def _use_addresses(addresses: Sequence[str]) -> None:
    """Let aiortc use only these addresses of this machine; aioice has no setting for that."""
    by_version = {
        version: [a for a in addresses if ipaddress.ip_address(a).version == version] for version in (4, 6)
    }

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return (by_version[4] if use_ipv4 else []) + (by_version[6] if use_ipv6 else [])

    library: Any = aioice.ice
    library.get_host_addresses = host_addresses


def _parse(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(
        prog="ma-signaling home",
        description="Connect a Music Assistant at home to your own signaling server. Each option can also be set by"
        " an environment variable: --state-directory is MA_SIGNALING_HOME_STATE_DIRECTORY.",
    )
    repeatable: list[tuple[str, str, Any]] = []

    def option(name: str, default: object = None, *, required: bool = False, **more: Any) -> None:
        variable = HOME_VARIABLES[name]
        said = said_in(variable) or default
        if more.get("action") == "append":
            # No default for argparse, which would append to it.
            repeatable.append((name, variable, more["type"]))
            said = None
        parser.add_argument(f"--{name}", default=said, required=required and said is None, **more)

    option(
        "signaling",
        type=_checked(lambda text: websocket_urls(text)[0]),
        required=True,
        metavar="URL",
        help="your signaling server, such as wss://signaling.example.org/ws",
    )
    option(
        "music-assistant",
        type=_checked(local_url),
        required=True,
        metavar="URL",
        help="Music Assistant at home, such as http://homeassistant.local:8095",
    )
    option(
        "state-directory",
        Path("ma-signaling-home"),
        type=Path,
        metavar="PATH",
        help="keeps the home's certificate; without it, the home gets another Remote ID [default: ./ma-signaling-home]",
    )
    option(
        "stun",
        type=_checked(_stun),
        action="append",
        metavar="URL",
        help="STUN server, which tells home and clients their public addresses; repeatable, or none"
        f" [default: {DEFAULT_STUN}]",
    )
    option(
        "address",
        type=_checked(_address),
        action="append",
        metavar="ADDRESS",
        help="address of this machine that clients may connect to; repeatable [default: all]",
    )
    option(
        "link",
        type=_checked(_link),
        metavar="URL",
        help="where the web app is [default: /app/ at the signaling server]",
    )
    option(
        "max-sessions",
        Limits().sessions,
        type=_checked(_count),
        metavar="N",
        help=f"clients at the same time [default: {Limits().sessions}]",
    )
    given = parser.parse_args(arguments)
    try:
        check_home_environment(os.environ)
    except SettingError as problem:
        parser.error(str(problem))
    for name, variable, parse in repeatable:
        if getattr(given, name) is None:
            try:
                values = [parse(each) for each in said_in(variable).replace(",", " ").split()]
            except argparse.ArgumentTypeError as problem:
                parser.error(f"{variable}: {problem}")
            setattr(given, name, values)
    if NO_STUN in given.stun and len(given.stun) > 1:
        parser.error("--stun: none stands alone; leave it out, or the others")
    return given


def _stun(text: str) -> str:
    # aiortc speaks UDP without TLS, and takes no IPv6 address.
    if text != NO_STUN and ("[" in text or not is_ice_url(text, "stun")):
        raise ValueError("it must be an address such as stun:stun.example.org:3478, or none")
    return text


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _link(text: str) -> str:
    if not _LINK.fullmatch(text):
        raise ValueError("it must be an address such as https://signaling.example.org/app/")
    return text


def _count(text: str) -> int:
    try:
        return Whole(1)(text)
    except ValueError as expected:
        raise ValueError(f"it must be {expected}") from None


def _checked(parse: Any) -> Any:
    def checked(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return checked
