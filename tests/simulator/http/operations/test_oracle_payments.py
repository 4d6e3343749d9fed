"""Payments of the posting oracle, sent over HTTP: the books hold what the real ledger code wrote.

The interface enters a payment as the payment form does; in francs that is mostly what saving a payment with its
document does. A document that it cannot express (an exchange rate, a document type) is posted straight into the books,
its payments over HTTP.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support.oracle_requests import wire_document, wire_payment
from tests.support.posting_oracle import HEADER_AMOUNTS, differences
from tests.support.reference import oracle_cases
from tests.support.simulator import SimulatorProcess

CASES = oracle_cases("payment", "ap")
UNLINKED = "pay_account_without_AR_paid_link"


def why_not_over_http(case: dict[str, Any]) -> str | None:
    """Why the interface cannot express a case's payments, or ``None`` if it can."""
    given = case["input"]
    if not given.get("payments"):
        return "no payment"
    if given.get("payment_route") != "payment_form" and given["currency"] != "CHF":
        return "saved with a document in a foreign currency: its differences depend on the way of entry"
    if given.get("payment_route") != "payment_form" and re.search("three_decimals|older_date", case["case"]):
        return "saved with the document: three decimals and the day of the last payment depend on the way of entry"
    if any(payment.get("form_total") for payment in given["payments"]):
        return "a payment form with a total of its own"
    if UNLINKED in case["case"]:
        return "an account that takes no payments: the interface refuses it"
    return None


SENT = [case for case in CASES if why_not_over_http(case) is None]


def test_only_what_the_interface_cannot_express_is_left_out() -> None:
    assert Counter(filter(None, map(why_not_over_http, CASES))) == {
        "no payment": 18,
        "saved with a document in a foreign currency: its differences depend on the way of entry": 9,
        "saved with the document: three decimals and the day of the last payment depend on the way of entry": 4,
        "a payment form with a total of its own": 1,
        "an account that takes no payments: the interface refuses it": 1,
    }
    assert (len(CASES), len(SENT)) == (101, 68)


def post_document(oracle_simulator: SimulatorProcess, case: dict[str, Any]) -> tuple[str, int]:
    """Post the document without its payments. Returns the resource of its payments and its id."""
    given = {name: value for name, value in case["input"].items() if name != "payments"}
    is_sale = "customernumber" in given
    # Numbers come again in the cases, and a path names the first document of a number only.
    given["invnumber"] = f"{case['case']}"
    resource = "/invoices" if is_sale else "/payables"
    if given.get("exchangerate", "1") == "1" and not given.get("doctype"):
        answer = oracle_simulator.post(resource, wire_document(given))
        assert answer.status_code == 204, answer.text
        number = int(oracle_simulator.get(f"{resource}/{given['invnumber']}").json()["id"])
    else:
        number = oracle_simulator.control("POST", "/invoices" if is_sale else "/purchases", given)["id"]
    return f"{resource}/{given['invnumber']}/payments", number


@pytest.mark.parametrize("case", SENT, ids=[case["case"] for case in SENT])
def test_payments_over_http_are_posted_as_by_the_real_ledger(
    oracle_simulator: SimulatorProcess, case: dict[str, Any]
) -> None:
    given, expected = case["input"], case["result"]
    # saving a paid tax-inclusive article document repairs its net amount or not, by the noise of doubles (D5)
    strict = not (given.get("taxincluded") and "lines" in given)
    resource, number = post_document(oracle_simulator, case)
    # What was saved with its document has no earlier states.
    earlier: list[Any] = (expected.get("before") or [])[1:] or [None] * (len(given["payments"]) - 1)
    for payment, state in zip(given["payments"], [*earlier, expected], strict=True):
        sent = wire_payment(payment, given)
        answer = oracle_simulator.post(resource, sent)
        assert answer.status_code == 200, answer.text
        posted = answer.json()
        assert (posted["payment_accno"], posted["datepaid"][:10]) == (payment["payment_accno"], payment["datepaid"])
        assert float(posted["amount_paid"]) == float(payment["amount"])
        document = oracle_simulator.control("GET", f"/documents/{number}")
        for name in HEADER_AMOUNTS:
            document[name] = Decimal(document[name])
        assert state is None or not differences(state, document, netamount=strict)
        assert [str(row["id"]) for row in document["payments"]][-1] == posted["id"]


def test_an_account_that_takes_no_payments_is_refused(oracle_simulator: SimulatorProcess) -> None:
    (case,) = [case for case in CASES if UNLINKED in case["case"]]
    resource, number = post_document(oracle_simulator, case)
    answer = oracle_simulator.post(resource, wire_payment(case["input"]["payments"][0], case["input"]))
    assert answer.status_code == 400
    assert "kein Zahlungskonto" in answer.json()["error"]
    assert oracle_simulator.control("GET", f"/documents/{number}")["payments"] == []
