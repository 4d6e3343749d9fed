"""Vendor invoices of the posting oracle, sent over HTTP: the books hold what the real ledger code wrote."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support.oracle_requests import wire_document, wire_payment
from tests.support.posting_oracle import HEADER_AMOUNTS, differences
from tests.support.reference import oracle_cases
from tests.support.simulator import SimulatorProcess

CASES = oracle_cases("ap")


def why_not_over_http(case: dict[str, Any]) -> str | None:
    """Why the interface cannot express a vendor invoice, or ``None`` if it can."""
    given = case["input"]
    if given.get("exchangerate", "1") != "1":
        return "a vendor invoice has no documented exchange rate"
    if given.get("doctype"):
        return "there is no document type"
    if not given["invnumber"]:
        return "a number is mandatory"
    if given.get("payments") and given.get("payment_route") != "payment_form":
        return "a payment is never sent with its document"
    return None


SENT = [case for case in CASES if why_not_over_http(case) is None]


def test_only_what_the_interface_cannot_express_is_left_out() -> None:
    assert Counter(filter(None, map(why_not_over_http, CASES))) == {
        "a vendor invoice has no documented exchange rate": 3,
        "there is no document type": 1,
        "a payment is never sent with its document": 3,
    }
    assert (len(CASES), len(SENT)) == (25, 18)


@pytest.mark.parametrize("case", SENT, ids=[case["case"] for case in SENT])
def test_vendor_invoice_over_http_is_posted_as_by_the_real_ledger(
    oracle_simulator: SimulatorProcess, case: dict[str, Any]
) -> None:
    given = case["input"]
    answer = oracle_simulator.post("/payables", wire_document(given))
    assert answer.status_code == 204, answer.text
    day = given["transdate"]
    listed = oracle_simulator.get("/payables", **{"from": day, "to": day}).json()["payable"]
    read = [
        each for each in (listed if isinstance(listed, list) else [listed]) if each["invnumber"] == given["invnumber"]
    ]
    for payment in given.get("payments") or []:
        posted = oracle_simulator.post(f"/payables/{given['invnumber']}/payments", wire_payment(payment, given))
        assert posted.status_code == 200, posted.text
    document = oracle_simulator.control("GET", f"/documents/{read[-1]['id']}")
    for name in HEADER_AMOUNTS:
        document[name] = Decimal(document[name])
    assert not differences(case["result"], document)
