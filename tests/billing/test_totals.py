"""Totals that follow from an invoice, held against what the real ledger code booked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.totals import Totals, derive_totals, round_amount
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.reference import oracle_cases


def invoice(**fields: Any) -> dict[str, Any]:
    return InvoiceSchema().from_user({"invnumber": "R-1", "customernumber": "K-1", "transdate": "2025-03-15"} | fields)


def entry(amount: str) -> dict[str, str]:
    return {"amount": amount, "income_accno": "3400"}


def tax(amount: str) -> dict[str, str]:
    return {"amount": amount, "tax_accno": "2201"}


def part(price: str, quantity: str = "1", discount: str = "0") -> dict[str, str]:
    return {"partnumber": "ART-1", "sellprice": price, "quantity": quantity, "discount": discount}


@pytest.mark.parametrize(
    ("fields", "net", "gross"),
    [
        ({"incomeentries": [entry("99.00")], "taxentries": [tax("7.92")]}, "99.00", "106.92"),
        ({"incomeentries": [entry("-99.00")], "taxentries": [tax("-7.92")]}, "-99.00", "-106.92"),
        ({"incomeentries": [entry("108.10")], "taxentries": [tax("8.10")], "taxincluded": True}, "100.00", "108.10"),
        ({"parts": [part("0.125", "3"), part("10", "2", "15")]}, "17.38", None),
        ({"parts": [part("0.125", "-3")]}, "-0.38", None),
        ({"parts": [part("19.95", "2")], "taxincluded": "true"}, None, "39.90"),
    ],
)
def test_totals_follow_from_the_document(fields: dict[str, Any], net: str | None, gross: str | None) -> None:
    expected = Totals(net and Decimal(net), gross and Decimal(gross))  # type: ignore[arg-type]
    assert derive_totals(invoice(**fields)) == expected


def test_the_callers_gross_total_fills_the_gap() -> None:
    assert derive_totals(invoice(parts=[part("10")]), Decimal("10.81")) == Totals(Decimal("10.00"), Decimal("10.81"))


@pytest.mark.parametrize(
    ("totals", "amount"),
    [
        (Totals(Decimal(100), Decimal("108.10")), Decimal("108.10")),
        (Totals(Decimal(100), None), Decimal(100)),
        (Totals(Decimal(5), Decimal(0)), Decimal(0)),
        (Totals(None, None), None),
    ],
)
def test_the_amount_is_the_gross_total_or_the_net_total_where_only_that_is_known(
    totals: Totals, amount: Decimal | None
) -> None:
    assert totals.amount == amount


def test_entries_that_add_up_to_nothing_with_tax_included_are_not_derived() -> None:
    document = invoice(incomeentries=[entry("10"), entry("-10")], taxentries=[tax("0.50")], taxincluded=True)
    assert derive_totals(document) == Totals(None, None)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.125", "0.13"), ("-0.125", "-0.13"), ("2.675", "2.68"), ("1.00499", "1.00"), ("1234567.895", "1234567.90")],
)
def test_amounts_are_rounded_half_away_from_zero(value: str, rounded: str) -> None:
    assert round_amount(Decimal(value)) == Decimal(rounded)


def _expressible(case: dict[str, Any]) -> bool:
    """Whether a case is what a user of the interface can send: CHF, two decimals, no payments in the document."""
    document = case["input"]
    amounts = [entry["amount"] for name in ("incomeentries", "taxentries") for entry in document.get(name, ())]
    return (
        document["currency"] == "CHF"
        and not document.get("payments")
        and not document.get("doctype")
        and "settings" not in case
        and all(Decimal(amount) == round(Decimal(amount), 2) for amount in amounts)
    )


CASES = [case for case in oracle_cases("ar_booking", "ar_articles") if _expressible(case)]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_derived_totals_are_what_the_ledger_books(case: dict[str, Any]) -> None:
    source, result = case["input"], case["result"]
    document: dict[str, Any] = {"taxincluded": source["taxincluded"]}
    if "lines" in source:
        document["parts"] = [{name: Decimal(line[key]) for name, key in _LINE.items()} for line in source["lines"]]
    else:
        for name in ("incomeentries", "taxentries"):
            document[name] = [{"amount": Decimal(entry["amount"])} for entry in source.get(name, ())]
    figures = derive_totals(document)
    if figures.net is not None:
        assert figures.net == Decimal(result["netamount_2"])
    if figures.gross is not None:
        assert figures.gross == Decimal(result["amount_2"])


_LINE = {"quantity": "quantity", "sellprice": "sellprice", "discount": "discount_percent"}


def test_the_ledgers_cases_are_not_lost() -> None:
    assert len(CASES) >= 100
