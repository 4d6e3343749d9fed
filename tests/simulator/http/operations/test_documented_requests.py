"""Requests in the documented shapes, sent as they stand, and what is read back of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.payloads import Payloads
from tests.support.simulator import SimulatorProcess, xml_root

ARTICLES = [
    f"invoice-post-parts-{who}.{form}" for form in ("xml", "json") for who in ("full-customer", "customernumber")
]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    db: Path = tmp_path_factory.mktemp("documented") / "books.db"
    with SimulatorProcess(db, args=["--duplicates", "accept"]) as process:
        yield process


def shape(element: ElementTree.Element) -> Any:
    """Names of attributes and children, values left out; of a list its first item."""
    children: dict[str, Any] = {}
    for child in element:
        children.setdefault(child.tag, shape(child))
    return sorted(element.attrib), children


def looks_like(text: str, documented: str) -> bool:
    """Whether two scalars are of one kind: the same pattern of digits, letters and signs."""
    kinds = [r"-?\d+", r"-?\d+\.\d{4}", r"-?\d+\.\d+", r"\d{4}-\d\d-\d\dT[\d:.]+\+0\d:00", r"true|false", r".*"]
    return next(kind for kind in kinds if re.fullmatch(kind, text)) == next(
        kind for kind in kinds if re.fullmatch(kind, documented)
    )


def accepted(simulator: SimulatorProcess, payload: bytes, form: Literal["xml", "json"], number: str) -> dict[str, Any]:
    """Send an invoice, and read it back."""
    before = len(simulator.documents(number))
    answer = simulator.post("/invoices", payload, form=form)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert len(simulator.documents(number)) == before + 1
    read: dict[str, Any] = simulator.get(f"/invoices/{number}").json()
    return read


@pytest.mark.parametrize("name", ARTICLES)
def test_documented_invoices_are_accepted_and_come_back(
    simulator: SimulatorProcess, payloads: Payloads, name: str
) -> None:
    facts = payloads.articles
    read = accepted(simulator, payloads.read(name), "xml" if name.endswith("xml") else "json", facts.number)
    assert Decimal(simulator.documents(facts.number)[-1]["amount"]) == Decimal(facts.amount)
    assert (read["amount"], read["netamount"], read["paid"]) == (facts.amount, facts.netamount, "0.0")
    assert (read["transdate"], read["duedate"], read["status"]) == (facts.transdate, facts.duedate, "OVERDUE")
    assert read["customer"]["customernumber"] == "K-001"


def test_documented_bookings_are_accepted_and_post_their_rows(simulator: SimulatorProcess, payloads: Payloads) -> None:
    for booking in payloads.bookings:
        payload = payloads.read(f"invoice-post-booking-{booking.file}.xml")
        read = accepted(simulator, payload, "xml", booking.number)
        facts = payloads.articles
        assert (read["amount"], read["netamount"], read["paid"]) == (booking.amount, booking.netamount, "0.0")
        assert (read["transdate"], read["duedate"], read["status"]) == (facts.transdate, facts.duedate, "OVERDUE")
        assert read["customer"]["customernumber"] == "K-001"
        document = simulator.documents(booking.number)[-1]
        assert {row["accno"]: float(row["amount"]) for row in document["postings"]} == booking.postings


def test_full_customer_inside_an_invoice_overwrites_the_customer(
    simulator: SimulatorProcess, payloads: Payloads
) -> None:
    simulator.control("POST", "/customers", {"customernumber": "K-001", "name": "Vorher", "notes": "bleibt nicht"})
    assert simulator.post("/invoices", payloads.read("invoice-post-parts-full-customer.json")).status_code == 204
    given = payloads.mapped("invoice-post-parts-full-customer.json")["customer"]
    read = simulator.get("/customers/K-001").json()
    kept = {name: value for name, value in given.items() if name != "id"}
    assert {name: read[name] for name in kept} == kept
    assert (read["notes"], read["arap_accno"], read["payment_accno"]) == ("", "1100", "1020")
    assert read["tax_accnos"] == "2201 2202"


def test_list_of_invoices_has_the_documented_shape(simulator: SimulatorProcess, payloads: Payloads) -> None:
    assert simulator.post("/invoices", payloads.read("invoice-post-parts-full-customer.json")).status_code == 204
    documented = payloads.mapped("invoice-list-partial.json")["invoice"][0]
    facts = payloads.articles
    listed = simulator.get("/invoices", **{"from": facts.transdate[:10], "to": facts.transdate[:10]}).json()["invoice"]
    read = [one for one in listed if one["invnumber"] == facts.number][-1]
    missing = set(documented) - set(read) - {"department"}
    assert not missing
    assert not set(documented["customer"]) - set(read["customer"])
    assert not set(documented["parts"]["part"]) - set(read["parts"]["part"])
    for name, value in documented.items():
        if isinstance(value, str) and name in read:
            assert looks_like(read[name], value), name
    part = read["parts"]["part"]
    assert (part["quantity"], part["sellprice"], part["discount"]) == (facts.quantity, facts.sellprice, facts.discount)
    order = [name for name in read if name in documented]
    assert order == [name for name in documented if name in order]


def test_the_day_of_a_price_is_kept_and_returned(simulator: SimulatorProcess, payloads: Payloads) -> None:
    given = payloads.mapped("invoice-post-parts-customernumber.json")
    kept = {
        "2024-04-02T14:05:31.204+02:00": "2024-04-02T14:05:31.204+02:00",
        "2024-01-02T12:00:00Z": "2024-01-02T13:00:00+01:00",
        "2024-07-01": "2024-07-01T00:00:00+02:00",
        "2022-05-01T00:00:00": "2022-05-01T00:00:00+02:00",
    }
    for place, (text, read) in enumerate(kept.items()):
        given["parts"]["part"]["price_update"] = text
        assert simulator.post("/invoices", given | {"invnumber": f"PU-{place}"}).status_code == 204
        assert simulator.get(f"/invoices/PU-{place}").json()["parts"]["part"]["price_update"] == read
    given["parts"]["part"]["price_update"] = "gestern"
    assert simulator.post("/invoices", given | {"invnumber": "PU-9"}).status_code == 400
    given["parts"]["part"].pop("price_update")
    assert simulator.post("/invoices", given | {"invnumber": "PU-10"}).status_code == 204
    part = next(
        one for one in simulator.get("/parts").json()["part"]
        if one["partnumber"] == given["parts"]["part"]["partnumber"]
    )  # fmt: skip
    assert simulator.get("/invoices/PU-10").json()["parts"]["part"]["price_update"] == part["price_update"]


@pytest.mark.parametrize("word", ["True", "TRUE", "true", "1"])
def test_query_booleans_are_read_in_any_case(simulator: SimulatorProcess, word: str) -> None:
    assert simulator.get("/gl/v2/saldo", exclude_yearend_bookings=word).status_code == 200


def test_department_is_written_with_its_id_and_read_by_its_name(
    simulator: SimulatorProcess, payloads: Payloads
) -> None:
    departments = simulator.get("/departments").json()["department"]
    number = next(one["@id"] for one in departments if one["@name"] == "Department 2")
    assert {one["@role"] for one in departments} == {"P", "C"}
    for place, text in enumerate(
        ["Department 2", f"Department 2--{number}", f"Department 2-{number}", f"Department 2–{number}"]
    ):
        given = payloads.mapped("invoice-post-parts-customernumber.json")
        given.update(invnumber=f"DEP-{place}", department=text)
        assert simulator.post("/invoices", given).status_code == 204
        assert simulator.get(f"/invoices/DEP-{place}").json()["department"] == "Department 2"
    given.update(invnumber="DEP-9", department="Department 2--1")
    assert simulator.post("/invoices", given).status_code == 400


def test_part_master_has_the_documented_shape(simulator: SimulatorProcess, payloads: Payloads) -> None:
    documented = xml_root(payloads.read("part-master.xml"))
    parts = xml_root(simulator.get("/parts", form="xml").content)
    assert parts.tag == "parts"
    part = next(one for one in parts if one.findtext("partnumber") == payloads.partnumber)
    assert part.tag == documented.tag
    assert shape(part) == shape(documented)
    for name in ("income_accno", "expense_accno", "description", "quantity", "sellprice", "discount", "tax_accnos"):
        assert part.findtext(name) == documented.findtext(name), name
    assert looks_like(str(part.findtext("price_update")), "2012-08-06T00:00:00+02:00")


def test_trial_balance_has_the_documented_shape(simulator: SimulatorProcess, payloads: Payloads) -> None:
    documented = xml_root(payloads.read("trial-balance-v2.xml"))
    table = xml_root(simulator.get("/gl/v2/saldo", form="xml").content)
    assert table.tag == documented.tag
    assert shape(table) == shape(documented)
    assert [child.tag for child in table[0]] == [child.tag for child in documented[0]]
    assert all(re.fullmatch(r"-?\d+\.\d{4}", str(row.findtext("amount"))) for row in table)


def test_transactions_have_the_documented_shape(simulator: SimulatorProcess, payloads: Payloads) -> None:
    given = payloads.mapped("invoice-post-parts-customernumber.json")
    assert simulator.post("/invoices", given | {"invnumber": "T-1", "department": "Department 2"}).status_code == 204
    documented = xml_root(payloads.read("transactions-partial.xml"))
    answer = simulator.get("/charts/11xx/transactions", form="xml")
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>')
    transactions = xml_root(answer.content)
    assert transactions.tag == documented.tag
    assert transactions.attrib == {"number_of_transaction": str(len(transactions))}
    row = next(one for one in transactions if one.findtext("reference") == "T-1")
    assert shape(row) == shape(documented[0])
    assert [child.tag for child in row] == [child.tag for child in documented[0]]
    chart = row.find("chart")
    assert chart is not None
    assert chart.attrib == {"id": "0", "accno": "1100", "link": "", "allow_gl": "false", "is_active": "true"}
    assert row.findtext("amount") == f"-{payloads.articles.amount}"


def test_transactions_in_json_say_the_same(simulator: SimulatorProcess, payloads: Payloads) -> None:
    assert (
        simulator.post("/invoices", payloads.read("invoice-post-booking-a1.1-simple.xml"), form="xml").status_code
        == 204
    )
    found = simulator.get("/charts/x/transactions").json()
    xml = xml_root(simulator.get("/charts/x/transactions", form="xml").content)
    assert found["@number_of_transaction"] == str(len(found["transaction"])) == str(len(xml))
    for row, element in zip(found["transaction"], xml, strict=True):
        assert list(row) == [child.tag for child in element]
        chart = element.find("chart")
        assert chart is not None
        assert row["chart"] == {f"@{key}": value for key, value in chart.attrib.items()} | {"taxes": None}
        assert {name: row[name] for name in ("id", "amount", "entry_id", "accno", "transdate")} == {
            name: element.findtext(name) for name in ("id", "amount", "entry_id", "accno", "transdate")
        }


def test_charts_are_attributes_with_an_empty_taxes_element(simulator: SimulatorProcess) -> None:
    charts = xml_root(simulator.get("/charts", form="xml").content)
    cash = next(one for one in charts if one.get("accno") == "1000")
    assert sorted(cash.attrib) == ["accno", "allow_gl", "description", "id", "is_active", "link"]
    assert cash.get("link") == "AR_paid:AP_paid"
    assert [child.tag for child in cash] == ["taxes"]
    assert not [one for one in charts if one.get("accno") == "1"], "headings are no accounts"
    receivables = next(one for one in simulator.get("/charts").json()["chart"] if one["@accno"] == "1100")
    assert receivables["@allow_gl"] == "false"


def test_projects(simulator: SimulatorProcess) -> None:
    project = simulator.get("/projects").json()["project"][0]
    assert sorted(project) == ["@description", "@id", "@number"]


def test_what_clients_read_without_a_check_is_never_empty(simulator: SimulatorProcess, payloads: Payloads) -> None:
    """A .NET client fails at an empty ``price_update`` of an article or a line, and at an empty ``created``."""
    simulator.control("POST", "/parts", {"partnumber": "OHNE-TAG", "income_accno": "3400", "expense_accno": "4999"})
    simulator.control("POST", "/vendors", {"vendornumber": "L-OHNE", "name": "Ohne Tag"})
    given = payloads.mapped("invoice-post-parts-customernumber.json")
    line = {"partnumber": "OHNE-TAG", "quantity": "1.0", "sellprice": "1.0"}
    assert simulator.post("/invoices", given | {"invnumber": "TAG-1", "parts": {"part": line}}).status_code == 204
    assert all(part["price_update"] for part in simulator.get("/parts").json()["part"])
    assert simulator.get("/invoices/TAG-1").json()["parts"]["part"]["price_update"]
    for kind in ("customer", "vendor"):
        assert all(party["created"] for party in simulator.get(f"/{kind}s").json()[kind])
