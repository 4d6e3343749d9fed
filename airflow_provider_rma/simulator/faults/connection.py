"""The client's connection itself: closing it without a response, cutting a response short, sending it in drops.

ASGI offers no way to break the protocol, so the connections are tracked here (uvicorn's protocol object tells when one
opens and closes) and written to directly where a response must be wrong on purpose.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}


class TrackedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with the transport findable by the client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _open.pop(self.client, None)
        super().connection_lost(exc)


class ClientConnection:
    """The connection of one request.

    :param scope: ASGI scope of the request.
    :param receive: its ASGI channel; tells when the connection has ended.
    """

    def __init__(self, scope: Any, receive: Any) -> None:
        self._transport = _open.get(tuple(scope.get("client") or ()))
        self._receive = receive

    async def drop(self) -> None:
        """Close at once, without a byte of a response."""
        if self._transport is not None:
            self._transport.abort()
        await self._wait_until_closed()

    async def send(self, data: bytes, *, seconds: float = 0.0, drops: int = 20) -> None:
        """Write these bytes as they are, spread over that many seconds, and close."""
        size = max(1, -(-len(data) // drops)) if seconds else max(1, len(data))
        for start in range(0, len(data), size):
            if self._transport is None or self._transport.is_closing():
                break
            self._transport.write(data[start : start + size])
            if seconds:
                await asyncio.sleep(seconds / drops)
        if self._transport is not None:
            self._transport.close()
        await self._wait_until_closed()

    async def _wait_until_closed(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue


def write_head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Status line and headers, up to and with the empty line."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
