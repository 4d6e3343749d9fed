"""Responses that are wrong on purpose: replaced, delayed, cut short or lost."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.responses import HTMLResponse, Response, StreamingResponse

from airflow_provider_rma.simulator.faults.connection import ClientConnection, write_head
from airflow_provider_rma.simulator.faults.rules import FaultRule

_PAGE = "<!DOCTYPE html><html><head><title>Wartung</title></head><body><h1>Wartungsarbeiten</h1></body></html>"


class NoResponseError(Exception):
    """The connection is to be closed without a response."""


class ErrorResponse(Protocol):
    """Builds an error response in the form the client asked for."""

    def __call__(self, status: int, text: str, headers: dict[str, str] | None = None) -> Response: ...


async def replace_response(
    rule: FaultRule | None, error_response: ErrorResponse, *, after_commit: bool
) -> Response | None:
    """Return the response that a fault sends in place of the real one, or ``None`` if it replaces none.

    Called once before a request is carried out and once after.

    :raises NoResponseError: the fault closes the connection instead.
    """
    if rule is None:
        return None
    if rule.fault == "slow_commit" and not after_commit:
        await rule.hold()
    if rule.after_commit != after_commit:
        return None
    if rule.fault == "lost":
        raise NoResponseError
    if rule.fault == "error":
        return error_response(rule.status or 500, "Interner Serverfehler.")
    if rule.fault == "html":
        return HTMLResponse(_PAGE, rule.status or 200)
    if rule.fault == "no_body":
        return Response(status_code=rule.status or 400)
    if rule.fault == "redirect":
        return Response(status_code=302, headers={"Location": "/login"})
    if rule.fault == "too_many_requests":
        return error_response(429, "Zu viele Anfragen.", {"Retry-After": str(rule.retry_after)})
    return None


async def deliver(response: Response, rule: FaultRule | None, scope: Any, receive: Any, send: Any) -> None:
    """Send the response as it is, in drops (``slow_answer``), behind an ``interim`` one, or only its beginning
    (``truncated``, ``partial``)."""
    if rule is None or rule.fault not in ("slow_answer", "interim", "truncated", "partial"):
        await response(scope, receive, send)
        return
    connection = ClientConnection(scope, receive)
    body = await _read_whole(response)
    status = response.status_code
    if rule.fault == "partial":
        status, body = 206, body[: len(body) // 2 if rule.at is None else rule.at]
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in response.raw_headers
        if name != b"content-length"
    ]
    if status != 204 and not _is_chunked(rule):
        headers.append(("content-length", str(len(body))))
    headers.append(("connection", "close"))
    if rule.fault == "truncated":
        await connection.send(_cut(rule, status, headers, body))
        return
    interim = write_head(rule.status or 103, []) if rule.fault == "interim" else b""
    seconds = rule.seconds if rule.fault == "slow_answer" else 0.0
    await connection.send(interim + write_head(status, headers) + body, seconds=seconds)


def _is_chunked(rule: FaultRule) -> bool:
    return rule.fault == "truncated" and rule.framing in ("chunked", "close")


def _cut(rule: FaultRule, status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    if not body:
        return write_head(status, headers)[
            :8
        ]  # within the status line: later, nothing would be missing from an empty response
    sent = body[: len(body) // 2 if rule.at is None else rule.at]
    if rule.framing == "chunked":
        return write_head(status, [*headers, ("transfer-encoding", "chunked")]) + b"%x\r\n%s\r\n" % (len(sent), sent)
    if rule.framing == "intact":
        kept = [(name, value) for name, value in headers if name != "content-length"]
        return write_head(status, [*kept, ("content-length", str(len(sent)))]) + sent
    return write_head(status, headers) + sent


async def _read_whole(response: Response) -> bytes:
    if isinstance(response, StreamingResponse):
        return b"".join([bytes(piece) async for piece in response.body_iterator])  # type: ignore[arg-type]
    return bytes(response.body)
