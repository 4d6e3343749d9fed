"""Sentences and figures of pages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_rma.billing.outcomes import CREATE, Outcome
from airflow_provider_rma.billing.pages.statistics import DocumentType
from airflow_provider_rma.billing.pages.tallies import Sample, Tally
from airflow_provider_rma.billing.pages.wording import (
    decision_meaning,
    format_iso_time,
    format_month,
    format_net,
    format_numbers,
    format_total,
    group_order,
    list_decisions,
    list_months,
    plan_headline,
)
from tests.support.pages import plan_statistics, planned


def tally(*totals: tuple[str | None, str | None]) -> Tally:
    result = Tally()
    for net, gross in totals:
        result.add(None if net is None else Decimal(net), None if gross is None else Decimal(gross))
    return result


@pytest.mark.parametrize(
    ("totals", "net", "total"),
    [
        ([("100", "108.1"), ("1000", "1081")], "1'100.00", "1'189.10"),
        ([("100", "108.1"), ("1000", None)], "1'100.00", "1'108.10 *"),
        ([("100", None)], "100.00", "100.00 net"),
        ([("100", None), (None, None)], "100.00 *", "100.00 net"),
        ([(None, None)], "–", "–"),
    ],
)
def test_a_total_says_what_it_is_without(totals: list[tuple[str | None, str | None]], net: str, total: str) -> None:
    assert (format_net(tally(*totals)), format_total(tally(*totals))) == (net, total)


def test_every_decision_has_a_meaning() -> None:
    assert all(decision_meaning(decision) for decision in (CREATE, *Outcome))


def test_a_headline_names_the_months() -> None:
    assert plan_headline(plan_statistics(planned(1))) == "1 of 1 record will be sent to RMA, dated October 2026."
    both = plan_statistics(planned(1), planned(2, transdate="2026-09-30"))
    assert plan_headline(both) == "2 of 2 records will be sent to RMA, dated September 2026 to October 2026."
    nothing = plan_statistics(planned(1, decision="unchanged"))
    assert plan_headline(nothing) == "Nothing will be sent: none of 1 record is to be booked."


def test_what_would_be_sent_comes_first_francs_before_other_currencies_invoices_before_credit_notes() -> None:
    groups = [
        ("held", DocumentType.INVOICE, "CHF"),
        ("create", DocumentType.INVOICE, "EUR"),
        ("create", DocumentType.CREDIT_NOTE, "CHF"),
        ("create", DocumentType.INVOICE, "CHF"),
    ]
    assert sorted(groups, key=group_order) == groups[::-1]


def test_a_decision_without_totals_is_about_documents() -> None:
    unknown = planned(1, decision="invalid") | {"net": None, "gross": None}
    totals = list(list_decisions(plan_statistics(unknown, planned(2, net="-5.00"))))
    assert [(group.decision, group.noun) for group in totals] == [("create", "credit note"), ("invalid", "document")]


def test_earlier_months_are_put_together() -> None:
    plan = plan_statistics(*(planned(month, transdate=f"2026-{month:02d}-01") for month in range(1, 6)))
    months = [(month.name, month.invoices.documents, month.credit_notes.documents) for month in list_months(plan, 2)]
    assert months == [("earlier", 3, 0), ("April 2026", 1, 0), ("May 2026", 1, 0)]
    assert next(month.name for month in list_months(plan, 5)) == "January 2026"


def test_numbers_beyond_the_first_are_hinted_at() -> None:
    assert format_numbers(Sample(2, ["R-1", "R-2"])) == "R-1, R-2"
    assert format_numbers(Sample(3, ["R-1", "R-2"])) == "R-1, R-2, …"


def test_times_and_months_in_words() -> None:
    assert format_month("2026-10") == "October 2026"
    assert format_iso_time("2026-11-01T23:30:00.123456Z") == "2026-11-02 00:30 (Zurich)"
    assert (format_month(""), format_iso_time("")) == ("", "")
