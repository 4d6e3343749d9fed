"""Sending an answer, also a wrong one on purpose."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import HTMLResponse, Response, StreamingResponse

from airflow_provider_rma.simulator.faults.connection import ClientConnection, head
from airflow_provider_rma.simulator.faults.rules import FaultRule
from airflow_provider_rma.simulator.http.responses import error_body

_PAGE = "<!DOCTYPE html><html><head><title>Wartung</title></head><body><h1>Wartungsarbeiten</h1></body></html>"


class NoResponseError(Exception):
    """The connection is to be closed without an answer."""


async def respond_with_fault(rule: FaultRule | None, form: str, *, after_commit: bool) -> Response | None:
    """What a fault answers in place of the real answer; ``None`` if the real one is to be given.

    Called once before a request is carried out and once after.
    """
    if rule is None:
        return None
    if rule.fault == "slow_commit" and not after_commit:
        await asyncio.sleep(rule.seconds)
    if rule.after_commit != after_commit:
        return None
    if rule.fault == "lost":
        raise NoResponseError
    if rule.fault == "error":
        return Response(error_body("Interner Serverfehler.", form), rule.status or 500, media_type=form)
    if rule.fault == "html":
        return HTMLResponse(_PAGE, rule.status or 200)
    if rule.fault == "redirect":
        return Response(status_code=302, headers={"Location": "/login"})
    if rule.fault == "too_many_requests":
        headers = {"Retry-After": str(rule.retry_after)}
        return Response(error_body("Zu viele Anfragen.", form), 429, headers=headers, media_type=form)
    return None


async def deliver(response: Response, rule: FaultRule | None, scope: Any, receive: Any, send: Any) -> None:
    """Send the answer as it is, in drops (``slow_answer``), or only its beginning (``truncated``)."""
    if rule is None or rule.fault not in ("slow_answer", "truncated"):
        await response(scope, receive, send)
        return
    line = ClientConnection(scope, receive)
    body = await _whole(response)
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in response.raw_headers
        if name != b"content-length"
    ]
    if response.status_code != 204 and not _chunked(rule):
        headers.append(("content-length", str(len(body))))
    headers.append(("connection", "close"))
    if rule.fault == "slow_answer":
        await line.send(head(response.status_code, headers) + body, seconds=rule.seconds)
    else:
        await line.send(_cut(rule, response.status_code, headers, body))


def _chunked(rule: FaultRule) -> bool:
    return rule.fault == "truncated" and rule.framing in ("chunked", "close")


def _cut(rule: FaultRule, status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    if not body:
        return head(status, headers)[:8]  # within the status line: later, nothing would be missing from an empty answer
    sent = body[: len(body) // 2 if rule.at is None else rule.at]
    if rule.framing == "chunked":
        return head(status, [*headers, ("transfer-encoding", "chunked")]) + b"%x\r\n%s\r\n" % (len(sent), sent)
    if rule.framing == "intact":
        kept = [(name, value) for name, value in headers if name != "content-length"]
        return head(status, [*kept, ("content-length", str(len(sent)))]) + sent
    return head(status, headers) + sent


async def _whole(response: Response) -> bytes:
    if isinstance(response, StreamingResponse):
        return b"".join([bytes(piece) async for piece in response.body_iterator])  # type: ignore[arg-type]
    return bytes(response.body)
