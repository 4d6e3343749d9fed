"""The control endpoint: switches, faults, counters, and what an accountant does to the books without the interface.

Not part of the documented interface, and apart from it: everything lies under ``/__control__``, speaks JSON with the
neutral names of the books, and wants the tenant's key as ``Bearer``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.faults.rules import FaultRule
from airflow_provider_rma.simulator.http.responses import ResponseError
from airflow_provider_rma.simulator.http.service import Service

#: No control request is longer.
_LARGEST_BODY = 4 * 1024 * 1024

#: What values of a wrong kind or size lead to, wherever they are used.
_MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.IntegrityError,
    RefusalError,
)

Handler = Callable[[Request], Awaitable[Response]]


class _Json(JSONResponse):
    """JSON in which amounts are plain decimal texts."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, default=_format).encode()


def _format(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


async def _read_given(request: Request) -> Any:
    """Read the body of a control request; without one it is empty.

    :raises ResponseError: it is too long.
    :raises ValueError: it is no JSON in UTF-8, or spells half a character.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise ResponseError(400, f"the body is longer than {_LARGEST_BODY} bytes")
    given = json.loads(body.decode("utf-8"), parse_float=str, parse_constant=_refuse_constant) if body else {}
    # A response, or the books, could not hold half a character.
    json.dumps(given, ensure_ascii=False).encode()
    return given


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


class ControlApi:
    """The handlers of the control endpoint.

    :param service: the running simulator.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def routes(self) -> list[Route]:
        """Routes below ``/__control__``."""
        table: list[tuple[str, str, Callable[[Request, Any], Awaitable[Any]]]] = [
            ("GET", "/settings", self.show_settings),
            ("PATCH", "/settings", self.change_settings),
            ("GET", "/requests", self.count_requests),
            ("DELETE", "/requests", self.clear_requests),
            ("GET", "/chaos", self.list_faults),
            ("POST", "/chaos", self.add_faults),
            ("DELETE", "/chaos", self.clear_faults),
            ("PUT", "/close-date", self.set_close_date),
            ("POST", "/customers", self.books_call(lambda books, given: books.save_customer(given))),
            ("POST", "/vendors", self.books_call(lambda books, given: books.save_vendor(given))),
            ("POST", "/parts", self.books_call(lambda books, given: books.save_part(given))),
            ("POST", "/invoices", self.books_call(lambda books, given: books.post_invoice(given))),
            ("POST", "/purchases", self.books_call(lambda books, given: books.post_purchase(given))),
            ("POST", "/gl", self.books_call(lambda books, given: books.post_gl(given))),
            ("POST", "/year-end", self.books_call(lambda books, given: books.year_end(**given))),
            ("GET", "/invoices", self.find_invoices),
            ("GET", "/uploads", self.list_uploads),
            ("POST", "/tokens", self.add_token),
            ("GET", "/documents/{id:int}", self.show_document),
            ("PUT", "/documents/{id:int}", self.resave),
            ("DELETE", "/documents/{id:int}", self.delete),
            ("POST", "/documents/{id:int}/payments", self.pay),
            ("POST", "/documents/{id:int}/unbalance", self.unbalance),
        ]
        return [Route(path, self._guard(handler), methods=[method]) for method, path, handler in table]

    def _guard(self, handler: Callable[[Request, Any], Awaitable[Any]]) -> Handler:
        async def respond(request: Request) -> Response:
            try:
                self.service.auth.check_control(request)
                return _Json(await handler(request, await _read_given(request)))
            except ResponseError as problem:
                return _Json({"error": problem.text}, problem.status)
            except KeyError as error:
                return _Json({"error": f"not found or not given: {error}"}, 404)
            except _MALFORMED as error:
                return _Json({"error": str(error)}, 400)

        return respond

    def books_call(self, call: Callable[[Books, Any], int]) -> Callable[[Request, Any], Awaitable[Any]]:
        """Make a handler that hands the body to the books and responds with the id of what was saved."""

        async def handler(_: Request, given: Any) -> Any:
            return {"id": await self.service.worker.work(lambda books: call(books, given))}

        return handler

    async def show_settings(self, _: Request, __: Any) -> Any:
        """All switches."""
        return self.service.settings.to_json()

    async def change_settings(self, _: Request, given: Any) -> Any:
        """Turn switches."""
        self.service.settings.change(given)
        return self.service.settings.to_json()

    async def count_requests(self, _: Request, __: Any) -> Any:
        """Number of requests that arrived, by method and path template, and of responses, by status as well."""
        return {"received": dict(self.service.received), "answered": dict(self.service.answered)}

    async def clear_requests(self, _: Request, __: Any) -> Any:
        """Start counting anew."""
        self.service.received.clear()
        self.service.answered.clear()
        return {}

    async def list_faults(self, _: Request, __: Any) -> Any:
        """The rules in force, and how often each has hit."""
        return {"rules": [rule.to_json() for rule in self.service.faults.rules]}

    async def add_faults(self, request: Request, given: Any) -> Any:
        """Add one rule, or several as a list."""
        self.service.faults.rules += [
            FaultRule.from_json(rule) for rule in (given if isinstance(given, list) else [given])
        ]
        return await self.list_faults(request, given)

    async def clear_faults(self, _: Request, __: Any) -> Any:
        """Drop all rules; requests that they hold go on."""
        self.service.faults.clear()
        return {"rules": []}

    async def set_close_date(self, _: Request, given: Any) -> Any:
        """Close the books up to a day; ``null`` opens them."""
        await self.service.worker.work(lambda books: books.set_close_date(given["day"]))
        return {"day": given["day"]}

    async def find_invoices(self, request: Request, _: Any) -> Any:
        """Ids of the invoices with the number given as ``number``; without it the number of ids per number."""
        number = request.query_params.get("number")
        if number is not None:
            return {"ids": await self.service.worker.work(lambda books: books.find_invoices(number))}
        return {"counts": await self.service.worker.work(self._count_by_number)}

    async def list_uploads(self, _: Request, __: Any) -> Any:
        """Uploaded receipts without their content."""
        return {"uploads": await self.service.worker.work(lambda books: books.uploads.list())}

    async def add_token(self, _: Request, given: Any) -> Any:
        """Let a further key open the tenant, with flags and marks of payments of its own."""
        if not isinstance(given["token"], str) or not given["token"]:
            raise ValueError("token must be a text")
        self.service.auth.further.add(given["token"])
        return {}

    def _count_by_number(self, books: Books) -> dict[str, int]:
        counts: dict[str, int] = {}
        for invoice in books.invoices(today=self.service.settings.day):
            counts[invoice["invnumber"]] = counts.get(invoice["invnumber"], 0) + 1
        return counts

    async def show_document(self, request: Request, _: Any) -> Any:
        """A document with its amounts, lines, payments and postings."""
        number = request.path_params["id"]
        return await self.service.worker.work(lambda books: books.document(number, today=self.service.settings.day))

    async def resave(self, request: Request, given: Any) -> Any:
        """Save a document again; all its posting lines get new ids, with ``?payments=renew`` its payments too."""
        number = request.path_params["id"]
        renew = request.query_params.get("payments") == "renew"
        await self.service.worker.work(lambda books: books.resave(number, given, renew_payments=renew))
        return {"id": number}

    async def delete(self, request: Request, _: Any) -> Any:
        """Delete a document; nothing of it stays."""
        number = request.path_params["id"]
        await self.service.worker.work(lambda books: books.delete(number))
        return {}

    async def pay(self, request: Request, given: Any) -> Any:
        """Enter a payment; ``route`` is ``payment_form`` or ``save_again``."""
        number = request.path_params["id"]
        payment = {name: value for name, value in given.items() if name != "route"}
        route = given.get("route", "payment_form")
        return await self.service.worker.work(lambda books: books.pay(number, payment, route))

    async def unbalance(self, request: Request, given: Any) -> Any:
        """Put a document out of balance by an amount in CHF."""
        number = request.path_params["id"]
        await self.service.worker.work(lambda books: books.unbalance(number, str(given.get("amount", "0.01"))))
        return {"id": number}
