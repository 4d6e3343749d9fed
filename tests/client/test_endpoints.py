"""Requests are built and responses decoded without a service."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.endpoints import ENDPOINTS, encode_segment
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
    for endpoint in ENDPOINTS:
        assert endpoint.evidence
        assert (endpoint.method == "POST") == (endpoint.request_root is not None)
        assert (endpoint.method == "GET") == (endpoint.response_root is not None)
