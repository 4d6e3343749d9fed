"""Customers over HTTP: created, overwritten, refused beyond their limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator import SimulatorProcess, xml_root


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


def test_a_customer_shows_its_accounts_as_stubs(simulator: SimulatorProcess) -> None:
    simulator.post("/customers", {"customernumber": "K-21", "name": "Konto", "payment_accno": "1030"})
    read = simulator.get("/customers/K-21").json()
    assert (read["chart"]["@accno"], read["paymentChart"]["@accno"]) == ("1100", "1030")
    assert read["chart"]["@id"] == "0"
    root = xml_root(simulator.get("/customers/K-21", form="xml").content)
    assert [root.find(name).get("accno") for name in ("chart", "paymentChart")] == ["1100", "1030"]  # type: ignore[union-attr]


def test_a_body_that_is_not_utf8_is_refused(simulator: SimulatorProcess) -> None:
    for form, text in (
        ("json", '{"customernumber": "K-22", "name": "Grün"}'),
        ("xml", '<?xml version="1.0" encoding="ISO-8859-1"?><customer><customernumber>K-22</customernumber>'
                "<name>Grün</name></customer>"),
    ):  # fmt: skip
        answer = simulator.post("/customers", text.encode("latin-1"), form=form)
        assert answer.status_code == 400
        assert "UTF-8" in answer.text
    assert simulator.get("/customers/K-22").status_code == 404
