"""Invoices of the posting oracle, sent over HTTP: the books hold what the real ledger code wrote."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support.oracle_requests import wire_document
from tests.support.posting_oracle import HEADER_AMOUNTS, differences
from tests.support.reference import oracle_cases
from tests.support.simulator import SimulatorProcess

CASES = oracle_cases("ar_booking", "ar_articles")


def why_not_over_http(case: dict[str, Any]) -> str | None:
    """Why the documented interface cannot express a case, or ``None`` if it can."""
    given = case["input"]
    entries = [*given.get("incomeentries", []), *given.get("taxentries", [])]
    if case.get("settings", {}).get("closedto"):
        return "closed period: the interface refuses it"
    if given.get("exchangerate", "1") != "1":
        return "an invoice has no documented exchange rate"
    if given.get("doctype"):
        return "there is no document type"
    if not given["invnumber"]:
        return "a number is mandatory"
    if any("checked" in entry or "line_tax_accno" in entry for entry in entries):
        return "a ticked tax box and per-line tax exist on screens only"
    return None


SENT = [case for case in CASES if why_not_over_http(case) is None]


def test_only_what_the_interface_cannot_express_is_left_out() -> None:
    assert Counter(filter(None, map(why_not_over_http, CASES))) == {
        "closed period: the interface refuses it": 1,
        "an invoice has no documented exchange rate": 9,
        "there is no document type": 2,
        "a number is mandatory": 2,
        "a ticked tax box and per-line tax exist on screens only": 2,
    }
    assert (len(CASES), len(SENT)) == (167, 151)


@pytest.mark.parametrize("case", SENT, ids=[case["case"] for case in SENT])
def test_invoice_over_http_is_posted_as_by_the_real_ledger(
    oracle_simulator: SimulatorProcess, case: dict[str, Any]
) -> None:
    invoice = wire_document(case["input"])
    answer = oracle_simulator.post("/invoices", invoice)
    assert answer.status_code == 204, answer.text
    document = oracle_simulator.documents(invoice["invnumber"])[-1]
    for name in HEADER_AMOUNTS:
        document[name] = Decimal(document[name])
    assert not differences(case["result"], document)
    day = case["input"]["transdate"]
    listed = oracle_simulator.get("/invoices", **{"from": day, "to": day}).json()["invoice"]
    read = [one for one in (listed if isinstance(listed, list) else [listed]) if one["id"] == str(document["id"])]
    for name in ("amount", "netamount", "paid"):
        assert float(read[0][name]) == pytest.approx(float(case["result"][name]), abs=1e-9)


def test_a_closed_period_is_refused_over_http(oracle_simulator: SimulatorProcess) -> None:
    case = next(case for case in CASES if case.get("settings", {}).get("closedto"))
    invoice = wire_document(case["input"])
    oracle_simulator.control("PUT", "/close-date", {"day": case["settings"]["closedto"]})
    try:
        answer = oracle_simulator.post("/invoices", invoice)
        assert answer.status_code == 400
        assert "abgeschlossen" in answer.json()["error"]
        assert oracle_simulator.documents(invoice["invnumber"]) == []
    finally:
        oracle_simulator.control("PUT", "/close-date", {"day": None})
