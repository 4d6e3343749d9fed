"""The documented interface over HTTP: finding the operation, authorisation, forms, errors, and faults on purpose."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.faults.connection import ClientConnection
from airflow_provider_rma.simulator.faults.delivery import NoResponseError, deliver, replace_response
from airflow_provider_rma.simulator.faults.rules import FaultRule
from airflow_provider_rma.simulator.http import wire
from airflow_provider_rma.simulator.http.forms import FORM, MULTIPART, read_form, read_upload
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.responses import (
    JSON,
    XML,
    ResponseError,
    Result,
    WireEntity,
    WireFile,
    choose_form,
    compress,
    error_response,
    write_pieces,
)
from airflow_provider_rma.simulator.http.routing import find_operations
from airflow_provider_rma.simulator.http.service import Service

log = logging.getLogger(__name__)
_LARGEST_BODY = 32 * 1024 * 1024


@dataclass
class HttpExchange:
    """One request on its way to its response."""

    request: Request
    segments: list[str]
    form: str = XML
    name: str = "unknown"
    operation: Operation | None = None
    params: dict[str, str] = field(default_factory=dict)
    token: str = ""


class RestApi:
    """ASGI application of everything under ``/api``.

    :param service: the running simulator.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        path = scope["raw_path"].decode("ascii").partition("?")[0]
        exchange = HttpExchange(request, [unquote(part) for part in path.strip("/").split("/")])
        rule: FaultRule | None = None
        try:
            self._find_operation(exchange)
            self._authorise(exchange)
            rule = self.service.faults.pick(exchange.operation.request_class) if exchange.operation else None
            response = await self._respond(exchange, rule)
        except ResponseError as problem:
            response = error_response(exchange.form, problem.status, problem.text, problem.headers)
        except ClientDisconnect:
            return
        except NoResponseError:
            self.service.answered[f"{exchange.name} lost"] += 1
            await ClientConnection(scope, receive).drop()
            return
        self.service.answered[f"{exchange.name} {response.status_code}"] += 1
        log.info("%s %s", exchange.name, response.status_code)
        await deliver(response, rule, scope, receive, send)

    def _find_operation(self, exchange: HttpExchange) -> None:
        """The operation by method and path; the request is counted even if there is none."""
        request, segments = exchange.request, exchange.segments
        found: dict[str, tuple[Operation, dict[str, str]]] = {}
        if len(segments) > 4 and segments[:1] == ["api"] and segments[2] == "clients":
            found = find_operations(segments[4:])
        if request.method in found:
            exchange.operation, exchange.params = found[request.method]
            exchange.name = f"{request.method} {exchange.operation.template}"
        self.service.received[exchange.name] += 1
        is_file = exchange.operation is not None and exchange.operation.media_type is not None
        exchange.form = choose_form("" if is_file else request.headers.get("accept", ""))
        if not found or segments[1] != "latest":
            raise ResponseError(404, "Die Ressource wurde nicht gefunden.")
        if exchange.operation is None:
            raise ResponseError(405, "Die Methode ist nicht erlaubt.", {"Allow": ", ".join(sorted(found))})

    def _authorise(self, exchange: HttpExchange) -> None:
        exchange.token = self.service.auth.check(exchange.request)
        if exchange.segments[3] != self.service.tenant:
            status = self.service.settings.unknown_tenant
            text = "Kein Zugriff auf diesen Mandanten." if status == 403 else "Der Mandant wurde nicht gefunden."
            raise ResponseError(status, text)

    async def _respond(self, exchange: HttpExchange, rule: FaultRule | None) -> Response:
        operation = exchange.operation
        assert operation is not None  # noqa: S101 - _find_operation has raised otherwise
        request = ApiRequest(
            params=exchange.params,
            query=dict(exchange.request.query_params),
            content=None,
            settings=self.service.settings,
            token=exchange.token,
        )
        request = await self._read_body(exchange, operation, request)
        build_error = partial(error_response, exchange.form)
        before = await replace_response(rule, build_error, after_commit=False)
        if before is not None:
            return before
        if rule is not None and rule.fault == "repeated":
            # As something on the way delivers a request twice: the client sees the second response.
            with suppress(ResponseError):
                await self._perform(exchange, operation, request, rule)
        response = await self._perform(exchange, operation, request, rule)
        return await replace_response(rule, build_error, after_commit=True) or response

    async def _read_body(self, exchange: HttpExchange, operation: Operation, request: ApiRequest) -> ApiRequest:
        if operation.body_root is None and operation.form is None:
            return request
        header = exchange.request.headers.get("content-type", "")
        media = header.partition(";")[0].strip().lower()
        allowed = (operation.form,) if operation.form is not None else (JSON, XML)
        if media not in allowed:
            raise ResponseError(415, f"Der Content-Type muss {' oder '.join(allowed)} sein.")
        body = bytearray()
        async for piece in exchange.request.stream():
            body += piece
            if len(body) > _LARGEST_BODY:
                raise ResponseError(413, "Der Inhalt ist zu gross.")
        if media == FORM:
            return replace(request, form=read_form(bytes(body)))
        if media == MULTIPART:
            return replace(request, upload=read_upload(bytes(body), header))
        return replace(request, content=_read_content(bytes(body), media, operation.body_root or ""))

    async def _perform(
        self, exchange: HttpExchange, operation: Operation, request: ApiRequest, rule: FaultRule | None
    ) -> Response:
        def perform(books: Books) -> Result:
            result = operation.perform(books, request)
            if rule is not None and rule.fault == "short_list" and isinstance(result, wire.Listing):
                return replace(result, items=islice(result.items, rule.at or 0))
            return result

        try:
            if operation.method == "GET" and operation.media_type is None and not operation.is_stateful:
                return await self._stream(exchange, perform)
            result = await self.service.worker.work(perform)
            return self._build_response(exchange, result)
        except RefusalError as refusal:
            raise ResponseError(400, refusal.text) from refusal
        except ResponseError:
            raise
        except Exception as error:
            log.exception("%s failed", exchange.name)
            raise ResponseError(500, "Interner Serverfehler.") from error

    def _build_response(self, exchange: HttpExchange, result: Result) -> Response:
        if result is None:
            return Response(status_code=204)
        if isinstance(result, WireFile):
            return Response(result.content, media_type=result.media_type)
        content = b"".join(write_pieces(result, exchange.form, self.service.settings))
        return Response(content, media_type=exchange.form)

    async def _stream(self, exchange: HttpExchange, perform: Callable[[Books], Result]) -> Response:
        settings = self.service.settings
        squeeze = settings.compress and "gzip" in exchange.request.headers.get("accept-encoding", "")

        def write(books: Books) -> Iterator[bytes]:
            result = perform(books)
            assert isinstance(result, WireEntity | wire.Listing)  # noqa: S101 - every GET that is streamed is data
            plain = write_pieces(result, exchange.form, settings)
            return compress(plain) if squeeze else plain

        headers = {"Content-Encoding": "gzip"} if squeeze else {}
        stream = self.service.worker.stream(write)
        first, second = await anext(stream, b""), await anext(stream, None)
        if second is None:
            return Response(first, headers=headers, media_type=exchange.form)
        return StreamingResponse(_join(first, second, stream), headers=headers, media_type=exchange.form)


def _read_content(body: bytes, media: str, root: str) -> wire.Mapped:
    try:
        content = wire.read_json(body) if media == JSON else wire.read_xml(body, root)
    except wire.MalformedError as error:
        raise ResponseError(400, str(error)) from error
    if wire.has_unprintable(content):
        raise ResponseError(400, "Der Inhalt enthält ein unzulässiges Zeichen.")
    return content


async def _join(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for piece in rest:
        yield piece
