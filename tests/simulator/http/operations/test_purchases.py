"""Vendors and vendor invoices over HTTP."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.support.payloads import Payloads
from tests.support.simulator import SimulatorProcess, xml_root

NUMBERS = count(1)


def purchase(number: str, vendor: str = "L-500", **further: Any) -> dict[str, Any]:
    return {
        "invnumber": number,
        "transdate": "2026-01-05T00:00:00+01:00",
        "vendor": {"vendornumber": vendor, "name": "Molkerei Oberalp", "terms": "30"},
        "expenseentries": {"expenseentry": {"amount": "100.0", "expense_accno": "4000", "projectNumber": "2501"}},
        "taxentries": {"taxentry": {"amount": "8.1", "tax_accno": "1170"}},
        **further,
    }


@pytest.fixture
def number() -> str:
    return f"MO-{next(NUMBERS)}"


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_vendor_is_created_overwritten_and_read(simulator: SimulatorProcess, form: str) -> None:
    given = {
        "vendornumber": f"V-{form}",
        "name": "Käserei & Söhne",
        "city": "Chur",
        "bank_iban": "CH9300762011623852957",
    }
    xml = "<vendor>" + "".join(f"<{k}>{v.replace('&', '&amp;')}</{k}>" for k, v in given.items()) + "</vendor>"
    answer = simulator.post("/vendors", xml if form == "xml" else given, form=form, accept="json")
    assert answer.status_code == 200
    saved = answer.json()
    assert {name: saved[name] for name in given} == given
    assert int(saved["id"])
    assert saved["created"]
    assert (saved["arap_accno"], saved["payment_accno"]) == ("2000", "1020")
    assert simulator.post("/vendors", {"vendornumber": f"V-{form}", "name": "Neu"}).json()["city"] == ""
    assert simulator.get(f"/vendors/V-{form}").json()["name"] == "Neu"
    listed = xml_root(simulator.get("/vendors", form="xml").content)
    assert [each.findtext("name") for each in listed if each.findtext("vendornumber") == f"V-{form}"] == ["Neu"]
    assert simulator.get("/vendors/NIEMAND").status_code == 404


def test_a_vendor_invoice_comes_back_in_the_documented_shape(
    simulator: SimulatorProcess, payloads: Payloads, number: str
) -> None:
    assert simulator.post("/payables", purchase(number)).status_code == 204
    documented = xml_root(payloads.read("payable-partial.xml"))
    read = xml_root(simulator.get(f"/payables/{number}", form="xml").content)
    assert read.tag == documented.tag
    found = [child.tag for child in read]
    # Values that are not set are left out.
    wanted = [child.tag for child in documented if child.tag in found]
    assert {child.tag for child in documented} - set(found) == set()
    assert [tag for tag in found if tag in wanted] == wanted
    vendors = [[child.tag for child in tree.find("vendor") or []] for tree in (documented, read)]
    assert [tag for tag in vendors[1] if tag in vendors[0]] == vendors[0]
    assert (read.findtext("amount"), read.findtext("netamount"), read.findtext("paid")) == ("108.1", "100.0", "0.0")
    assert read.findtext("paymentAccno") == "1020"
    assert read.findtext("expenseentries/expenseentry/projectNumber") == "2501"


def test_a_vendor_inside_a_vendor_invoice_keeps_its_taxes(simulator: SimulatorProcess, number: str) -> None:
    vendor = {"vendornumber": "L-700", "name": "Ohne Steuer", "tax_accnos": []}
    simulator.control("POST", "/vendors", vendor)
    given = purchase(number, "L-700", taxentries=None, expenseentries=None)
    given["parts"] = {"part": {"partnumber": "ART-1", "quantity": "2.0", "sellprice": "50.0", "expense_accno": "4000"}}
    assert simulator.post("/payables", given).status_code == 204
    read = simulator.get(f"/payables/{number}").json()
    assert (read["amount"], read["vendor"]["name"]) == ("100.0", "Molkerei Oberalp")
    assert (read["parts"]["part"]["expense_accno"], read["parts"]["part"]["income_accno"]) == ("4000", "0")
    assert read["parts"]["part"]["price_update"]


@pytest.mark.parametrize(
    ("further", "word"),
    [
        ({"invnumber": ""}, "Rechnungsnummer"),
        ({"transdate": ""}, "transdate"),
        ({"vendor": None}, "vendor"),
        ({"vendor": {"vendornumber": "L-1"}}, "name"),
        ({"vendor": {"name": "M"}}, "vendornumber"),
        ({"expenseentries": None, "taxentries": None}, "Positionen"),
        ({"parts": {"part": {"partnumber": "ART-1"}}}, "entweder"),
        ({"ap_accno": "9999"}, "9999"),
        ({"paymentAccno": "9999"}, "9999"),
        ({"department": "Nirgends"}, "Abteilung"),
        ({"expenseentries": {"expenseentry": {"amount": "1.0", "expense_accno": "9999"}}}, "9999"),
    ],
)
def test_what_is_refused_is_not_posted(
    simulator: SimulatorProcess, number: str, further: dict[str, Any], word: str
) -> None:
    answer = simulator.post("/payables", purchase(number, "L-900") | further)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert simulator.get(f"/payables/{number}").status_code == 404
    assert simulator.get("/vendors/L-900").status_code == 404


def test_a_number_is_one_of_its_vendor(simulator: SimulatorProcess, number: str) -> None:
    assert simulator.post("/payables", purchase(number, "L-801")).status_code == 204
    assert simulator.post("/payables", purchase(number, "L-801")).status_code == 400
    assert simulator.post("/payables", purchase(number, "L-802")).status_code == 204


def test_a_payment_of_a_vendor_invoice_has_neither_number_nor_flag(simulator: SimulatorProcess, number: str) -> None:
    simulator.post("/payables", purchase(number))
    given = {"datepaid": "2026-01-20T10:00:00+01:00", "amount_paid": "108.1", "payment_accno": "1020"}
    answer = simulator.post(f"/payables/{number}/payments", given)
    assert answer.status_code == 200
    posted = answer.json()
    assert not {"invnumber", "flag"} & set(posted)
    assert (posted["amount_paid"], posted["payment_accno"]) == ("108.1", "1020")
    assert simulator.get(f"/payables/{number}").json()["status"] == "PAID"
    assert simulator.post(f"/payables/{number}/payments", given | {"payment_accno": "3800"}).status_code == 400
    assert simulator.post("/payables/UNBEKANNT/payments", given).status_code == 404
    listed = simulator.get("/invoices/payment_list").json() or {}
    assert posted["id"] not in str(listed)


def test_the_list_begins_after_the_close_date_unless_told_otherwise(simulator: SimulatorProcess, number: str) -> None:
    simulator.post("/payables", purchase(number))
    simulator.control("PUT", "/close-date", {"day": "2026-01-31"})
    try:
        assert number not in simulator.get("/payables").text
        assert number in simulator.get("/payables", **{"from": "1900-01-01"}).text
    finally:
        simulator.control("PUT", "/close-date", {"day": None})
