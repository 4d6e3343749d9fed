"""Customers over HTTP: created, overwritten, refused beyond their limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator import SimulatorProcess


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"customernumber": ""}, "customernumber"),
        ({"name": ""}, "name"),
        ({"customernumber": "K" * 33}, "customernumber"),
        ({"zipcode": "12345678901"}, "zipcode"),
        ({"bank_bic": "ABCDEFGHIJKL"}, "bank_bic"),
        ({"language_code": "xx"}, "language|Sprache"),
        ({"terms": "30 Tage"}, "terms"),
        ({"created": "gestern"}, "created"),
        ({"name": ["Einer", "Zweiter"] * 20, "email": {"x": {}}, "zipcode": "12345678901"}, "zipcode"),
    ],
)
def test_customers_beyond_the_documented_limits_are_refused(
    simulator: SimulatorProcess, values: dict[str, Any], text: str
) -> None:
    customer = {"customernumber": "K-8", "name": "Beispiel"} | values
    answer = simulator.post("/customers", customer)
    assert answer.status_code == 400
    assert any(part in answer.json()["error"] for part in text.split("|"))
    assert simulator.get("/customers/K-8").status_code == 404


def test_customers_are_created_and_overwritten_in_both_forms(simulator: SimulatorProcess) -> None:
    xml = (
        "<customer><customernumber>K-20</customernumber><name>Käse &amp; Co</name><terms>10</terms><email/></customer>"
    )
    answer = simulator.post("/customers", xml, form="xml")
    assert (answer.status_code, answer.content) == (204, b"")
    read = simulator.get("/customers/K-20").json()
    assert (read["name"], read["terms"], read["email"], read["arap_accno"]) == ("Käse & Co", "10", "", "1100")
    assert read["tax_accnos"] == "2201 2202"
    assert (
        simulator.post(
            "/customers",
            {"customernumber": "K-20", "name": "Neu", "taxfree": True, "tax_accnos": "2201", "surprise": 1},
        ).status_code
        == 204
    )
    again = simulator.get("/customers/K-20").json()
    assert again["id"] == read["id"]
    assert (again["name"], again["tax_accnos"], again["taxfree"]) == ("Neu", "2201", "true")
    assert "terms" not in again, "what is not sent is emptied"
    assert len([one for one in simulator.get("/customers").json()["customer"] if one["customernumber"] == "K-20"]) == 1
