"""Sums of what is known, and reasons grouped by what they say."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_rma.billing.pages.tallies import EXAMPLES, Reasons, Sample, Tally


def test_a_tally_knows_of_how_many_documents_its_sums_are() -> None:
    tally = Tally()
    tally.add(Decimal("100.00"), Decimal("108.10"))
    tally.add(Decimal("50.00"), None)
    tally.add(None, None)
    assert (tally.documents, tally.net_known, tally.gross_known) == (3, 2, 1)
    assert (tally.net, tally.gross, tally.amount) == (Decimal("150.00"), Decimal("108.10"), Decimal("158.10"))


def test_a_tally_includes_another() -> None:
    tally, other = Tally(), Tally()
    tally.add(Decimal("1.00"), Decimal("1.08"))
    other.add(Decimal("2.00"), None)
    tally.include(other)
    assert (tally.documents, tally.net, tally.gross_known) == (2, Decimal("3.00"), 1)


def test_a_sample_counts_all_and_names_the_first() -> None:
    sample = Sample()
    for number in range(EXAMPLES + 2):
        sample.add(f"R-{number}")
    assert (sample.count, len(sample.numbers), sample.numbers[0]) == (EXAMPLES + 2, EXAMPLES, "R-0")


def test_reasons_that_differ_in_numbers_only_are_one_group() -> None:
    reasons = Reasons()
    reasons.add("invalid", ["invoice R-1: parts[0].quantity: 12.345 has 3 decimals"], "R-1", 1)
    reasons.add("invalid", ["invoice R-2: parts[7].quantity: 9.876 has 3 decimals"], "R-2", 2)
    reasons.add("conflict", ["invoice R-3: transdate: meant 1, booked 2"], "R-3", 3)
    groups = reasons.list_groups("invalid")
    assert [(group.count, group.sentence) for group in groups] == [(2, "parts[].quantity: … has 3 decimals")]
    assert groups[0].example == "12.345"
    assert len(reasons.list_groups()) == 2


def test_a_document_without_a_reason_is_not_lost() -> None:
    reasons = Reasons()
    reasons.add("held", [], "", 4)
    (group,) = reasons.list_groups()
    assert (group.sentence, group.numbers) == ("no reason is given", ["record 4"])
