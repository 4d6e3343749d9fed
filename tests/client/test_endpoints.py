"""Requests are built and responses decoded without a service."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.endpoint import encode_segment, format_minute
from airflow_provider_rma.client.endpoints import ENDPOINTS
from airflow_provider_rma.exceptions import InvalidInputError, UnexpectedResponseError


@pytest.mark.parametrize(
    ("number", "path"),
    [
        ("R-1.a_~", "/invoices/R-1.a_~"),
        ("2026/7 #1?", "/invoices/2026%2F7%20%231%3F"),
        ("100%", "/invoices/100%25"),
        ("Rü", "/invoices/R%C3%BC"),
        ("..a", "/invoices/..a"),
    ],
)
def test_a_number_is_one_segment_of_the_path(number: str, path: str) -> None:
    request = endpoints.GET_INVOICE.request("json", segments={"invnumber": number})
    assert (request.method, request.path, request.body) == ("GET", path, None)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_every_number_comes_back_from_its_segment(number: str) -> None:
    try:
        segment = encode_segment(number, "invnumber")
    except InvalidInputError:
        assert not number.strip() or number in (".", "..")
        return
    assert unquote(segment) == number
    assert not set(segment) & set("/?# ")


@pytest.mark.parametrize("number", ["", " ", ".", "..", "a\nb", "a\x00", "\ud800", None])
def test_a_number_that_would_change_the_path_is_refused(number: Any) -> None:
    with pytest.raises(InvalidInputError, match="invnumber"):
        endpoints.GET_INVOICE.request("json", segments={"invnumber": number})


def test_query_values_in_the_documented_form() -> None:
    request = endpoints.LIST_BALANCES.request(
        "xml",
        query={"from": date(2026, 1, 1), "include_openings": False, "project": "A & B", "to": None},
    )
    assert request.target == "/gl/v2/saldo?from=2026-01-01&include_openings=false&project=A%20%26%20B"
    assert request.headers == {"Accept": "application/xml"}
    assert "A & B" not in repr(request)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), 1.5, ["a"]])
def test_query_values_that_could_be_misread_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="from"):
        endpoints.LIST_INVOICES.request("json", query={"from": value})


def test_a_parameter_nobody_documented_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cutomer_number"):
        endpoints.LIST_INVOICES.request("json", query={"cutomer_number": "K-1"})


def test_a_write_carries_the_entity_in_the_asked_form() -> None:
    request = endpoints.SAVE_CUSTOMER.request("xml", entity={"customernumber": "K-1", "name": "Muster & Co"})
    assert request.headers == {"Accept": "application/xml", "Content-Type": "application/xml"}
    assert request.body is not None
    assert b"<customer><customernumber>K-1</customernumber><name>Muster &amp; Co</name></customer>" in request.body
    assert "Muster" not in repr(request)


def test_an_entity_without_fields_is_refused() -> None:
    for body, form in ((b"null", "json"), (b"{}", "json"), (b"<invoice/>", "xml")):
        with pytest.raises(UnexpectedResponseError):
            endpoints.GET_INVOICE.decode(body, form)  # type: ignore[arg-type]


def test_every_endpoint_is_described() -> None:
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    for endpoint in ENDPOINTS:
        assert endpoint.evidence
        assert endpoint.is_inferred == endpoint.evidence.startswith("inferred")
        sends = endpoint.request_root is not None or endpoint.form is not None
        assert (endpoint.method == "POST") == sends
        if endpoint.method == "GET":
            assert (endpoint.response_root is None) == (endpoint.media_type is not None)


#: The usable endpoints of the interface, in the order of its description.
USABLE = """
GET /customers
POST /customers
GET /customers/{}
GET /parts
GET /invoices
POST /invoices
GET /invoices/{}
GET /invoices/{}/pdf
GET /invoices/{}/html
POST /invoices/{}/payments
GET /invoices/payment_list
POST /invoices/set_as_processed
GET /payables
POST /payables
GET /payables/{}
POST /payables/{}/payments
GET /vendors
GET /vendors/{}
POST /vendors
GET /charts
GET /charts/{}/transactions
GET /gl/v2/saldo
GET /gl/saldo
GET /departments
GET /projects
POST /belege
"""


def test_no_usable_endpoint_is_missing() -> None:
    declared = [f"{endpoint.method} {re.sub(r'{.*?}', '{}', endpoint.path)}" for endpoint in ENDPOINTS]
    assert declared == USABLE.split("\n")[1:-1]


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 1, 5, 10, 30, 59), "2026-01-05T10:30"),
        (datetime(2026, 1, 5, 23, 30, tzinfo=UTC), "2026-01-06T00:30"),
        (datetime(2026, 7, 5, 22, 0, tzinfo=UTC), "2026-07-06T00:00"),
        (datetime(1, 1, 1), "0001-01-01T00:00"),
    ],
)
def test_a_time_is_written_to_the_minute_in_swiss_time(instant: datetime, text: str) -> None:
    assert format_minute(instant) == text


@pytest.mark.parametrize("value", [date(2026, 1, 5), "2026-01-05T10:30", None, 0, datetime.max.replace(tzinfo=UTC)])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="processed"):
        format_minute(value)
