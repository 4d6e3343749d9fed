"""Responses made by hand, and what both paths of reading make of them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.client.stream import RawResponse
from airflow_provider_rma.exceptions import RequestError
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.decode.reader import PostingReader
from airflow_provider_rma.ledger.windows import MonthLoad, Window
from tests.support.wellformed import is_well_formed

WINDOW = Window.of(date(2026, 3, 31))
ENDPOINT = endpoints.LIST_TRANSACTIONS


@dataclass
class ReadOutcome:
    """What came of reading a response.

    :param refusal: why the fast path was left, empty if it was not; the paths need not agree in it.
    """

    rows: list[dict[str, Any]] | None = None
    announced: int | None = None
    error: tuple[type[RequestError], str, str | None] | None = None
    unknown: set[str] = field(default_factory=set)
    refusal: str = field(default="", compare=False)


def open_response(body: bytes, media_type: str, unknown: set[str]) -> RawResponse:
    """Open a response as the client does."""
    file = io.BytesIO(body)
    file.seek(0, io.SEEK_END)
    request = ENDPOINT.request("xml", segments={"accno": "x"})
    answer = Response(200, media_type, file)
    return RawResponse(
        ENDPOINT, request, answer, "xml", lambda mapped: ENDPOINT.schema.from_wire(mapped, unknown_fields=unknown)
    )


def read_response(body: bytes, media_type: str = "application/xml", *, strict: bool = False) -> ReadOutcome:
    """Read a response by one path."""
    outcome = ReadOutcome()
    batches = PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {"1000": "Kasse", "1020": "Bank", "3200": ""})
    with open_response(body, media_type, outcome.unknown) as answer:
        reader = PostingReader(answer, batches, strict=strict)
        try:
            rows = pa.Table.from_batches([*reader], schema=pa.schema(batches.take().schema)).to_pylist()
        except RequestError as error:
            outcome.error = type(error), str(error), error.server_message
        else:
            outcome.rows, outcome.announced = rows, reader.announced
            assert reader.count == len(rows)
    outcome.refusal = reader.refusal
    if outcome.error:
        outcome.unknown.clear()  # the paths stop at different places
    return outcome


def read_both_paths(body: bytes, media_type: str = "application/xml") -> ReadOutcome:
    """Read a response by both paths, which must agree. Returns what the fast path made of it."""
    fast, strict = read_response(body, media_type), read_response(body, media_type, strict=True)
    assert fast == strict
    assert fast.error is not None or is_well_formed(body, "json" if "json" in media_type else "xml")
    return fast


def xml_document(*postings: str, count: int | None = None) -> bytes:
    """A document in XML."""
    announced = len(postings) if count is None else count
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<transactions number_of_transaction="{announced}">{"".join(postings)}</transactions>'
    ).encode("utf-8", "surrogatepass")


#: Members of a posting as they stand in a document, in the documented order.
MEMBERS: dict[str, str] = {
    "id": "<id>10204</id>",
    "chart": '<chart id="0" accno="1000" link="" allow_gl="false" is_active="true"><taxes/></chart>',
    "transdate": "<transdate>2026-03-22T00:00:00+01:00</transdate>",
    "reference": "<reference>R-001</reference>",
    "description": "<description>Miete M&amp;rz</description>".replace("&amp;r", "är"),
    "amount": "<amount>-50.0</amount>",
    "module": "<module>ar</module>",
    "source": "<source></source>",
    "entry_id": "<entry_id>102</entry_id>",
    "memo": "<memo>Zeile &amp; Text &lt;1&gt;</memo>",
    "notes": "<notes/>",
    "intnotes": "<intnotes></intnotes>",
    "department": '<department id="10319" name="Werkstatt" role="P"/>',
    "accno": "<accno>1000</accno>",
}


def xml_posting(**changes: str) -> str:
    """A posting in XML; an empty text leaves a member out."""
    return f"<transaction>{''.join((MEMBERS | changes).values())}</transaction>"


def json_posting(**changes: Any) -> dict[str, Any]:
    """A posting in the mapped form."""
    return {
        "id": "10204",
        "chart": {"@id": "0", "@accno": "1000", "@link": "", "@allow_gl": "false", "@is_active": "true", "taxes": ""},
        "transdate": "2026-03-22T00:00:00+01:00",
        "reference": "R-001",
        "description": "Miete: März",
        "amount": "-50.0",
        "module": "ar",
        "source": "",
        "entry_id": "102",
        "memo": "Zeile & Text <1>",
        "notes": None,
        "intnotes": "",
        "department": {"@id": "10319", "@name": "Werkstatt", "@role": "P"},
        "accno": "1000",
    } | changes
