"""The form of a response and the body of an error."""

from __future__ import annotations

import pytest

from airflow_provider_rma.simulator.http.responses import JSON, XML, ResponseError, choose_form, error_body


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", XML),
        ("*/*", XML),
        ("application/json", JSON),
        ("application/xml", XML),
        ("text/html, application/json;q=0.9, */*;q=0.1", JSON),
        ("application/json;q=0.5, application/xml", XML),
        ("Application/JSON; charset=utf-8", JSON),
    ],
)
def test_form_by_accept(accept: str, form: str) -> None:
    assert choose_form(accept) == form


def test_no_form_fits() -> None:
    with pytest.raises(ResponseError) as caught:
        choose_form("text/html, application/json;q=0")
    assert caught.value.status == 406


def test_error_bodies() -> None:
    assert error_body('Über "alles"', JSON).decode() == '{ "error": "Über \\"alles\\"" }'
    assert error_body("a < b", XML).decode().endswith("<error>a &lt; b</error>")
