"""The part of the RMA interface that is used here, each endpoint described once.

Building a request and decoding a response are pure: they do no I/O and hold no state. Any transport can execute them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from string import Formatter
from typing import Any, Literal
from urllib.parse import quote, urlencode

from airflow_provider_rma.client.codecs.bodies import (
    COUNT,
    ItemStream,
    decode,
    encode,
    iter_decode,
    list_items,
    parse_count,
    read_attributes,
)
from airflow_provider_rma.client.codecs.wire import ContentType, Mapped
from airflow_provider_rma.client.errors import count_mismatch_error, unexpected_error
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.ledger import BalanceRowSchema, ChartSchema, TransactionSchema
from airflow_provider_rma.schemas.organisation import DepartmentSchema, ProjectSchema
from airflow_provider_rma.schemas.part import PartSchema

Method = Literal["GET", "POST"]

MEDIA_TYPES: Mapping[ContentType, str] = {"json": "application/json", "xml": "application/xml"}


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent below the tenant's address.

    :param path: percent-encoded, begins with ``/``, without query.
    :param query: names and texts, not yet encoded.
    :param body: None for a GET; may hold personal data and is never shown.
    """

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the interface.

    :param name: what it is called here.
    :param path: template below the tenant, with ``{name}`` for a path segment.
    :param query: query parameters it knows.
    :param schema_class: schema of the entity that is sent or received.
    :param request_root: XML root of the request body; None without a body.
    :param response_root: XML root of the response; None if the response has no body.
    :param response_item: member that repeats in a list response; None for a single entity.
    :param success: statuses that are documented or seen for success; any other 2xx counts as well.
    :param evidence: how well the endpoint is known, and from where.
    """

    name: str
    method: Method
    path: str
    evidence: str
    schema_class: type[EntitySchema]
    query: tuple[str, ...] = ()
    request_root: str | None = None
    response_root: str | None = None
    response_item: str | None = None
    success: tuple[int, ...] = (200,)

    def request(
        self,
        content_type: ContentType,
        segments: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        entity: Mapping[str, Any] | None = None,
    ) -> Request:
        """Build the request.

        :param segments: values of the path's placeholders, as the service knows them; encoded here.
        :param query: values of query parameters; None leaves one out.
        :param entity: what to send, as the schema's ``from_user`` gave it.
        :raises InvalidInputError: for a segment that cannot stand in a path, or text that cannot be carried.
        """
        headers = {"Accept": MEDIA_TYPES[content_type]}
        body = None
        if self.request_root is not None:
            body = encode(self.schema.to_wire(entity or {}), content_type, self.request_root)
            headers["Content-Type"] = MEDIA_TYPES[content_type]
        return Request(self.method, self._path(segments or {}), self._query(query or {}), headers, body)

    @cached_property
    def schema(self) -> EntitySchema:
        """The schema, made when it is first needed."""
        return self.schema_class()

    def decode(self, body: bytes, content_type: ContentType) -> Mapped:
        """The mapped form of one entity. Errors as of :func:`~airflow_provider_rma.client.codecs.bodies.decode`."""
        mapped = decode(body, content_type, self.response_root or "")
        if not mapped:
            raise unexpected_error("the response is an entity without any field")
        return mapped

    def decode_list(self, body: bytes, content_type: ContentType) -> list[Any]:
        """The mapped forms of a list response, held as a whole.

        :raises IncompleteResponseError: if it announces another number of them.
        """
        mapped, item = decode(body, content_type, self.response_root or ""), self.response_item or ""
        items = list_items(mapped, item)
        announced = parse_count(read_attributes(mapped, item).get(COUNT, ""))
        if announced is not None and announced != len(items):
            raise count_mismatch_error(announced, len(items))
        return items

    def iter_decode(self, chunks: Iterable[bytes], content_type: ContentType) -> ItemStream:
        """The mapped forms of a list response, one at a time."""
        return iter_decode(chunks, content_type, self.response_root or "", self.response_item or "")

    def _path(self, segments: Mapping[str, str]) -> str:
        names = [name for _, name, _, _ in Formatter().parse(self.path) if name]
        return self.path.format(**{name: encode_segment(segments[name], name) for name in names})

    def _query(self, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        unknown = set(values) - set(self.query)
        if unknown:
            raise ValueError(f"{self.name} has no query parameter {sorted(unknown)}")
        return tuple((name, query_text(values[name], name)) for name in self.query if values.get(name) is not None)


def encode_segment(value: str, name: str) -> str:
    """A number as one segment of a path: everything but ``A-Z a-z 0-9 . _ ~ -`` is percent-encoded.

    Whether the service understands ``%2F`` is not known; a proxy may refuse it.

    :raises InvalidInputError: for text that is empty, ``.`` or ``..`` (they would change the path), or holds control
        characters.
    """
    remedy = "give the number as the service knows it"
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError([FieldProblem(name, "is empty", remedy)])
    if value in (".", ".."):
        raise InvalidInputError([FieldProblem(name, "is a dot segment, which would change the path", remedy)])
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", value):
        raise InvalidInputError([FieldProblem(name, "has a control character", remedy)])
    return quote(value, safe="")


def query_text(value: Any, name: str) -> str:
    """A query value in the documented form: ``yyyy-MM-dd``, ``true``/``false``, or text.

    :raises InvalidInputError: for a date with a time: it would be ambiguous which day is meant.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        raise InvalidInputError([FieldProblem(name, "is a time, not a day", "give a date")])
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise InvalidInputError([FieldProblem(name, f"is a {type(value).__name__}", "give text, a date or a boolean")])
    return value


