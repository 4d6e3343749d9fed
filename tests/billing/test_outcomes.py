"""Outcomes, and the sums of a run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary, failing_outcomes
from airflow_provider_rma.exceptions import ConfigurationError


def result(outcome: Outcome, gross: str | None = None, **values: Any) -> DocumentResult:
    return DocumentResult(1, "R-1", outcome, gross=None if gross is None else Decimal(gross), **values)


def test_everything_that_is_not_as_it_should_be_fails_a_run() -> None:
    assert failing_outcomes(None) == set(Outcome) - {"created", "unchanged", "updated"}


@pytest.mark.parametrize("fail_on", ["conflict", ["conflict"]])
def test_a_doubt_and_what_was_not_sent_always_fail_a_run(fail_on: Any) -> None:
    assert failing_outcomes(fail_on) == {"conflict", "unknown", "held"}


def test_a_word_that_is_no_outcome_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fail_on: 'crashed'"):
        failing_outcomes(["conflict", "crashed"])


def test_a_result_on_file_leaves_out_what_is_empty() -> None:
    assert result(Outcome.HELD).as_dict() == {"position": 1, "number": "R-1", "outcome": "held"}
    assert result(Outcome.CREATED, "108.1", unchecked=("net",)).as_dict() == {
        "position": 1,
        "number": "R-1",
        "outcome": "created",
        "gross": "108.10",
        "currency": "CHF",
        "unchecked": ["net"],
    }


def test_a_run_sums_what_is_in_the_books_in_chf() -> None:
    summary = RunSummary("invoices", "dag/run/task")
    for entry in (
        result(Outcome.CREATED, "100.00"),
        result(Outcome.CREATED, "-30.00"),
        result(Outcome.UNCHANGED, "7.00"),
        result(Outcome.CONFLICT, "1000.00"),
        result(Outcome.CREATED, "500.00", currency="EUR"),
    ):
        summary.add(entry)
    assert summary.as_dict() == {
        "kind": "invoices",
        "run": "dag/run/task",
        "counts": {"conflict": 1, "created": 3, "unchanged": 1},
        "outcome_path": "",
        "rejects_path": "",
        "invoices": {"conflict": 1, "created": 2, "unchanged": 1},
        "credit_notes": {"created": 1},
        "total": "77.00",
        "created_total": "70.00",
    }
    assert summary.failed({Outcome.CONFLICT, Outcome.HELD}) == {"conflict": 1}


def test_a_kind_without_amounts_has_no_sums() -> None:
    summary = RunSummary("customers", "dag/run/task", has_totals=False)
    summary.add(result(Outcome.UPDATED))
    assert set(summary.as_dict()) == {"kind", "run", "counts", "outcome_path", "rejects_path"}
    assert summary.describe() == "1 customers: 1 updated"
