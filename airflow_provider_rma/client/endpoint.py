"""An endpoint of the interface: it builds requests and decodes responses.

Both are pure: they do no I/O and hold no state. Any transport can execute a request.
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
from zoneinfo import ZoneInfo

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

Method = Literal["GET", "POST"]

#: Most bytes of a document for people: real ones have some hundred kilobytes.
MAX_DOCUMENT = 64 * 1024 * 1024

_ZURICH = ZoneInfo("Europe/Zurich")

MEDIA_TYPES: Mapping[ContentType, str] = {"json": "application/json", "xml": "application/xml"}


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent below the tenant's address.

    :param path: percent-encoded, begins with ``/``, without query.
    :param query: names and texts, not yet encoded.
    :param body: None for a GET; may hold personal data and is never shown.
    :param media_type: of the response, where it is a document for people instead of data.
    :param max_response: most bytes of the response; None for the bound of all responses.
    """

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    max_response: int | None = None

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
    :param request_root: XML root of the request body; None without a body, or if the body is a form.
    :param form: media type of a body that is a form, which is made outside.
    :param response_root: XML root of the response; None if the response has no data.
    :param response_item: member that repeats in a list response; None for a single entity.
    :param media_type: of a response that is a document for people instead of data.
    :param success: statuses that are documented or seen for success; any other 2xx counts as well.
    :param evidence: how well the endpoint is known, and from where.
    :param is_inferred: nobody has documented or seen it: a write must be asked for as experimental.
    """

    name: str
    method: Method
    path: str
    evidence: str
    schema_class: type[EntitySchema]
    query: tuple[str, ...] = ()
    request_root: str | None = None
    form: str | None = None
    response_root: str | None = None
    response_item: str | None = None
    media_type: str | None = None
    success: tuple[int, ...] = (200,)
    is_inferred: bool = False

    def request(
        self,
        content_type: ContentType,
        segments: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        entity: Mapping[str, Any] | None = None,
        form: tuple[bytes, str] | None = None,
    ) -> Request:
        """Build the request.

        :param segments: values of the path's placeholders, as the service knows them; encoded here.
        :param query: values of query parameters; None leaves one out.
        :param entity: what to send, as the schema's ``from_user`` gave it.
        :param form: body and media type of a form.
        :raises InvalidInputError: for a segment that cannot stand in a path, or text that cannot be carried.
        """
        headers = {"Accept": self.media_type or MEDIA_TYPES[content_type]}
        body = None
        if form is not None:
            body, headers["Content-Type"] = form
        elif self.request_root is not None:
            body = encode(self.schema.to_wire(entity or {}), content_type, self.request_root)
            headers["Content-Type"] = MEDIA_TYPES[content_type]
        return Request(
            self.method,
            self._path(segments or {}),
            self._query(query or {}),
            headers,
            body,
            self.media_type,
            MAX_DOCUMENT if self.media_type else None,
        )

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


def format_minute(instant: datetime) -> str:
    """A point in time as the payment list takes it: ``yyyy-MM-ddTHH:mm`` in Swiss time (that it is Swiss is inferred).

    :raises InvalidInputError: if it is no point in time.
    """
    try:
        local = instant.astimezone(_ZURICH) if instant.tzinfo else instant
        return local.isoformat(timespec="minutes")[:16]
    except (AttributeError, TypeError, ValueError, OverflowError):
        remedy = "give the time since when payments are wanted"
        problem = FieldProblem("processed", "is not a date-time that can be sent", remedy)
    raise InvalidInputError([problem])
