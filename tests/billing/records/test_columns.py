"""The columns of flat rows."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from airflow_provider_rma.billing.records import columns
from airflow_provider_rma.exceptions import InvalidInputError


def test_of_many_wrong_columns_only_those_that_are_named_are_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another kind may have a hundred thousand, and a guess at each that is meant would take seconds."""
    words = Mock(wraps=columns.unknown_field_problem)
    monkeypatch.setattr(columns, "unknown_field_problem", words)
    names = ["invnumber", *(f"c{number}" for number in range(500))]
    with pytest.raises(InvalidInputError, match=r"c9: is not a field of an invoice.* 49\d more problems"):
        columns.INVOICE_COLUMNS.check(names, "source x.csv")
    assert 0 < words.call_count <= columns.MAX_PROBLEMS
