"""A STUN server (RFC 8489) that reports an address of its own choice to everybody, as if they were behind a NAT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aioice import stun

PUBLIC_ADDRESS = "203.0.113.7"


class _Answers(asyncio.DatagramProtocol):
    _transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, asked.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = (PUBLIC_ADDRESS, addr[1])
        self._transport.sendto(bytes(answer), addr)


async def start_stun() -> tuple[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Start a server on loopback; return its ``stun:`` address, and a function that closes it."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Answers, local_addr=("127.0.0.1", 0))

    async def close() -> None:
        transport.close()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    return f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}", close