LIST_CUSTOMERS = Endpoint(
    "list customers", "GET", "/customers", "documented; seen in clients",
    CustomerSchema, response_root="customers", response_item="customer",
)  # fmt: skip
SAVE_CUSTOMER = Endpoint(
    "create or overwrite a customer", "POST", "/customers", "documented; status seen in clients",
    CustomerSchema, request_root="customer", success=(204, 200),
)  # fmt: skip
GET_CUSTOMER = Endpoint(
    "get a customer", "GET", "/customers/{customernumber}", "documented; seen in clients",
    CustomerSchema, response_root="customer",
)  # fmt: skip
LIST_PARTS = Endpoint(
    "list parts", "GET", "/parts", "documented; seen in clients",
    PartSchema, response_root="parts", response_item="part",
)  # fmt: skip
LIST_INVOICES = Endpoint(
    "list invoices", "GET", "/invoices", "documented; that `to` is inclusive is inferred from a client",
    InvoiceSchema, query=("from", "to", "status", "customer_number"),
    response_root="invoices", response_item="invoice",
)  # fmt: skip
CREATE_INVOICE = Endpoint(
    "create an invoice", "POST", "/invoices", "documented; 204 seen in clients",
    InvoiceSchema, request_root="invoice", success=(204,),
)  # fmt: skip
GET_INVOICE = Endpoint(
    "get an invoice", "GET", "/invoices/{invnumber}", "documented; seen in clients",
    InvoiceSchema, response_root="invoice",
)  # fmt: skip
LIST_CHARTS = Endpoint(
    "list accounts", "GET", "/charts", "seen in a client",
    ChartSchema, response_root="charts", response_item="chart",
)  # fmt: skip
LIST_TRANSACTIONS = Endpoint(
    "list postings of accounts", "GET", "/charts/{accno}/transactions", "documented; its JSON form is inferred",
    TransactionSchema, query=("from_date", "to_date", "include_openings", "include_closings"),
    response_root="transactions", response_item="transaction",
)  # fmt: skip
LIST_BALANCES = Endpoint(
    "list balances", "GET", "/gl/v2/saldo", "documented; seen in clients",
    BalanceRowSchema,
    query=(
        "accno", "from", "to", "department", "bookkeeping_main_curr", "exclude_yearend_bookings", "include_openings",
        "project",
    ),
    response_root="table", response_item="row",
)  # fmt: skip
LIST_DEPARTMENTS = Endpoint(
    "list departments", "GET", "/departments", "seen in a client",
    DepartmentSchema, response_root="departments", response_item="department",
)  # fmt: skip
LIST_PROJECTS = Endpoint(
    "list projects", "GET", "/projects", "seen in a client",
    ProjectSchema, response_root="projects", response_item="project",
)  # fmt: skip

ENDPOINTS = (
    LIST_CUSTOMERS, SAVE_CUSTOMER, GET_CUSTOMER, LIST_PARTS, LIST_INVOICES, CREATE_INVOICE, GET_INVOICE, LIST_CHARTS,
    LIST_TRANSACTIONS, LIST_BALANCES, LIST_DEPARTMENTS, LIST_PROJECTS,
)  # fmt: skip
